"""Repairs and what escapes them, `python -m benchmarks.repairs`: blocks put right, flips that cancel, missed products.

All of it on `Protected(Faulty(Clean(), ...))`: products of drawn int8 words whose accumulators are compared with those
of `Clean`. Flips are a table where their number is given, and drawn at a bit error rate where schemes are compared.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.claims.data import table
from radhard.analysis.intervals import wilson
from radhard.faults import Faults, Faulty, Flips
from radhard.faults.flips import Column
from radhard.machine import KINDS, Clean, Machine, read_cost
from radhard.operators import Linear
from radhard.protection import (
    Account,
    Block,
    HuangAbraham,
    IntensityGuided,
    LbAbft,
    Protected,
    RowAbft,
    Scheme,
    Shape,
    StandardAbft,
    Tmr,
    cube,
)
from radhard.protection.cost.models import exposed_bits
from radhard.protection.protected import CheckExposure
from radhard.studies.simulation import SITE, drawn
from radhard.words import Words

RESULTS = Path(__file__).parent.parent / "results"
EDGE, BLOCKS, PAIRS, WRONG, SMALL_WRONG = 32, 5000, 10000, 300, 120
LAMBDAS = (0.1, 0.5, 1.0, 2.0, 4.0)
WHOLE = cube(EDGE)
POLICIES: dict[str, Scheme] = {
    "leave": LbAbft(block=WHOLE, policy="leave", retries=0),
    "intersect": LbAbft(block=WHOLE, policy="intersect"),
    "row": LbAbft(block=WHOLE, policy="row"),
    "block": LbAbft(block=WHOLE, policy="block"),
    "RowAbft": RowAbft(block=WHOLE),
}
# the shares of an independent simulation of flips of +-2^bit
PUBLISHED = {
    ("leave", 0.1): 0.948, ("leave", 1.0): 0.573, ("leave", 4.0): 0.081,
    ("intersect", 0.1): 0.9994, ("intersect", 1.0): 0.994, ("intersect", 4.0): 0.991,
    ("RowAbft", 0.1): 0.9994, ("RowAbft", 1.0): 0.994, ("RowAbft", 4.0): 0.995,
}  # fmt: skip
PUBLISHED_MUL = {
    ("leave", 0.1): 2048, ("leave", 1.0): 2048, ("leave", 4.0): 2048,
    ("RowAbft", 0.1): 1160, ("RowAbft", 1.0): 1242, ("RowAbft", 4.0): 1738,
}  # fmt: skip
PRODUCT = Shape(m=197, k=192, n=192)  # in which schemes miss: at 10 flips the rate is 3e-8
HITS, BATCH = (0.5, 2.0, 10.0), 20
SCHEMES: dict[str, Scheme] = {
    "LbAbft": LbAbft(block=cube(32)),
    "RowAbft": RowAbft(block=Block(m=4, k=96, n=96)),
    "StandardAbft": StandardAbft(),
    "IntensityGuided": IntensityGuided(),
    "HuangAbraham": HuangAbraham(),
    "Tmr word": Tmr(),
    "Tmr bitwise": Tmr(vote="bitwise"),
}
# a product so small that 10 flips mean a rate of 2e-6, at which what is computed again is hit again
SMALL = Shape(m=32, k=64, n=48)
SMALL_SCHEMES: dict[str, Scheme] = {
    "LbAbft": LbAbft(block=cube(16)),
    "RowAbft": RowAbft(block=Block(m=8, k=64, n=48)),
    "RowAbft, narrow blocks": RowAbft(block=Block(m=8, k=32, n=8)),
}


@dataclass(frozen=True, kw_only=True)
class Rate:
    """`hits` of `n` of one kind, with Wilson's interval; `expected` is what was published or derived."""

    part: str
    scheme: str
    setting: str
    n: int
    hits: int
    rate: float
    low: float
    high: float
    expected: float | None = None
    multiplications: float | None = None
    published_multiplications: float | None = None


def rate(part: str, scheme: str, setting: str, *, hits: int, n: int, **more: float | None) -> Rate:
    around = wilson(hits / n if n else 0.0, n=n)
    return Rate(part=part, scheme=scheme, setting=setting, n=n, hits=hits, rate=around.rate, low=around.low,
                high=around.high, **more)  # fmt: skip


# --- flips of known number ---


def table_of(kinds: Column, *, image: Column, index: Column, bit: Column) -> Flips:
    return Flips(sites=(SITE.name,), image=image, site=np.zeros_like(image), kind=kinds, index=index, bit=bit)


def flips_of_outputs(counts: Column, *, seed: int) -> Flips:
    """So many flips of each image's 32 x 32 block: of distinct bits of its words, each the last of its chain's sums."""
    draw = np.random.default_rng(seed)
    address = np.concatenate([draw.choice(EDGE * EDGE * 32, count, replace=False) for count in counts])
    image = np.repeat(np.arange(len(counts)), counts)
    index, zero = address // 32 * (EDGE - 1) + EDGE - 2, np.zeros_like(image)
    return table_of(zero + KINDS.index("add"), image=image, index=index, bit=address % 32)


def flips_of_all(images: int, *, seed: int) -> Flips:
    """Two flips in each block, of distinct bits among all its products and running sums."""
    draw, outputs = np.random.default_rng(seed), EDGE * EDGE
    products = outputs * EDGE * 16
    bits = products + outputs * (EDGE - 1) * 32
    address = np.stack([draw.choice(bits, 2, replace=False) for _ in range(images)]).reshape(-1)
    of_product = address < products
    rest = address - products
    return table_of(
        np.where(of_product, KINDS.index("mul"), KINDS.index("add")),
        image=np.repeat(np.arange(images), 2),
        index=np.where(of_product, address // 16, rest // 32),
        bit=np.where(of_product, address % 16, rest % 32),
    )


def blocks(count: int) -> tuple[tuple[Tensor, Tensor, None], Tensor]:
    """Operands of so many 32 x 32 x 32 blocks, and their accumulators."""
    inputs = (drawn(count, EDGE, EDGE, seed=7), drawn(EDGE, EDGE, seed=8), None)
    return inputs, Clean().apply(Linear(), inputs, SITE)


def protect(scheme: Scheme, flips: Flips, inputs: tuple[Tensor, Tensor, None], clean: Tensor) -> tuple[Tensor, Account]:
    """-> which products [B] are right, and the account."""
    machine = Protected(Faulty(Clean(), flips), {SITE.name: scheme})
    out = machine.apply(Linear(), inputs, SITE)
    return (out == clean).flatten(1).all(1), machine.accounts[SITE.name]


def corrected() -> list[Rate]:
    """Faulty blocks that are right in the end, and multiplications of their recovery alone."""
    inputs, clean = blocks(BLOCKS)
    found = []
    for place, mean in enumerate(LAMBDAS):
        draw = np.random.default_rng(100 + place)
        counts = draw.poisson(mean, 2 * BLOCKS + int(BLOCKS / mean))
        counts = counts[counts > 0][:BLOCKS]  # blocks with a flip
        flips = flips_of_outputs(counts, seed=place)
        for name, scheme in POLICIES.items():
            right, account = protect(scheme, flips, inputs, clean)
            recovery = account.executed.mul - EDGE * (BLOCKS + account.alarms)  # less both detections
            found.append(
                rate("corrected", name, f"{mean:g}", hits=int(right.sum()), n=BLOCKS, multiplications=recovery / BLOCKS,
                     expected=PUBLISHED.get((name, mean)), published_multiplications=PUBLISHED_MUL.get((name, mean)))
            )  # fmt: skip
    return found


# --- flips that cancel ---


def predicted(*, k: int, words: Words) -> float:
    """Two flips of uniformly drawn bits of a block's products and sums add up to 0 modulo 2^32 with this probability.

    A flip of bit b changes the block's sum by plus or minus 2^b, down where the bit was 1. Two of them cancel if they
    have one b and opposite signs, which is one in two for bits that are as often 1 as 0; at the top bit of a running
    sum both signs are the same, modulo 2^32. Of a block's bits k of each output are at b in products, k - 1 in sums.
    """
    p, s = words.product.bits, words.accumulator.bits
    every = k * p + (k - 1) * s
    share = [((k if b < p else 0) + (k - 1)) / every for b in range(s)]
    return sum(one * one for one in share[:-1]) / 2 + share[-1] ** 2


def of_words(words: Column) -> float:
    """The same of flips of output words [B, w] alone, from their own bits: pairs of distinct words that differ at b."""
    size = words.shape[1]
    total = 0.0
    for b in range(31):
        ones = (words >> b & 1).sum(1).astype(np.float64)
        total += float((2 * ones * (size - ones) / (size * (size - 1))).mean())
    return (total + 1) / 32**2 * (size - 1) / (size - 1 / 32)  # distinct words, of distinct bits


def cancelled() -> list[Rate]:
    inputs, clean = blocks(PAIRS)
    settings = {
        "output words": (flips_of_outputs(np.full(PAIRS, 2), seed=11), of_words(clean.flatten(1).long().numpy())),
        "all products and sums": (flips_of_all(PAIRS, seed=12), predicted(k=EDGE, words=Words())),
    }
    found = []
    for setting, (flips, expected) in settings.items():
        for name in ("leave", "RowAbft"):
            account = protect(POLICIES[name], flips, inputs, clean)[1]
            label = "LbAbft" if name == "leave" else name
            found.append(rate("cancelled", label, setting, hits=PAIRS - account.alarms, n=PAIRS, expected=expected))
    return found


# --- what schemes miss ---


def missed(shape: Shape, schemes: Mapping[str, Scheme], *, hits: Sequence[float], products: int) -> list[Rate]:
    """Of products that are wrong without protection: those without an alarm, and those wrong in the end."""
    found = []
    size = "" if shape == PRODUCT else "small "
    for mean in hits:
        faults = Faults(ber=mean / exposed_bits(shape, Words(), first=True), seed=5)
        wrong = wrong_images(shape, faults, products=products)
        for name, scheme in schemes.items():
            for checks in ("exposed", "immune"):
                silent = bad = 0
                for images in wrong.split(BATCH):
                    no_alarm, not_right = escaped(scheme, faults, images, shape=shape, checks=checks)
                    silent, bad = silent + no_alarm, bad + not_right
                setting = f"{size}{mean:g} {checks}"
                found.append(rate("missed", name, setting, hits=silent, n=len(wrong)))
                found.append(rate("wrong", name, setting, hits=bad, n=len(wrong)))
    return found


def escaped(scheme: Scheme, faults: Faults, images: Tensor, *, shape: Shape, checks: CheckExposure) -> tuple[int, int]:
    """How many of the images raise no alarm, and how many are wrong in the end.

    An account adds up images, so they are run one by one unless each has raised its alarm. What is found of an image
    does not depend on its batch.
    """
    machine = Protected(Faulty(Clean(), faults), {SITE.name: scheme}, checks=checks)
    right = right_of(machine, images, shape=shape)
    alarms = machine.accounts[SITE.name].alarms
    if len(images) == 1 or alarms == len(images):
        return len(images) - alarms, int((~right).sum())
    alone = [escaped(scheme, faults, image, shape=shape, checks=checks)[0] for image in images.split(1)]
    return sum(alone), int((~right).sum())


def right_of(machine: Machine, images: Tensor, *, shape: Shape) -> Tensor:
    """Which products [B] of the images are right on a machine, each of words of its own."""
    x = torch.cat([drawn(1, shape.m, shape.k, seed=1000 + image) for image in images.tolist()])
    inputs = (x, drawn(shape.n, shape.k, seed=8), None)
    machine.begin({SITE: read_cost(Linear(), inputs, SITE)}, images)
    return (machine.apply(Linear(), inputs, SITE) == Clean().apply(Linear(), inputs, SITE)).flatten(1).all(1)


def wrong_images(shape: Shape, faults: Faults, *, products: int) -> Tensor:
    """The first images whose product has a wrong word without protection."""
    found = torch.empty(0, dtype=torch.int64)
    for first in range(0, 100 * products, BATCH):
        images = torch.arange(first, first + BATCH)
        found = torch.cat([found, images[~right_of(Faulty(Clean(), faults), images, shape=shape)]])
        if len(found) >= products:
            break
    return found[:products]


# --- what is shown ---


def percent(one: Rate, digits: int = 2) -> str:
    return f"{100 * one.rate:.{digits}f} % ({100 * one.low:.{digits}f} to {100 * one.high:.{digits}f})"


def pick(rates: Sequence[Rate], **wanted: str) -> list[Rate]:
    return [one for one in rates if all(getattr(one, key) == value for key, value in wanted.items())]


def corrected_table(rates: Sequence[Rate]) -> str:
    rows = []
    for mean in LAMBDAS:
        cells = []
        for name in POLICIES:
            (one,) = pick(rates, part="corrected", scheme=name, setting=f"{mean:g}")
            known = "" if one.expected is None else f" [{100 * one.expected:g} %]"
            mul = "" if one.published_multiplications is None else f" [{one.published_multiplications:,.0f}]"
            cells.append(f"{percent(one)}{known}; {one.multiplications:,.0f}{mul}")
        rows.append([f"{mean:g}", *cells])
    return table(["flips a block", *POLICIES], rows)


def missed_table(rates: Sequence[Rate], part: str) -> str:
    settings = [f"{mean:g} {checks}" for mean in HITS for checks in ("exposed", "immune")]
    rows = [
        [name, *(percent(pick(rates, part=part, scheme=name, setting=setting)[0], 1) for setting in settings)]
        for name in SCHEMES
    ]
    return table(["scheme", *settings], rows)


def cancelled_table(rates: Sequence[Rate]) -> str:
    rows = [
        [one.setting, one.scheme, f"{one.n:,}", percent(one), f"{one.expected:.2%}"]
        for one in pick(rates, part="cancelled")
        if one.expected is not None
    ]
    return table(["two flips of", "scheme", "blocks", "not seen", "predicted"], rows)


def draw(rates: Sequence[Rate], path: Path) -> None:
    figure = Figure(figsize=(13, 9), layout="constrained")
    FigureCanvasAgg(figure)
    (left, right), (low_left, low_right) = figure.subplots(2, 2)
    colours = dict(zip(POLICIES, ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7"), strict=True))
    for place, name in enumerate(POLICIES):
        mine = pick(rates, part="corrected", scheme=name)
        x = [float(one.setting) * (1 + 0.03 * (place - 2)) for one in mine]
        style = {"color": colours[name], "linewidth": 1.3}
        left.plot(x, [1 - one.rate for one in mine], marker="osD^v"[place], markersize=5, label=name, **style)
        left.vlines(x, [1 - one.high for one in mine], [1 - one.low for one in mine], **style)
        known = [(float(one.setting), 1 - one.expected) for one in mine if one.expected is not None]
        left.plot(*zip(*known, strict=True) if known else ([], []), linestyle="none", marker="x", markersize=9,
                  color=colours[name])  # fmt: skip
        right.plot(x, [one.multiplications for one in mine], marker="osD^v"[place], markersize=5, label=name, **style)
        published = [
            (float(one.setting), one.published_multiplications) for one in mine if one.published_multiplications
        ]
        right.plot(*zip(*published, strict=True) if published else ([], []), linestyle="none", marker="x",
                   markersize=9, color=colours[name])  # fmt: skip
    left.plot([], [], linestyle="none", marker="x", color="0.35", label="independent simulation")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xticks(LAMBDAS, [f"{mean:g}" for mean in LAMBDAS])
        axes.minorticks_off()
        axes.set_xlabel("mean number of flips in a block (Poisson), blocks without a flip left out")
    left.set_yscale("log")
    left.set_ylabel("share of faulty blocks not put right")
    left.set_title(
        f"Blocks of {EDGE} x {EDGE} with a word that is wrong in the end (n = {BLOCKS:,})", loc="left", fontsize=11
    )
    right.set_ylabel("multiplications of recovery a faulty block")
    right.set_yscale("log")
    right.set_title("What recovery multiplies", loc="left", fontsize=11)
    left.legend(frameon=False, fontsize=9, ncols=2, loc="center right", bbox_to_anchor=(1.0, 0.58))
    pairs = pick(rates, part="cancelled")
    for place, one in enumerate(pairs):
        low_left.plot(one.rate, place, marker="o", color="#0072B2", label="simulated" if not place else None)
        low_left.hlines(place, one.low, one.high, color="#0072B2")
        low_left.plot(one.expected, place, marker="x", markersize=10, color="#D55E00", linestyle="none",
                      label="predicted" if not place else None)  # fmt: skip
    low_left.set_yticks(range(len(pairs)), [f"{one.scheme},\n{one.setting}" for one in pairs])
    low_left.set_xlim(left=0.0)
    low_left.invert_yaxis()
    low_left.set_xlabel("share of blocks with two flips in which they cancel, and no alarm is raised")
    low_left.set_title(f"Two flips that cancel (n = {PAIRS:,} blocks)", loc="left", fontsize=11)
    low_left.legend(frameon=False, fontsize=9, loc="center left")
    for place, mean in enumerate(HITS):
        for side, checks in enumerate(("exposed", "immune")):
            mine = [pick(rates, part="missed", scheme=name, setting=f"{mean:g} {checks}")[0] for name in SCHEMES]
            y = [at + (place - 1) * 0.24 + (side - 0.5) * 0.1 for at in range(len(SCHEMES))]
            colour = ("#009E73", "#0072B2", "#D55E00")[place]
            low_right.plot([one.rate for one in mine], y, linestyle="none", marker="os"[side], markersize=5,
                           color=colour, markerfacecolor=colour if not side else "white",
                           label=f"{mean:g} flips, checks {checks}")  # fmt: skip
            low_right.hlines(y, [one.low for one in mine], [one.high for one in mine], color=colour, linewidth=1)
    low_right.set_yticks(range(len(SCHEMES)), SCHEMES)
    low_right.invert_yaxis()
    low_right.set_xlim(left=-0.0005)
    low_right.set_xlabel("wrong products without an alarm, of all wrong ones")
    low_right.set_title(f"Missed products (n = {WRONG:,} wrong products a point)", loc="left", fontsize=11)
    low_right.legend(frameon=False, fontsize=9, loc="lower right")
    for axes in figure.axes:
        axes.grid(visible=True, color="0.92", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=140)


def write(rates: Sequence[Rate]) -> None:
    records: list[Mapping[str, object]] = [asdict(one) for one in rates]
    record = {"command": "python -m benchmarks.repairs", "rates": records}
    (RESULTS / "repairs.json").write_text(json.dumps(record, indent=1) + "\n")
    with (RESULTS / "repairs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    draw(rates, RESULTS / "repairs.png")


def main() -> None:
    rates = [*corrected(), *cancelled(), *missed(PRODUCT, SCHEMES, hits=HITS, products=WRONG)]
    rates += missed(SMALL, SMALL_SCHEMES, hits=(10.0,), products=SMALL_WRONG)
    write(rates)
    print(corrected_table(rates), cancelled_table(rates), sep="\n\n")
    small = [one for one in pick(rates, part="wrong") if one.setting.startswith("small")]
    print("\nsmall, wrong in the end", *(f"{one.scheme}, {one.setting}: {percent(one, 1)}" for one in small), sep="\n")
    print("\nno alarm", missed_table(rates, "missed"), "\nwrong in the end", missed_table(rates, "wrong"), sep="\n\n")


if __name__ == "__main__":
    main()
