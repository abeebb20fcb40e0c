"""Chooses a plan on selection images (Algorithm 1) and judges it on others.

Some images choose the order and the candidate (`choosing`). The others judge (`judging`): from the most protected step
within the overhead down to the candidate and on, as far as the target is met. Nothing needs protecting if both say so
of the model as it is, and then no factor is measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from radhard.analysis.configurations import ConfigurationOutcome
from radhard.analysis.judging import Judgement, ProtectionStep, downwards, judge
from radhard.analysis.ordering import Candidate
from radhard.campaign.counted import count
from radhard.campaign.experiment import Campaign
from radhard.campaign.selection import chosen_on
from radhard.protection import Plan, Protection
from radhard.protection.planning.grounds import Expected, Goal, Weighting
from radhard.studies.choosing import Bound, Chooser
from radhard.studies.ordering import Ordering


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be protected, how it was judged and chosen, and what ended it. `remark`: what else to know."""

    judgement: Judgement
    protection: Protection
    frontier: tuple[ProtectionStep, ...]
    order: tuple[Candidate, ...]
    bound: Bound
    remark: str = ""

    @property
    def chosen(self) -> ProtectionStep:
        """The plan, as measured on the images that judge."""
        return self.judgement.step


@dataclass(frozen=True, kw_only=True)
class Planner:
    """Plans by what a `chooser` chooses, judged on the images of `judging`, which are others."""

    chooser: Chooser
    judging: Ordering

    def plan(self) -> Decision:
        """Choose, and judge what was chosen."""
        bare = self.chooser.step((), ranges=False)
        first = self._judge([((), False)], looks=2) if self.chooser.reached(bare) else None
        if first is not None and first.verdict == "met":
            nothing = self.chooser.protection((), ranges=False)
            return Decision(judgement=first, protection=nothing, frontier=(bare,), order=(), bound="accuracy")
        choice = self.chooser.choose(bare)
        wanted = [(choice.steps[k], choice.chosen.ranges) for k in downwards(top=choice.top, chosen=choice.place)]
        if first is None:
            judgement = self._judge(tuple(dict.fromkeys([*wanted, ((), False)])), looks=1)
        else:  # the model as it is has had its look
            others = [each for each in wanted if each != ((), False)]
            judgement = self._judge(others, looks=2) if others and choice.chosen is not bare else first
        unmet: Bound = "products" if choice.top == len(choice.steps) - 1 else "overhead"
        step = judgement.step
        return Decision(
            judgement=judgement,
            protection=self.chooser.protection(step.products, ranges=step.ranges),
            frontier=choice.frontier,
            order=choice.order,
            bound="accuracy" if judgement.verdict == "met" else unmet,
            remark=choice.remark,
        )

    def _judge(self, steps: Sequence[tuple[tuple[str, ...], bool]], *, looks: int) -> Judgement:
        def measure(
            products: tuple[str, ...], ranges: bool
        ) -> Callable[[], tuple[ProtectionStep, ConfigurationOutcome]]:
            return lambda: self.chooser.measured(products, ranges=ranges, on=self.judging, stage="judging: ")

        target = self.chooser.target
        sequence = [measure(products, ranges) for products, ranges in steps]
        return judge(sequence, loss=target.loss, level=target.level, looks=looks)


def plan_of(planner: Planner, decision: Decision) -> Plan:
    """What was decided, as a plan that can be written."""
    chooser, judging, judgement = planner.chooser, planner.judging, decision.judgement
    ordering, target = chooser.ordering, chooser.target
    plain = ordering.plain
    campaign = Campaign(settings=(judging.plain,), images=judging.images, trials=judging.trials, chunk=chooser.chunk)
    clean = count(campaign, judging.plain.without_faults(), store=judging.store).tally
    return Plan(
        model=plain.model,
        program=plain.program,
        recipe=plain.recipe,
        ber=plain.ber,
        protection=decision.protection,
        method=chooser.method,
        strategy=chooser.strategy,
        limits=Goal(loss=target.loss, overhead=target.overhead, level=target.level),
        bound=decision.bound,
        verdict=judgement.verdict,
        judged=judgement.recorded,
        seed=plain.seed,
        words=plain.words.as_dict(),
        expected=Expected(
            **vars(decision.chosen.recorded),
            clean=float(clean.correct.sum() / clean.trials.sum()),
            unprotected=judgement.unprotected.point.known_quality,
            weights=Weighting(**vars(chooser.weights)),
            remark=decision.remark,
            refused=dict(chooser.protectable.products.refused),
        ),
        chosen_on=chosen_on(
            ordering.model_under_test.data,
            images=ordering.images,
            trials=ordering.trials,
            calibrated_on=ordering.model_under_test.calibrated_on,
            judged=(judging.model_under_test.data, judging.images),
            pixels=ordering.model_under_test.pixels,
        ),
        order=tuple(candidate.recorded for candidate in decision.order),
        frontier=tuple(step.recorded for step in decision.frontier),
        calibration=ordering.model_under_test.programs[plain.recipe].calibration,
        anatomy=plain.overrides.as_dict(),
    )
