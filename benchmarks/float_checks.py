"""Float checks, `python -m benchmarks.float_checks`: false alarms without faults, and which flipped bits are seen.

Products of drawn sizes and words, in float32 and bfloat16, protected by `FloatAbft` at 6 standard deviations. Rows of
fault-free products are measured in deviations of the bound; then one bit of one word of the output is flipped.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.claims.data import table
from radhard.analysis.intervals import wilson
from radhard.faults import Faulty, Flips
from radhard.machine import CHECK, KINDS, Clean, Machine, Operator, Recording, Site, Wrapping
from radhard.operators import Linear
from radhard.protection import FloatAbft, Protected
from radhard.protection.abft.rounding import VARIANCE
from radhard.words import flip, word_of

RESULTS = Path(__file__).parent.parent / "results"
SITE = Site(name="gemm", operator="linear", layer="-", module="-", batch_axis=0, rows_per_image=1)
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PRODUCTS, ALIKE = 1200, 200
LANES = (1, 16)
LEVELS = tuple(2.0 ** (half / 2) for half in range(-8, 9))
FLIPPED = {"proj of ViT-B": (768, 768, None), "fc1, 256 a check": (768, 3072, 256), "QK^T of ViT-B": (64, 197, None)}
ROWS, IMAGES = 8, 40
SIZES = (6, 11, 11)  # powers of two that m, k and n reach at most
OUTLIERS, OUTLIER = 100, 50  # one in so many channels is an outlier, so many times as large as others


def normal(*shape: int, draw: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=draw)


def heavy(*shape: int, draw: torch.Generator) -> Tensor:
    """Student's t of 3 degrees of freedom: no fourth moment."""
    square = torch.randn((3, *shape), generator=draw).square().mean(0)
    return torch.randn(shape, generator=draw) / square.sqrt()


def outliers(*shape: int, draw: torch.Generator) -> Tensor:
    """One in OUTLIERS channels, one at least, is OUTLIER times as large, as in transformers, with a mean of its own."""
    x = torch.randn(shape, generator=draw)
    which = torch.randperm(shape[-1], generator=draw)[: max(1, shape[-1] // OUTLIERS)]
    x[..., which] = OUTLIER * (x[..., which] + 1)
    return x


def positive(*shape: int, draw: torch.Generator) -> Tensor:
    """Absolute values: every running sum grows."""
    return torch.randn(shape, generator=draw).abs()


def alike(*shape: int, draw: torch.Generator) -> Tensor:
    """All rows the same, as tokens of an empty picture are: words of a row of A B^T are then rounded alike."""
    return torch.randn(shape[-1:], generator=draw).expand(shape).contiguous()


WORDS: dict[str, Callable[..., Tensor]] = {
    "normal": normal, "heavy tails": heavy, "outlier channels": outliers, "positive": positive, "rows alike": alike,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Alarms:
    """Fault-free products: how many raised an alarm, and of their rows the share above each level of deviations."""

    type: str
    words: str
    lanes: int
    products: int
    rows: int
    alarms: int
    low: float
    high: float
    largest: float
    above: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Flips of one bit of a word: how many were seen; the sizes are those relative to the deviation of the output."""

    product: str
    type: str
    words: str
    lanes: int
    bit: int
    flips: int
    seen: int
    low: float
    high: float
    smallest_seen: float
    largest_missed: float
    largest_left: float


def product(seed: int, *, words: str, dtype: torch.dtype) -> tuple[Tensor | None, ...]:
    """Operands of drawn sizes, m to 64, k and n to 2,048, with a bias or none."""
    draw = torch.Generator().manual_seed(seed)
    m, k, n = (int(2 ** (top * float(torch.rand(1, generator=draw)))) for top in SIZES)
    a, b = (WORDS[words](size, k, draw=draw).to(dtype) for size in (m, n))
    bias = torch.randn(n, generator=draw).to(dtype) if seed % 2 and words != "rows alike" else None
    return a[None], b, bias


def deviations(kept: Mapping[Site, Tensor], *, of: float) -> Tensor:
    """What a machine kept of a scheme at `of` deviations -> how many every row was off by."""
    named = {site.name: out for site, out in kept.items()}
    square, bound = (named[f"gemm{CHECK}rows/{name}"] for name in ("deviations/square", "bound1"))
    return of * (square / bound).nan_to_num(0.0).sqrt().flatten()  # 0 / 0: nothing to round


def false_alarms(*, words: str, dtype: str, lanes: int, products: int) -> Alarms:
    scheme, alarms, found = FloatAbft(lanes=lanes, retries=0), 0, []
    for seed in range(products):
        keeping = Recording(Clean())
        machine = Protected(keeping, {SITE.name: scheme})
        inputs = product(seed, words=words, dtype=TYPES[dtype])
        out = machine.apply(Linear(), inputs, SITE)
        assert torch.equal(out, Clean().apply(Linear(), inputs, SITE))
        alarms += machine.accounts[SITE.name].alarms
        found.append(deviations(keeping.outputs, of=scheme.deviations))
    every = torch.cat(found)
    around = wilson(alarms / products, n=products)
    return Alarms(
        type=dtype, words=words, lanes=lanes, products=products, rows=len(every), alarms=alarms, low=around.low,
        high=around.high, largest=float(every.max()),
        above={f"{level:g}": float((every > level).double().mean()) for level in LEVELS},
    )  # fmt: skip


class Upset(Wrapping):
    """Lets `inner` compute and flips one bit of one word [places] of each image's output, at the site itself alone."""

    def __init__(self, inner: Machine, *, places: Tensor, bit: int) -> None:
        super().__init__(inner)
        self.places, self.bit = places, bit

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The inner machine's output, at the site with its flips."""
        out = self.inner.apply(operator, inputs, site)
        if site.name == SITE.name:
            flat, at = out.flatten(1), torch.arange(len(out))
            flat[at, self.places] = flip(flat[at, self.places], self.bit, word_of(out.dtype))
        return out


def upset(dtype: torch.dtype, places: Tensor, *, bit: int, k: int) -> Machine:
    """float32: a flip of the last running sum, by the machine with faults; bfloat16: of the word that is written."""
    if dtype == torch.bfloat16:
        return Upset(Clean(), places=places, bit=bit)
    image = np.arange(len(places))
    zero = np.zeros_like(image)
    index = places.numpy() * (k - 1) + k - 2
    kind = zero + KINDS.index("add")
    return Faulty(Clean(), Flips(sites=(SITE.name,), image=image, site=zero, kind=kind, index=index, bit=zero + bit))


def detection(name: str, *, words: str, dtype: str, lanes: int) -> tuple[list[Seen], dict[str, Any]]:
    """The rate of each bit, and the bound as a share of the deviation of the output."""
    (k, n, width), draw = FLIPPED[name], torch.Generator().manual_seed(1)
    x, weight = (WORDS[words](*size, k, draw=draw).to(TYPES[dtype]) for size in ((IMAGES, ROWS), (n,)))
    places = torch.randint(0, ROWS * n, (IMAGES,), generator=draw)
    inputs, scheme = (x, weight, None), FloatAbft(width=width, lanes=lanes)
    clean = Clean().apply(Linear(), inputs, SITE)
    deviation = float(clean.double().std())
    keeping = Recording(Clean())
    Protected(keeping, {SITE.name: scheme}).apply(Linear(), inputs, SITE)
    variance = next(out for site, out in keeping.outputs.items() if site.name.endswith("rows/bound1"))
    bound = scheme.deviations * math.sqrt(VARIANCE) * variance.sqrt() / deviation
    found = []
    for bit in range(word_of(TYPES[dtype]).bits):
        off = _hit(upset(TYPES[dtype], places, bit=bit, k=k), inputs, places) - _at(clean, places)
        machine = Protected(upset(TYPES[dtype], places, bit=bit, k=k), {SITE.name: scheme})
        out = machine.apply(Linear(), inputs, SITE)
        after = (_at(out, places) - _at(clean, places)).abs() / deviation
        off = off.abs() / deviation
        # flagged rows that were not put right were not seen either: none here, and asserted
        account = machine.accounts[SITE.name]
        assert account.flagged == account.recomputed
        repaired = after < off.nan_to_num(nan=math.inf) / 2
        assert int(repaired.sum()) == account.recomputed
        around = wilson(account.flagged / IMAGES, n=IMAGES)
        found.append(
            Seen(
                product=name, type=dtype, words=words, lanes=lanes, bit=bit, flips=IMAGES, seen=account.flagged,
                low=around.low, high=around.high,
                smallest_seen=float(off[repaired].nan_to_num(nan=math.inf).min()) if bool(repaired.any()) else -1.0,
                largest_missed=float(off[~repaired].max()) if bool((~repaired).any()) else -1.0,
                largest_left=float(after.max()),
            )
        )  # fmt: skip
    low, middle, high = np.quantile(bound.flatten().numpy(), (0.05, 0.5, 0.95)).tolist()
    at = {"product": name, "type": dtype, "words": words, "lanes": lanes, "low": low, "median": middle, "high": high}
    return found, at


def _at(out: Tensor, places: Tensor) -> Tensor:
    return out.flatten(1)[torch.arange(len(out)), places].double()


def _hit(machine: Machine, inputs: tuple[Tensor | None, ...], places: Tensor) -> Tensor:
    return _at(machine.apply(Linear(), inputs, SITE), places)


# --- what is shown ---


def alarm_table(found: Sequence[Alarms]) -> str:
    rows = [
        [one.type, one.words, str(one.lanes), f"{one.products:,}", f"{one.rows:,}", str(one.alarms),
         f"{one.low:.2%} to {one.high:.2%}", f"{one.largest:.3g}"]
        for one in found
    ]  # fmt: skip
    return table(["words", "drawn as", "lanes", "products", "rows", "false alarms", "95 %", "largest deviation"], rows)


def bound_table(bounds: Sequence[dict[str, Any]], seen: Sequence[Seen]) -> str:
    rows = []
    for one in bounds:
        mine = [
            bit for bit in seen if all(getattr(bit, key) == one[key] for key in ("product", "type", "words", "lanes"))
        ]
        every = [str(bit.bit) for bit in mine if bit.seen == bit.flips]
        never = [str(bit.bit) for bit in mine if not bit.seen]
        left = max(bit.largest_left for bit in mine)
        span = f"{one['median']:.2g} ({one['low']:.2g} to {one['high']:.2g})"
        rows.append(
            [
                one["product"],
                one["type"],
                one["words"],
                str(one["lanes"]),
                span,
                _span(never),
                _span(every),
                f"{left:.2g}",
            ]
        )
    heads = [
        "product",
        "type",
        "drawn as",
        "lanes",
        "bound",
        "bits never seen",
        "bits always seen",
        "largest error left",
    ]
    return table(heads, rows)


def _span(bits: Sequence[str]) -> str:
    """Bits in runs."""
    runs: list[list[int]] = []
    for bit in map(int, bits):
        if runs and runs[-1][1] == bit - 1:
            runs[-1][1] = bit
        else:
            runs.append([bit, bit])
    return ", ".join(f"{a} to {b}" if a < b else f"{a}" for a, b in runs) or "-"


def draw(alarms: Sequence[Alarms], seen: Sequence[Seen], path: Path) -> None:
    figure = Figure(figsize=(12, 8.4), layout="constrained")
    FigureCanvasAgg(figure)
    (left, right), bottom = figure.subplots(2, 2)
    colours = dict(zip(WORDS, ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000"), strict=True))
    for axes, dtype in ((left, "float32"), (right, "bfloat16")):
        for one in alarms:
            if one.type == dtype:
                share = [value if value > 0 else math.nan for value in one.above.values()]
                axes.plot(
                    [float(level) for level in one.above], share, color=colours[one.words], marker="o", markersize=4,
                    linestyle="-" if one.lanes == 1 else (0, (4, 2)), linewidth=1.3,
                    label=one.words if one.lanes == 1 else None,
                )  # fmt: skip
        axes.axvline(6, color="0.35", linestyle=(0, (1, 1)))
        axes.text(6.3, 0.6, "bound: 6", fontsize=9, color="0.35")
        axes.set(xscale="log", yscale="log", xlim=(0.05, 20), ylim=(3e-5, 1.5))
        axes.set_xlabel("standard deviations by which a row is off")
        axes.set_ylabel("share of fault-free rows above")
        axes.set_title(f"{dtype}: rows without faults (dashed: 16 lanes)", loc="left", fontsize=11)
        axes.legend(frameon=False, fontsize=9, loc="lower left")
    for axes, dtype in zip(bottom, TYPES, strict=True):
        for place, name in enumerate(FLIPPED):
            mine = [one for one in seen if (one.product, one.type, one.words, one.lanes) == (name, dtype, "normal", 1)]
            bits, rates = [one.bit for one in mine], [one.seen / one.flips for one in mine]
            colour = list(colours.values())[place]
            axes.plot(bits, rates, color=colour, marker="osD^"[place], markersize=4, linewidth=1.2, label=name)
            axes.vlines(bits, [one.low for one in mine], [one.high for one in mine], color=colour, linewidth=1)
        fraction = 23 if dtype == "float32" else 7
        axes.axvline(fraction - 0.5, color="0.35", linestyle=(0, (1, 1)))
        axes.text(fraction - 0.3, 0.03, "exponent, sign", fontsize=9, color="0.35")
        axes.set_xlabel("bit that is flipped, 0 the least significant")
        axes.set_ylabel("share of flips seen")
        axes.set_ylim(-0.03, 1.03)
        axes.set_title(f"{dtype}: one flip in a row of the output, 1 lane, normal words", loc="left", fontsize=11)
        axes.legend(frameon=False, fontsize=9, loc="upper left")
    for axes in figure.axes:
        axes.grid(visible=True, color="0.92", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=140)


def alarm_settings() -> list[dict[str, Any]]:
    return [
        {"words": words, "dtype": dtype, "lanes": lanes, "products": ALIKE if words == "rows alike" else PRODUCTS}
        for dtype in TYPES
        for words in WORDS
        for lanes in LANES
    ]


def detection_settings() -> list[tuple[str, dict[str, Any]]]:
    """All products in one lane; proj also in 16, and with outlier channels."""
    found = [(name, {"words": "normal", "dtype": dtype, "lanes": 1}) for name in FLIPPED for dtype in TYPES]
    for dtype in TYPES:
        found += [
            ("proj of ViT-B", {"words": "normal", "dtype": dtype, "lanes": 16}),
            ("proj of ViT-B", {"words": "outlier channels", "dtype": dtype, "lanes": 1}),
            ("QK^T of ViT-B", {"words": "outlier channels", "dtype": dtype, "lanes": 1}),
        ]
    return found


def write(alarms: Sequence[Alarms], detected: Sequence[tuple[list[Seen], dict[str, Any]]]) -> None:
    seen, bounds = [one for found, _ in detected for one in found], [bound for _, bound in detected]
    record = {
        "command": "python -m benchmarks.float_checks",
        "torch": torch.__version__,
        "alarms": [asdict(one) for one in alarms],
        "bounds": bounds,
        "seen": [asdict(one) for one in seen],
    }
    (RESULTS / "float-checks.json").write_text(json.dumps(record, indent=1) + "\n")
    draw(alarms, seen, RESULTS / "float-checks.png")
    print(alarm_table(alarms), bound_table(bounds, seen), sep="\n\n")


def main() -> None:
    alarms = [false_alarms(**setting) for setting in alarm_settings()]
    write(alarms, [detection(name, **setting) for name, setting in detection_settings()])


if __name__ == "__main__":
    main()
