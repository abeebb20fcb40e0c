"""The paper's Fig. 13: execution time of standard ABFT and LB-ABFT, split into product, detection and recovery.

On the matrix products of a block of ViT-B with 197 tokens, a product an image as the schemes have it. Flips of products
and running sums, drawn by the generator of every campaign, are put into what the product leaves; none hits the checks.
Both schemes repair one word of a block and leave several, as the paper's do; LB-ABFT in the cubes that cost least by
the exact model at that rate. Its running sums, which the product must leave at the end of each slab of the reduction,
are part of its detection: the product itself is the one of standard ABFT.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.blows import KINDS_OF_PRODUCTS, TINY, Blows, Kind, Operands, blows, drawn, operands
from benchmarks.gpu.clock import laps
from radhard.kernels.cuda.abft import Factors, Flagged, Found, detect, locate, sums_of
from radhard.kernels.cuda.repair import OUTCOMES, recover
from radhard.kernels.cuda.slabs import running_sums
from radhard.protection import Block
from radhard.protection.planning.method import best_block, read_method
from radhard.report.caption import Caption
from radhard.report.style import write_figure
from radhard.words import Words

BATCHES, RATES = (8, 64, 1), (1e-8, 1e-7, 1e-9, 1e-10)
TINY_BATCHES, TINY_RATES = (2,), (1e-4, 1e-5)
SCHEMES = ("standard-abft", "lb-abft")
PARTS = ("product", "detection", "recovery")
ROUNDS = 9
Record = dict[str, Any]


def measure(device: torch.device, *, tiny: bool) -> Iterator[Record]:
    """A record for each product, batch, rate and scheme: medians of seconds, and what was found and repaired."""
    kinds, batches, rates = (TINY, TINY_BATCHES, TINY_RATES) if tiny else (KINDS_OF_PRODUCTS, BATCHES, RATES)
    for batch in batches:
        inputs = {kind.name: operands(kind, batch=batch, device=device) for kind in kinds}
        for ber in rates:
            for kind in kinds:
                product = None
                for scheme in SCHEMES:
                    case = Case(kind, inputs[kind.name], scheme=scheme, ber=ber, batch=batch, most=max(batches))
                    record = case.measured(rounds=1 if tiny else ROUNDS)
                    product = record["steps"]["product"] if product is None else product
                    yield {**record, "seconds": shares(record["steps"], product)}


def shares(steps: Mapping[str, float], product: float) -> dict[str, float]:
    """Seconds of the parts; `product` are those of the plain product: what it takes longer in slabs is detection."""
    slabs = max(0.0, steps["product"] - product)
    detection = slabs + steps["detection"] + steps["location"]
    return dict(zip(PARTS, (product, detection, steps["recovery"]), strict=True))


@cache
def block_of(kind: Kind, *, scheme: str, ber: float) -> Block:
    """The whole product, or the planner's block."""
    shape = kind.shape
    if scheme == "standard-abft":
        return Block(m=shape.m, k=shape.k, n=shape.n)
    return best_block(read_method("lb-abft"), shape, ber=ber, words=Words())


class State:
    """What the steps of a round leave to the next one."""

    sums: Tensor
    found: Found
    flagged: Flagged
    outcomes: Tensor
    words: Tensor


class Case:
    """One scheme on one kind of product, with its flips."""

    def __init__(self, kind: Kind, x: Operands, *, scheme: str, ber: float, batch: int, most: int) -> None:
        block = block_of(kind, scheme=scheme, ber=ber)
        flips = drawn(kind, images=most, ber=ber).first(batch * kind.count)
        sizes = (block.m, block.k, block.n)
        right = sums_of(x.b, x.bias, step=block.n) if kind.shape.stored else None
        self.factors = Factors(a=x.a, b=x.b, bias=x.bias, block=sizes, right=right)
        self.blows: Blows = blows(flips, x, step=block.k)
        self.flips = len(flips.g)
        self.whole = scheme == "standard-abft"
        self.about: Record = {
            "product": kind.name,
            "batch": batch,
            "ber": ber,
            "scheme": scheme,
            "block": str(block),
            "flips": self.flips,
        }
        self.state: State = State()

    def measured(self, *, rounds: int) -> Record:
        """Times of the steps; what they found, and how many words were wrong before and after."""
        steps = {
            "product": self._product,
            "blows": self._strike,
            "detection": self._detect,
            "location": self._locate,
            "recovery": self._recover,
        }
        times = laps(steps, device=self.factors.a.device, rounds=rounds)
        now = self.state
        repaired, alarms, flagged = now.sums[-1], int(now.found.alarms.count), int(now.flagged.count)
        outcomes, put = dict(zip(OUTCOMES, now.outcomes.tolist(), strict=True)), int(now.words)
        clean = running_sums(self.factors.a, self.factors.b, self.factors.bias, step=self.factors.a.shape[2])[-1]
        after = int((repaired != clean).sum())
        del times["blows"]
        return {
            **self.about,
            "products": len(self.factors.a),
            "alarms": alarms,
            "flagged": flagged,
            "outcomes": outcomes,
            "put_right": put,
            "wrong_words_after": after,
            "steps": {name: float(median(each.tolist())) for name, each in times.items()},
        }

    def _product(self) -> None:
        x = self.factors
        self.state.sums = running_sums(x.a, x.b, x.bias, step=x.block[1])

    def _strike(self) -> None:
        self.blows.strike(self.state.sums)

    def _detect(self) -> None:
        self.state.found = detect(self.factors, self.state.sums)

    def _locate(self) -> None:
        found = self.state.found
        self.state.flagged = found.alarms if self.whole else locate(self.factors, found)

    def _recover(self) -> None:
        now, words = self.state, max(len(self.factors.a), 2 * self.flips)
        now.outcomes, now.words = recover(self.factors, now.found, now.flagged, several="leave", words=words)


Key = tuple[int, float, str]


def latest(records: Sequence[Record]) -> dict[Key, dict[str, Record]]:
    """(batch, rate, scheme) -> the record of each product: of several runs that of the last."""
    found: dict[Key, dict[str, Record]] = {}
    for record in records:
        if "scheme" in record:
            found.setdefault((record["batch"], record["ber"], record["scheme"]), {})[record["product"]] = record
    return dict(sorted(found.items()))


def summed(records: Sequence[Record]) -> list[str]:
    """The products that times are sums of: those that both schemes have at every batch and rate with most of them."""
    names = list(dict.fromkeys(record["product"] for record in records if "scheme" in record))
    points: dict[tuple[int, float], set[str]] = {}
    for (batch, ber, _), products in latest(records).items():
        points[batch, ber] = points.get((batch, ber), set(names)) & set(products)
    most = [products for products in points.values() if 2 * len(products) > len(names)]
    return [name for name in names if most and all(name in products for products in most)]


def totals(records: Sequence[Record]) -> dict[Key, dict[str, float]]:
    """(batch, rate, scheme) -> seconds of each part in all products of `summed`; only where all were measured."""
    names = summed(records)
    return {
        key: {part: sum(products[name]["seconds"][part] for name in names) for part in PARTS}
        for key, products in latest(records).items()
        if names and set(names) <= set(products)
    }


def apart(records: Sequence[Record]) -> float | None:
    """How far times of one point and product are apart that two runs measured, at most; None if no two did."""
    seen: dict[tuple[int, float, str, str], list[Record]] = {}
    for record in records:
        if "scheme" in record:
            key = (record["batch"], record["ber"], record["scheme"], record["product"])
            seen.setdefault(key, []).append(record)
    pairs = [
        (two[0]["seconds"][part], two[-1]["seconds"][part]) for two in seen.values() for part in PARTS if len(two) > 1
    ]
    return max((abs(one / other - 1) for one, other in pairs), default=None)


def verdicts(records: Sequence[Record]) -> dict[str, str]:
    """Claims 10 and 11 of the paper, judged by these times: a claim holds if it does at every batch and rate."""
    spent = totals(records)
    points = sorted({key[:2] for key in spent if all((*key[:2], scheme) in spent for scheme in SCHEMES)})
    if not points:
        return {}

    def overhead(point: tuple[int, float], scheme: str) -> float:
        parts = spent[(*point, scheme)]
        return (parts["detection"] + parts["recovery"]) / parts["product"]

    def share(point: tuple[int, float], scheme: str, part: str) -> float:
        parts = spent[(*point, scheme)]
        return parts[part] / (parts["detection"] + parts["recovery"])

    rules = {
        "10 against TMR": ("LB-ABFT takes at most half of two more products", lambda p: overhead(p, "lb-abft") <= 1.0),
        "10 against standard ABFT": (
            "LB-ABFT takes less than standard ABFT",
            lambda p: overhead(p, "lb-abft") < overhead(p, "standard-abft"),
        ),
        "11, standard ABFT": (
            "recovery takes more of it than detection",
            lambda p: share(p, "standard-abft", "recovery") > 0.5,
        ),
        "11, LB-ABFT": ("detection takes more of it than recovery", lambda p: share(p, "lb-abft", "detection") > 0.5),
    }
    told = {}
    for claim, (rule, holds) in rules.items():
        true = [point for point in points if holds(point)]
        verdict = "reproduced" if len(true) == len(points) else "not reproduced" if not true else "in part"
        told[claim] = f"{verdict}: {rule} at {len(true)} of {len(points)} batches and rates"
    return told


def lines(records: Sequence[Record]) -> list[str]:
    """A table in Markdown: milliseconds of the products, the words that are still wrong, and which runs they are of."""
    names, known, told = summed(records), latest(records), []
    for key, parts in totals(records).items():
        mine = [known[key][name] for name in names]
        times = " | ".join(f"{1e3 * parts[part]:.3g}" for part in PARTS)
        told.append(
            f"| {key[0]} | {key[1]:g} | {key[2]} | {times} | {sum(r['flips'] for r in mine):,} "
            f"| {sum(r['wrong_words_after'] for r in mine):,} |"
        )
    heads = [
        "| batch | bit error rate | scheme | product, ms | detection, ms | recovery, ms | flips | words left wrong |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines = [f"Sums over the products {', '.join(names)} of one block, accumulators left as int32.", "", *heads, *told]
    if dates := sorted({record["of"] for record in records if "of" in record}):
        lines += [
            "",
            f"Points that the run was too short for are of an earlier one ({', '.join(dates)}), on a device of the ",
        ]
        lines[-1] += "same kind, with tests of the kernels beside it."
        if (most := apart(records)) is not None:
            lines[-1] += f" Where both have a point, no time differs by more than {100 * most:.0f} %."
    return [*lines, "", *(f"* Claim {claim}: {verdict}." for claim, verdict in verdicts(records).items())]


def draw(records: Sequence[Record], path: Path) -> None:
    """Stacked bars: a panel a batch, a pair of bars a rate; on top the milliseconds."""
    from matplotlib.figure import Figure

    spent = totals(records)
    batches = sorted({batch for batch, _, _ in spent})
    if not batches:
        return
    figure = Figure(figsize=(3.6 * len(batches) + 1, 4.2), layout="constrained")
    colours = {"product": "#bdbdbd", "detection": "#3b75af", "recovery": "#d1605e"}
    for axes, batch in zip(figure.subplots(1, len(batches), sharey=True, squeeze=False)[0], batches, strict=True):
        rates = sorted({ber for own, ber, _ in spent if own == batch})
        for place, ber in enumerate(rates):
            for side, scheme in enumerate(SCHEMES):
                parts = spent.get((batch, ber, scheme))
                if parts is None:
                    continue
                whole, base, x = sum(parts.values()), 0.0, place + 0.4 * side - 0.2
                for part in PARTS:
                    height = 100 * parts[part] / whole
                    axes.bar(x, height, 0.36, bottom=base, color=colours[part], hatch="//" if side else "")
                    base += height
                axes.text(x, 101, f"{1e3 * whole:.2g}", ha="center", va="bottom", fontsize=7)
        axes.set_xticks(range(len(rates)), [f"{ber:g}" for ber in rates])
        axes.set_title(f"batch {batch}", fontsize=10)
        axes.set_xlabel("bit error rate")
        axes.set_ylim(0, 108)
    figure.axes[0].set_ylabel("share of execution time, %")
    handles = [figure.axes[0].bar(0, 0, color=colours[part], label=part) for part in PARTS]
    handles += [
        figure.axes[0].bar(0, 0, color="white", edgecolor="black", hatch=hatch, label=name)
        for name, hatch in (("left: standard ABFT", ""), ("right: LB-ABFT", "//"))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    figure.suptitle("Matrix products of a block of ViT-B, int8; above each bar its milliseconds", fontsize=10)
    shown = ("share of the execution time of products, their detection and recovery, by batch and bit error rate",)
    write_figure(figure, path, caption=Caption(title="Execution time of protected products (Fig. 13)", sentences=shown))
