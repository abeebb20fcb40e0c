"""How much work AVFs take by layer, and how many full runs simple random sampling would take for the same intervals.

python -m benchmarks.avf [MODEL ...] [--images 1000] [--widths 2,0.4] [--trials 20] [--workers N]

Three designs of full runs are compared, each as wide as what was measured: one flip anywhere in the model for the AVF
of the whole; flips in each layer apart; and flips anywhere in the model until the layer with the fewest of them has its
interval. Their numbers follow from Wilson's interval; work is counted in operations, a forward pass of an image is 1.
"""

import argparse
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

import radhard as rh
from radhard.analysis.intervals import Interval, wilson
from radhard.version import VERSION

TARGET = 30
"""So many times fewer operations than full runs are wanted."""

DESIGNS = ("the whole", "each layer", "layers from the whole")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of AVFs by layer: what they took, and what full runs would take: of the whole, each layer, from the whole."""

    model: str
    asked: float
    layers: int
    flips: int
    passes: float
    widest: float
    whole: Interval
    sampled: tuple[int, int, int]
    processor: float
    clock: float


def as_narrow(wanted: Interval) -> int:
    """How many independent answers have an interval as narrow as this, at its rate."""
    low, high = 1, 1 << 40
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if wilson(wanted.rate, n=middle).width <= wanted.width else (middle + 1, high)
    return low


def cost_of(model: str, *, run: rh.RunOptions) -> Cost:
    """Measure the AVFs of a model by layer."""
    times, began = os.times(), time.perf_counter()
    found = rh.avf(model, by="layer", run=run).avf
    after, ended = os.times(), time.perf_counter()
    used = sum(after[:4]) - sum(times[:4])
    each = [(as_narrow(one.sdc), one.bits_share) for one in found.components]
    sampled = as_narrow(found.sdc), sum(n for n, _ in each), max(round(n / share) for n, share in each)
    return Cost(
        model=model,
        asked=run.until_width or 0.0,
        layers=len(each),
        flips=found.n,
        passes=found.passes,
        widest=max(one.sdc.width for one in found.components),
        whole=found.sdc,
        sampled=sampled,
        processor=used,
        clock=ended - began,
    )


def row(cost: Cost) -> str:
    """A line of the table."""
    half = 50 * (cost.whole.high - cost.whole.low)
    cells = [
        f"`{cost.model}`",
        f"{cost.asked / 2:g}",
        f"{cost.layers}",
        f"{100 * cost.whole.rate:.3f} +- {half:.3f}",
        f"{50 * cost.widest:.2f}",
        f"{cost.flips:,}",
        f"{cost.passes:,.0f}",
        *(f"{n:,} ({n / cost.passes:.1f})" for n in cost.sampled),
        f"{cost.processor:.0f}",
        f"{cost.clock:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def page(costs: Sequence[Cost], *, run: rh.RunOptions) -> str:
    """The page, whose verdicts are computed."""
    heads = (
        "model", "asked, +- points", "layers", "AVF, %", "widest layer, +- points", "flips", "passes",
        *(f"full runs: {design}" for design in DESIGNS), "processor, s", "clock, s",
    )  # fmt: skip
    met = [
        f"`{cost.model}` at {cost.asked / 2:g} {'is' if 100 * cost.widest <= cost.asked + 1e-9 else 'is not'}"
        for cost in costs
    ]
    verdicts = [
        f"{design} {'yes' if min(cost.sampled[k] / cost.passes for cost in costs) >= TARGET else 'no'}"
        for k, design in enumerate(DESIGNS)
    ]
    lines = [
        "# The work of AVFs",
        "",
        f"AVFs by layer on {run.images:,} images, until each layer's interval of 95 % is as narrow as asked for,",
        f"at most {run.trials} flips of an image in a layer. Passes are forward passes of an image, counted in",
        "operations, with those that count masked bits. Full runs: as many as simple random sampling takes for",
        "intervals as wide; in brackets, how many times the passes that is.",
        "",
        f"| {' | '.join(heads)} |",
        "|" + "---|" * len(heads),
        *map(row, costs),
        "",
        f"As narrow as asked for in every layer: {', '.join(met)}.",
        f"At least {TARGET} times fewer operations than full runs, in all rows: {', '.join(verdicts)}.",
        "",
        f"radhard {VERSION}, torch {torch.__version__}, Python {platform.python_version()}, {run.workers or 1}",
        f"process(es) on a machine of {os.cpu_count()} processors with other work on it; loading and calibration are",
        "included; by `python -m benchmarks.avf`.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", default=["fashion-vit"])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--widths", default="2,0.4", help="of intervals, in percentage points")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "AVF.md")
    asked = parser.parse_args()
    run = rh.RunOptions(images=asked.images, trials=asked.trials, chunk=asked.images, workers=asked.workers)
    costs = []
    for model in asked.models:
        for width in map(float, asked.widths.split(",")):
            costs.append(cost_of(model, run=replace(run, until_width=width)))
            print(row(costs[-1]), flush=True)
    asked.out.write_text(page(costs, run=run), encoding="utf-8")


if __name__ == "__main__":
    main()
