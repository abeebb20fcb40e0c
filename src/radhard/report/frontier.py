"""The data of the frontier figure (accuracy or agreement over overhead of a plan's candidates), and its CSV."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from radhard.analysis.intervals import Interval
from radhard.protection import Plan, Ranges
from radhard.protection.planning.grounds import FrontierStep
from radhard.report.band import Band
from radhard.report.configurations.quality import SHORT, quality, quality_name
from radhard.report.configurations.record import flat


@dataclass(frozen=True, kw_only=True)
class FrontierSteps:
    """How many `products` are protected, in rising order, and overhead (a share of the model's own operations) and
    accuracy, or without labels agreement, at each (`quality`). An upper limit of an overhead not known is infinite.
    """

    products: tuple[int, ...]
    overhead: Band
    quality: Band


@dataclass(frozen=True, kw_only=True)
class Frontier:
    """A plan's steps without and with `ranges`, the (overhead, accuracy) of the `chosen` one, and the limits.

    `target` is the least quality that was wanted, `most` the greatest overhead, `clean` the quality with no fault.
    """

    label: str
    steps: FrontierSteps
    ranges: FrontierSteps
    chosen: tuple[float, float]
    clean: float
    target: float
    most: float


@dataclass(frozen=True, kw_only=True)
class FrontierData:
    """What the figure shows: a line a plan, of `measured`: accuracy, agreement, or both."""

    title: str
    subtitle: str
    lines: tuple[Frontier, ...]
    measured: str = "accuracy"


def frontier_data(plans: Sequence[Plan]) -> FrontierData:
    """Plans of one model or several -> what to draw."""
    first = plans[0]
    models = tuple(dict.fromkeys(plan.model for plan in plans))
    rates = tuple(dict.fromkeys(f"{plan.ber:.3g}" for plan in plans))
    measured = " or ".join(dict.fromkeys(quality_name(labelled=plan.labelled) for plan in plans))
    said = tuple(dict.fromkeys(_on(plan) for plan in plans))
    name = models[0] if len(models) == 1 else f"{len(models)} models"
    return FrontierData(
        title=f"{name}: {measured} over the overhead of protection",
        subtitle=f"recipe {first.recipe}, BER {', '.join(rates)}; {'; '.join(said)}\nbars are 95 % intervals"
        + ("" if all(plan.labelled for plan in plans) else f"; {SHORT}"),
        lines=tuple(_frontier(plan, plans) for plan in plans),
        measured=measured,
    )


def frontier_rows(plans: Sequence[Plan]) -> list[dict[str, object]]:
    """One row a step of a plan: the model, how it was planned, whether it was chosen, and its outcome."""
    return [
        {
            "model": plan.model,
            "recipe": plan.recipe,
            "strategy": plan.strategy,
            "scheme": "" if plan.method is None else plan.method.title,
            "measure": "accuracy" if plan.labelled else "kept",
            "chosen": int(chosen_step(plan) == step),
            **flat(step.as_dict()),
        }
        for plan in plans
        for step in plan.frontier
    ]


def write_frontier(plans: Sequence[Plan], path: Path) -> None:
    """Write the rows of all plans; what is not known is empty."""
    rows = frontier_rows(plans)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)


def chosen_step(plan: Plan) -> FrontierStep | None:
    """The step of the frontier that the plan is; what it is expected to give if the frontier lacks it."""
    schemes = plan.protection.schemes.values()
    ranges = any(isinstance(scheme, Ranges) for scheme in schemes)
    products = sum(not isinstance(scheme, Ranges) for scheme in schemes)
    same = (step for step in plan.frontier if (step.products, step.ranges) == (products, ranges))
    return next(same, plan.expected)


def _frontier(plan: Plan, plans: Sequence[Plan]) -> Frontier:
    clean = math.nan if plan.expected is None else plan.expected.clean
    chosen, goal = chosen_step(plan), plan.limits
    known = plan.labelled
    shown = sorted(
        (s for s in plan.frontier if math.isfinite(_quality(s, labelled=known).rate)), key=lambda step: step.products
    )
    return Frontier(
        label=_label(plan, plans),
        steps=_steps([step for step in shown if not step.ranges], labelled=known),
        ranges=_steps([step for step in shown if step.ranges], labelled=known),
        chosen=(_share(chosen, "share"), math.nan if chosen is None else _quality(chosen, labelled=known).rate),
        clean=clean,
        target=clean - _number(goal.loss),
        most=_number(goal.overhead),
    )


def _label(plan: Plan, plans: Sequence[Plan]) -> str:
    """The scheme and the strategy, and what else tells plans apart."""
    scheme = "by hand" if plan.method is None else plan.method.title
    parts = {"model": plan.model, "scheme": scheme, "strategy": plan.strategy, "rate": f"BER {plan.ber:.3g}"}
    if len({other.model for other in plans}) == 1:
        del parts["model"]
    if len({other.ber for other in plans}) == 1:
        del parts["rate"]
    return ", ".join(filter(None, parts.values()))


def _on(plan: Plan) -> str:
    """The images that chose a plan."""
    on = plan.chosen_on
    return "by hand" if on.images is None or on.data is None else f"chosen on {on.images:,} images of {on.data}"


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _share(step: FrontierStep | None, end: Literal["share", "low", "high"]) -> float:
    """The overhead of a step; 0 of one that protects nothing, infinite where it is not bounded."""
    if step is None or step.overhead is None:
        return 0.0
    spent = step.overhead
    value = {"share": spent.share, "low": spent.low, "high": spent.high}[end]
    return math.inf if value is None else value


def _quality(step: FrontierStep, *, labelled: bool) -> Interval:
    return quality(step.as_dict(), labelled=labelled)


def _steps(steps: Sequence[FrontierStep], *, labelled: bool) -> FrontierSteps:
    shares = [_quality(step, labelled=labelled) for step in steps]
    return FrontierSteps(
        products=tuple(step.products for step in steps),
        overhead=Band(
            rate=tuple(_share(step, "share") for step in steps),
            low=tuple(_share(step, "low") for step in steps),
            high=tuple(_share(step, "high") for step in steps),
        ),
        quality=Band(
            rate=tuple(share.rate for share in shares),
            low=tuple(share.low for share in shares),
            high=tuple(share.high for share in shares),
        ),
    )
