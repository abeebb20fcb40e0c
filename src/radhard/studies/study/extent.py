"""How much of a study fits into a time: images and trials, and what each step is expected to take."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from radhard.errors import InputError
from radhard.studies.study.pace import Pace
from radhard.studies.study.study_step import StepCost, StudyStep

LEAST = 10
"""Images of which a step says anything."""

MOST_IMAGES, MOST_TRIALS = 1000, 5
"""Beyond these more time is not used."""

LUXURY = 0.25
"""A step that takes so few images and yet more than this share of the budget is left out, unless it is named."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """What is measured: so many images in so many trials; steps that are `left_out`, and why.

    `seconds`: what each other step is expected to take.
    """

    images: int
    trials: int
    seconds: Mapping[str, float]
    left_out: Mapping[str, str]

    @property
    def total(self) -> float:
        """Seconds of all steps together."""
        return sum(self.seconds.values())


def fit(
    steps: Sequence[StudyStep],
    pace: Pace,
    *,
    budget: float | None,
    stated: bool,
    available: int,
    named: Sequence[str] = (),
    images: int | None = None,
    trials: int | None = None,
    workers: int = 1,
    spent: float = 0.0,
) -> Extent:
    """The images, and then the trials, that fit into `budget` seconds; as many as there are if that is None.

    `spent`: seconds that preparing took, which the user's budget has beside these. `available`: images that can
    evaluate, while as many others choose and as many judge. `named`: steps that are asked for and not left out.
    `images`, `trials`: what is fixed. A budget that is not `stated` is passed rather than refused. InputError for one
    in which not even the fewest images fit, with what would.
    """
    costs = {step.name: _spread(step.cost(pace), workers=workers) for step in steps}
    least = min(LEAST, available)
    left_out: dict[str, str] = {}
    for step in steps:
        seconds = _seconds(step, costs[step.name], images=least, trials=1)
        if budget is not None and step.share < 1 and step.name not in named and seconds > LUXURY * budget:
            left_out[step.name] = (
                f"{least} images would take {clock(seconds)} of a budget of {clock(budget)}: ask for it by --only "
                f"{step.name}, or give a larger --budget"
            )
    kept = [step for step in steps if step.name not in left_out]

    def total(count: int, times: int) -> float:
        return sum(_seconds(step, costs[step.name], images=count, trials=times) for step in kept)

    most = min(available, MOST_IMAGES)
    count, times = images or most, trials or 1
    if budget is not None:
        if images is None:
            count = _most(lambda n: total(n, times) <= budget, least=least, most=most)
        if trials is None:
            times = _most(lambda t: total(count, t) <= budget, least=1, most=MOST_TRIALS)
        if stated and total(count, times) > budget:
            needed = total(count, times)
            prepared = f" beside {clock(spent)} to capture, calibrate and time the model" if spent >= 1 else ""
            raise InputError(
                f"--budget {clock(spent + budget)}: {count} images in {times} trial{'s' * (times > 1)} take about "
                f"{clock(needed)}{prepared}: give --budget {math.ceil((spent + 1.2 * needed) / 60)}m, or leave steps "
                f"out, such as --skip {max(kept, key=lambda step: costs[step.name].image).name}"
            )
    elif trials is None:
        times = 1
    each = {step.name: _seconds(step, costs[step.name], images=count, trials=times) for step in kept}
    return Extent(images=count, trials=times, seconds=each, left_out=left_out)


def clock(seconds: float) -> str:
    """`1:02:30`, hours, minutes and seconds; minutes and seconds below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _spread(cost: StepCost, *, workers: int) -> StepCost:
    return StepCost(fixed=cost.fixed, image=cost.image / max(1, workers))


def _seconds(step: StudyStep, cost: StepCost, *, images: int, trials: int) -> float:
    return cost.fixed + cost.image * step.images(images, least=LEAST) * trials


def _most(fits: Callable[[int], bool], *, least: int, most: int) -> int:
    """The largest number from `least` to `most` that fits; `least` if none does."""
    low, high = least, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
