"""Algorithm 1 of Xue et al.: protect product after product until the accuracy is reached or the overhead is.

As printed it takes the next product in the order until one of the two limits is passed, and the ranges of non-linear
operators are added at the end. Two things are done otherwise. Accuracy and overhead are measured, both with their
intervals, with the scheme executed under faults that hit its checks too. And a plan never passes the overhead limit: if
the target is not reached within it, the plan is the most accurate one that is within it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from radhard.analysis.conditions import Condition, Conditions, Outcome, Trials
from radhard.analysis.ordering import Candidate, Grain, Ordering, Strategy, ordered
from radhard.analysis.overhead import Weights
from radhard.analysis.vulnerability import gained
from radhard.campaign.bench import protected
from radhard.campaign.counted import count
from radhard.campaign.experiment import Campaign
from radhard.campaign.held_out import chosen_on
from radhard.errors import InputError
from radhard.protection import Hardening, Method, Plan, Protection

Bound = Literal["accuracy", "overhead", "products"]
"""What ended a plan: the target was reached, the overhead limit was in the way, or nothing is left to protect."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """At most so much accuracy is lost (a share of all answers) at an overhead of at most so much (a share)."""

    loss: float = 0.02
    overhead: float = 0.02

    def __post_init__(self) -> None:
        if not (0 <= self.loss < 1 and self.overhead >= 0):
            raise InputError(f"limits of loss {self.loss:g} and overhead {self.overhead:g}: shares from 0 on")


@dataclass(frozen=True, kw_only=True)
class Step:
    """The sites of products that are protected, whether non-linear sites are, and what that gave."""

    products: tuple[str, ...]
    ranges: bool
    outcome: Outcome

    @property
    def overhead(self) -> float:
        """Operations of protection over the model's own."""
        return 0.0 if self.outcome.spent is None else self.outcome.spent.share

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**self.outcome.as_dict(), "products": len(self.products), "ranges": self.ranges}


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The step that was chosen, all that were measured, and why it was this one. `remark`: what else to know."""

    chosen: Step
    protection: Protection
    frontier: tuple[Step, ...]
    order: tuple[Candidate, ...]
    bound: Bound
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Planner:
    """Plans for one program by one method, on the images of `ordering`, `chunk` a unit.

    `grain`: a step protects one more product, or all those of one more layer. `frontier`: measure steps until a limit
    is passed, as Algorithm 1 does, or the whole of it.
    """

    ordering: Ordering
    hardening: Hardening
    method: Method
    limits: Limits
    weights: Weights
    strategy: Strategy = "algorithm1"
    grain: Grain = "site"
    frontier: Literal["whole", "needed"] = "whole"
    chunk: int = 100

    def plan(self) -> Planned:
        """Order the products, measure the steps, choose one, add the ranges."""
        plain = self.ordering.plain
        linear = self.hardening.linear(self.method, ber=plain.ber)
        order: tuple[Candidate, ...] = ()
        if linear:
            candidates = self.ordering.candidates(linear, weights=self.weights, grain=self.grain)
            order = ordered(candidates, self.strategy)
        steps = [self._step((), ranges=False)]
        for products in _prefixes(order, self.grain):
            if self.frontier == "needed" and self._passed(steps[-1]):
                break
            steps.append(self._step(products, ranges=False))
        chosen, bound = self._choose(steps)
        chosen, bound, remark = self._with_ranges(chosen, bound, steps)
        return Planned(
            chosen=chosen,
            protection=self._protection(chosen.products, ranges=chosen.ranges),
            frontier=tuple(steps),
            order=order,
            bound=bound,
            remark=remark,
        )

    def _passed(self, step: Step) -> bool:
        return step.outcome.loss.rate <= self.limits.loss or step.overhead > self.limits.overhead

    def _choose(self, steps: Sequence[Step]) -> tuple[Step, Bound]:
        within = [step for step in steps if step.overhead <= self.limits.overhead]
        enough = next((step for step in within if step.outcome.loss.rate <= self.limits.loss), None)
        if enough is not None:
            return enough, "accuracy"
        best = max(within, key=lambda step: (step.outcome.point.accuracy, -step.overhead))
        return best, "products" if len(within) == len(steps) else "overhead"

    def _with_ranges(self, chosen: Step, bound: Bound, steps: list[Step]) -> tuple[Step, Bound, str]:
        """The ranges on top, with fewer products if the overhead is passed otherwise; not where they surely do harm.

        Where it was the overhead that kept them out, and the target is not reached, it is what ended the plan.
        """
        if self.method.ranges == "none" or not self.hardening.limits:
            return chosen, bound, ""
        spent: Bound = "accuracy" if bound == "accuracy" else "overhead"
        place = next(k for k, step in enumerate(steps) if step is chosen)
        for fewer in range(place, -1, -1):
            step = self._step(steps[fewer].products, ranges=True)
            steps.append(step)
            if step.overhead > self.limits.overhead:
                continue
            if step.outcome.loss.rate <= self.limits.loss:
                return step, "accuracy", ""
            worse = step.outcome.point.accuracy < chosen.outcome.point.accuracy
            if fewer < place and (bound == "accuracy" or worse):
                return chosen, spent, "ranges pass the overhead limit unless a product is given up, and were left out"
            if bound == "accuracy" or self._gain(step, over=steps[fewer]).high < 0:
                return chosen, spent if fewer < place else bound, "ranges lower the accuracy here, and were left out"
            return step, spent if fewer < place else bound, ""
        return chosen, spent, "ranges alone pass the overhead limit, and were left out"

    def _gain(self, step: Step, *, over: Step) -> Any:
        campaign = self._conditions((step.outcome.condition, over.outcome.condition)).campaign
        one, other = (
            count(campaign, x.outcome.condition.setting, store=self.ordering.store).tally for x in (step, over)
        )
        return gained(one, over=other)

    def _protection(self, products: Sequence[str], *, ranges: bool) -> Protection:
        method = self.method if ranges else replace(self.method, ranges="none")
        return self.hardening.protect(method, ber=self.ordering.plain.ber, products=products)

    def _step(self, products: Sequence[str], *, ranges: bool) -> Step:
        protection = self._protection(products, ranges=ranges)
        plain = self.ordering.plain
        setting = protected(plain, protection) if protection.sites else plain
        name = f"{len(products)} products" + (" and ranges" if ranges else "")
        conditions = self._conditions(
            (Condition(name="unprotected", setting=plain), Condition(name=name, setting=setting))
        )
        self.ordering.follow(
            conditions.measure(self.ordering.store, executor=self.ordering.executor), f"{self.strategy}, {name}"
        )
        outcome = conditions.outcomes(self.ordering.store, weights=self.weights)[-1]
        return Step(products=tuple(products), ranges=ranges, outcome=outcome)

    def _conditions(self, conditions: tuple[Condition, ...]) -> Conditions:
        on = Trials(images=self.ordering.images, trials=self.ordering.trials, chunk=self.chunk)
        return Conditions(bench=self.ordering.bench, conditions=conditions, on=on)


def _prefixes(order: Sequence[Candidate], grain: Grain) -> list[tuple[str, ...]]:
    """The products after each step: one more, or all those of one more layer, which comes with its first product."""
    if grain == "layer":
        layers = list(dict.fromkeys(c.layer for c in order))
        order = sorted(order, key=lambda c: layers.index(c.layer))
    places = range(1, len(order) + 1)
    ends = [k for k in places if grain == "site" or k == len(order) or order[k].layer != order[k - 1].layer]
    return [tuple(c.site for c in order[:k]) for k in ends]


def plan_of(planner: Planner, planned: Planned) -> Plan:
    """What was planned, as a plan that can be written."""
    ordering = planner.ordering
    plain, bench, limits = ordering.plain, ordering.bench, planner.limits
    campaign = Campaign(settings=(plain,), images=ordering.images, trials=ordering.trials, chunk=planner.chunk)
    clean = count(campaign, plain.without_faults(), store=ordering.store).tally
    return Plan(
        model=plain.model,
        program=plain.program,
        recipe=plain.recipe,
        ber=plain.ber,
        protection=planned.protection,
        method=planner.method.as_dict(),
        strategy=planner.strategy,
        limits={"loss": limits.loss, "overhead": limits.overhead},
        bound=planned.bound,
        seed=plain.seed,
        words=plain.words.as_dict(),
        expected={
            **planned.chosen.as_dict(),
            "clean": float(clean.correct.sum() / clean.trials.sum()),
            "unprotected": planned.frontier[0].as_dict()["accuracy"],
            "weights": vars(planner.weights),
            "remark": planned.remark,
            "refused": dict(planner.hardening.products.refused),
        },
        chosen_on=chosen_on(
            bench.data, images=ordering.images, trials=ordering.trials, calibrated_on=bench.calibrated_on
        ),
        order=tuple(candidate.as_dict() for candidate in planned.order),
        frontier=tuple(step.as_dict() for step in planned.frontier),
    )
