"""The verdict on a plan: whether it meets its target on images that did not choose it.

The images that choose a plan flatter it: of all that was tried it looked best on them. So others judge it, once they
are the only ones that have not been seen, and by the limit of an interval: a target is met if the one-sided upper limit
of the loss is within it (`noninferiority`), and not met if the lower one is beyond it.

One plan is judged, or several in an order that was fixed on the images that chose: from the most protected one towards
less, until one is not surely within the target. The last that was is the plan. In a fixed sequence each test has the
full level, and still the chance that any plan is called met which is not is at most one minus the level (Maurer,
Hothorn and Lehmacher, 1995; as split fixed-sequence testing in Angelopoulos et al., *Learn then Test*, 2021). A second
sequence (`looks` = 2) halves that chance for each (Bonferroni).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from radhard.analysis.configurations import ConfigurationOutcome
from radhard.analysis.intervals import Rates
from radhard.analysis.noninferiority import LEVEL, Differences, images_to_tell, lower_limit, upper_limit
from radhard.protection import Plan
from radhard.protection.planning.grounds import Discordant, Estimate, FrontierStep, Judged, JudgedStep

TargetVerdict = Literal["met", "not met", "cannot tell"]
VERDICTS: tuple[TargetVerdict, ...] = get_args(TargetVerdict)


@dataclass(frozen=True, kw_only=True)
class ProtectionStep:
    """The sites of products that are protected, whether non-linear sites are, and what that gave."""

    products: tuple[str, ...]
    ranges: bool
    outcome: ConfigurationOutcome

    @property
    def overhead(self) -> float:
        """Operations of protection over the model's own."""
        return 0.0 if self.outcome.spent is None else self.outcome.spent.share

    @property
    def recorded(self) -> FrontierStep:
        """The step as the file of a plan has it, which calls a configuration `condition`."""
        found = self.outcome.as_dict()
        del found["flips_an_inference"]  # a plan is for a rate
        named = {"condition": found.pop("configuration"), **found}
        own = {**named, "products": len(self.products), "ranges": self.ranges}
        return FrontierStep.from_dict(own, place="step")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The one-sided limits `low` and `high` of a loss, each of confidence `level`."""

    low: float
    high: float
    level: float


def limit(of: Differences, *, level: float) -> Limit:
    """Both limits of a loss."""
    return Limit(low=lower_limit(of, level=level), high=upper_limit(of, level=level), level=level)


def verdict(found: Limit, *, loss: float) -> TargetVerdict:
    """Whether at most `loss` is lost."""
    return "met" if found.high <= loss else "not met" if found.low > loss else "cannot tell"


class CheckRecord(TypedDict):
    """Whether a plan meets its target on the images that evaluate it."""

    ber: float
    target: float
    verdict: TargetVerdict
    loss: Rates
    level: float
    images: int
    images_needed: int | None


@dataclass(frozen=True, kw_only=True)
class TargetCheck:
    """Whether a plan for `ber` meets its target, a loss of at most `target`, on `images` that did not choose it.

    `loss` is what was lost on them, `limit` has the one-sided limits; `needed`: how many images would decide, if all
    goes on as on these; infinite where more than the target is lost.
    """

    ber: float
    target: float
    loss: float
    limit: Limit
    images: int
    needed: float
    labelled: bool = True
    """Whether the loss is one of accuracy; without labels it is one of agreement, which is never the smaller one."""

    @property
    def verdict(self) -> TargetVerdict:
        """By the limits."""
        return verdict(self.limit, loss=self.target)

    def as_dict(self) -> CheckRecord:
        """Ready for JSON; `images_needed` is null where no number would do."""
        return {
            "ber": self.ber,
            "target": self.target,
            "verdict": self.verdict,
            "loss": {"rate": self.loss, "low": self.limit.low, "high": self.limit.high},
            "level": self.limit.level,
            "images": self.images,
            "images_needed": int(self.needed) if math.isfinite(self.needed) else None,
        }


def check_target(plan: Plan, outcomes: Sequence[ConfigurationOutcome], *, images: int) -> TargetCheck | None:
    """The target of a plan, on the outcome of all that the plan protects at its rate.

    None for a plan that states no target, and where the outcome is missing or of no answers.
    """
    target, level = plan.limits.loss, plan.limits.level or LEVEL
    whole = plan.protection if plan.protection.sites else None
    found = (
        outcome
        for outcome in outcomes
        if (setting := outcome.configuration.setting).ber == plan.ber
        and setting.recipe == plan.recipe
        and setting.protection == whole
        and outcome.differing.n
    )
    outcome = next(found, None)
    if target is None or outcome is None:
        return None
    return TargetCheck(
        ber=plan.ber,
        target=target,
        loss=outcome.loss.rate,
        limit=limit(outcome.differing, level=level),
        images=images,
        needed=images_to_tell(outcome.differing, margin=target, level=level),
        labelled=outcome.configuration.setting.labelled,
    )


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the images that chose nothing say: the `step` that is the plan, and each that was tested, in their order.

    `limits`: of the loss of each of them. `unprotected`: what the same images give with nothing protected. `verdict` is
    on a target of at most `loss`; `level`: of all that is called met together; `looks`: sequences that were tested.
    """

    tested: tuple[ProtectionStep, ...]
    limits: tuple[Limit, ...]
    unprotected: ConfigurationOutcome
    loss: float
    level: float
    looks: int

    @property
    def place(self) -> int:
        """Of the plan among what was tested: the last that is met, or the first if none is."""
        return max((k for k, found in enumerate(self.limits) if found.high <= self.loss), default=0)

    @property
    def step(self) -> ProtectionStep:
        """The plan."""
        return self.tested[self.place]

    @property
    def limit(self) -> Limit:
        """Those of the plan's loss."""
        return self.limits[self.place]

    @property
    def verdict(self) -> TargetVerdict:
        """Of the plan."""
        return verdict(self.limit, loss=self.loss)

    @property
    def needed(self) -> float:
        """How many images would decide, if all goes on as on these; infinite where more than the target is lost."""
        return images_to_tell(self.step.outcome.differing, margin=self.loss, level=self.limit.level)

    @property
    def recorded(self) -> Judged:
        """The judgement as the file of a plan has it."""
        outcome = self.step.outcome
        point, differing = outcome.point, outcome.differing
        return Judged(
            data=outcome.configuration.setting.data,
            images=differing.n if not point.trials else point.n // point.trials,
            trials=point.trials,
            level=self.level,
            looks=self.looks,
            loss=_estimate(outcome, self.limit),
            limit_level=self.limit.level,
            differing=Discordant(**vars(differing)),
            images_needed=int(self.needed) if math.isfinite(self.needed) else None,
            tested=tuple(
                JudgedStep(
                    products=len(step.products),
                    ranges=step.ranges,
                    loss=_estimate(step.outcome, found),
                    overhead=step.overhead,
                )
                for step, found in zip(self.tested, self.limits, strict=True)
            ),
        )


def _estimate(outcome: ConfigurationOutcome, found: Limit) -> Estimate:
    """The loss of an outcome with its one-sided limits."""
    return Estimate(rate=outcome.loss.rate, low=found.low, high=found.high)


def judge(
    sequence: Sequence[Callable[[], tuple[ProtectionStep, ConfigurationOutcome]]],
    *,
    loss: float,
    level: float,
    looks: int = 1,
) -> Judgement:
    """Test steps in their order until one is not surely within `loss`. Each measures itself and no protection."""
    each = 1 - (1 - level) / looks
    tested, limits, bare = [], [], None
    for measure in sequence:
        step, bare = measure()
        tested.append(step)
        limits.append(limit(step.outcome.differing, level=each))
        if limits[-1].high > loss:
            break
    assert bare is not None, "a sequence has a step"
    return Judgement(tested=tuple(tested), limits=tuple(limits), unprotected=bare, loss=loss, level=level, looks=looks)


def downwards(*, top: int, chosen: int) -> tuple[int, ...]:
    """Numbers of steps from the most protected one: halving the way to the one that was chosen, then one by one."""
    found = [top]
    while (way := (found[-1] - chosen) // 2) > 0:
        found.append(chosen + way)
    return tuple(dict.fromkeys([*found, chosen, *range(chosen - 1, -1, -1)]))
