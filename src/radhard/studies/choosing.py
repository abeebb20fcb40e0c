"""Algorithm 1 of Xue et al.: protects one product after another until accuracy or overhead reaches its limit.

As printed it takes the next product in the order until one of the two limits is passed, and the ranges of non-linear
operators are added at the end. Three things are done otherwise. Accuracy and overhead are measured, both with their
intervals, with the scheme executed under faults that hit its checks too. A step never passes the overhead limit: if
the target is not reached within it, the candidate is the most accurate step that is within it. And the target counts as
reached by the upper limit of the loss, not by its estimate; having been looked for among many, that limit is no proof,
which takes images that chose nothing (`judging`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from radhard.analysis.configurations import Configuration, ConfigurationOutcome, Configurations, Trials
from radhard.analysis.judging import ProtectionStep
from radhard.analysis.noninferiority import LEVEL, upper_limit
from radhard.analysis.ordering import Candidate, Grain, Strategy, ordered
from radhard.analysis.overhead import Weights, own_operations
from radhard.analysis.vulnerability import gained
from radhard.campaign.counted import count
from radhard.campaign.execute import execute
from radhard.campaign.experiment import Campaign
from radhard.campaign.model_under_test import protected
from radhard.errors import InputError
from radhard.protection import Method, Protectable, Protection
from radhard.studies.ordering import Ordering

Bound = Literal["accuracy", "overhead", "products"]
"""What ended a plan: the target was reached, the overhead limit was in the way, or nothing is left to protect."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """At most so much accuracy is lost (a share of all answers) at an overhead of at most so much (a share).

    `level`: the confidence of what is called met.
    """

    loss: float = 0.02
    overhead: float = 0.02
    level: float = LEVEL

    def __post_init__(self) -> None:
        if not (0 <= self.loss < 1 and self.overhead >= 0):
            raise InputError(f"a target of loss {self.loss:g} at overhead {self.overhead:g}: give shares from 0 on")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the images that choose say: the step that is the candidate, all that were measured, and what ended them.

    `steps`: the products of each step there is, measured or not; the candidate is the one at `place`, the most
    protected one within the overhead that at `top`. `reached`: the candidate's limit is within the target.
    """

    chosen: ProtectionStep
    steps: tuple[tuple[str, ...], ...]
    place: int
    top: int
    reached: bool
    frontier: tuple[ProtectionStep, ...]
    order: tuple[Candidate, ...]
    bound: Bound
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Chooser:
    """Chooses for one program and one method, on the images of `ordering`, `chunk` a unit.

    `grain`: a step protects one more product, or all those of one more layer. `frontier`: measure steps until a limit
    is passed, as Algorithm 1 does, or the whole of it.
    """

    ordering: Ordering
    protectable: Protectable
    method: Method
    target: Target
    weights: Weights
    strategy: Strategy = "algorithm1"
    grain: Grain = "site"
    frontier: Literal["whole", "needed"] = "whole"
    chunk: int = 100

    def choose(self, bare: ProtectionStep | None = None) -> Choice:
        """Order the products, measure the steps, choose one, add the ranges. `bare`: nothing protected, if known."""
        plain = self.ordering.plain
        linear = self.method.schemes_of(self.protectable, ber=plain.ber)
        order: tuple[Candidate, ...] = ()
        if linear:
            candidates = self.ordering.candidates(linear, weights=self.weights, grain=self.grain)
            order = ordered(candidates, self.strategy)
        prefixes = [(), *_prefixes(order, self.grain)]
        # that nothing needs protecting was judged before, if it was to be
        steps = [bare or self.step((), ranges=False)]
        if self.frontier == "whole":
            self.run_together(prefixes[1:])
        for products in prefixes[1:]:
            passed = steps[-1].overhead > self.target.overhead or (len(steps) > 1 and self.reached(steps[-1]))
            if self.frontier == "needed" and passed:
                break
            steps.append(self.step(products, ranges=False))
        chosen, reached, bound = self._choose(steps, of=len(prefixes))
        chosen, reached, bound, remark = self._with_ranges(chosen, reached, bound, steps)
        place = prefixes.index(chosen.products)
        return Choice(
            chosen=chosen,
            steps=tuple(prefixes),
            place=place,
            top=self._top(chosen, prefixes, steps, order=order),
            reached=reached,
            frontier=tuple(steps),
            order=order,
            bound=bound,
            remark=remark,
        )

    def reached(self, step: ProtectionStep) -> bool:
        """Whether the target is, by the limit of the loss."""
        return self._limit(step) <= self.target.loss

    def _limit(self, step: ProtectionStep) -> float:
        return upper_limit(step.outcome.differing, level=self.target.level)

    def _choose(self, steps: Sequence[ProtectionStep], *, of: int) -> tuple[ProtectionStep, bool, Bound]:
        within = [step for step in steps if step.overhead <= self.target.overhead]
        enough = next((step for step in within if step is not steps[0] and self.reached(step)), None)
        if enough is not None:
            return enough, True, "accuracy"
        best = max(within, key=lambda step: (step.outcome.point.kept, -step.overhead))
        return best, False, "products" if len(within) == of else "overhead"

    def _top(
        self,
        chosen: ProtectionStep,
        prefixes: Sequence[tuple[str, ...]],
        steps: list[ProtectionStep],
        *,
        order: Sequence[Candidate],
    ) -> int:
        """The most protected step within the overhead: foreseen by operations, then measured."""
        place = prefixes.index(chosen.products)
        for k in range(len(prefixes) - 1, place, -1):
            if self._foreseen(prefixes[k], chosen=chosen, order=order) > self.target.overhead:
                continue
            same = (s for s in steps if (s.products, s.ranges) == (prefixes[k], chosen.ranges))
            step = next(same, None)
            if step is None:
                step = self.step(prefixes[k], ranges=chosen.ranges)
                steps.append(step)
            if step.overhead <= self.target.overhead:
                return k
        return place

    def _foreseen(self, products: Sequence[str], *, chosen: ProtectionStep, order: Sequence[Candidate]) -> float:
        """The overhead of these products, from that of the chosen ones and the operations of the others."""
        mul, add = own_operations(self.protectable.program.costs)
        own = self.weights.mul * mul + self.weights.add * add
        more = sum(c.operations for c in order if c.site in products and c.site not in chosen.products)
        return chosen.overhead + more / own

    def _with_ranges(
        self, chosen: ProtectionStep, reached: bool, bound: Bound, steps: list[ProtectionStep]
    ) -> tuple[ProtectionStep, bool, Bound, str]:
        """The ranges on top, with fewer products if the overhead is passed otherwise; not where they surely do harm.

        Where it was the overhead that kept them out, and the target is not reached, it is what ended the plan.
        """
        if self.method.ranges == "none" or not self.protectable.limits:
            return chosen, reached, bound, ""
        spent: Bound = "accuracy" if reached else "overhead"
        place = next(k for k, step in enumerate(steps) if step is chosen)
        for fewer in range(place, -1, -1):
            step = self.step(steps[fewer].products, ranges=True)
            steps.append(step)
            if step.overhead > self.target.overhead:
                continue
            if self.reached(step):
                return step, True, "accuracy", ""
            worse = step.outcome.point.kept < chosen.outcome.point.kept
            if fewer < place and (reached or worse):
                remark = "ranges pass the overhead limit unless a product is given up, and were left out"
                return chosen, reached, spent, remark
            if reached or self._gain(step, over=steps[fewer]).high < 0:
                what = "accuracy" if self.ordering.plain.labelled else "agreement"
                remark = f"ranges lower the {what} here, and were left out"
                return chosen, reached, spent if fewer < place else bound, remark
            return step, False, spent if fewer < place else bound, ""
        return chosen, reached, spent, "ranges alone pass the overhead limit, and were left out"

    def _gain(self, step: ProtectionStep, *, over: ProtectionStep) -> Any:
        campaign = self._configurations(
            (step.outcome.configuration, over.outcome.configuration), on=self.ordering
        ).campaign
        one, other = (
            count(campaign, x.outcome.configuration.setting, store=self.ordering.store).tally for x in (step, over)
        )
        return gained(one, over=other)

    def protection(self, products: Sequence[str], *, ranges: bool) -> Protection:
        """What a step protects."""
        method = self.method if ranges else replace(self.method, ranges="none")
        return method.protect(self.protectable, ber=self.ordering.plain.ber, products=products)

    def step(self, products: Sequence[str], *, ranges: bool) -> ProtectionStep:
        """A step on the images that choose."""
        return self.measured(products, ranges=ranges, on=self.ordering)[0]

    def run_together(self, steps: Sequence[tuple[str, ...]]) -> None:
        """Measure steps that are all wanted, without ranges, as one campaign: no worker waits at the end of each.

        Where it depends on a step whether the next one is wanted, each is measured when it is.
        """
        on = self.ordering
        protections = (self.protection(products, ranges=False) for products in steps)
        settings = {s.digest: s for s in (protected(on.plain, each) for each in protections if each.sites)}
        if settings:
            campaign = Campaign(settings=tuple(settings.values()), images=on.images, trials=on.trials, chunk=self.chunk)
            self._run(campaign, on=on, task=f"{self.strategy}, {len(settings)} steps")

    def _run(self, campaign: Campaign, *, on: Ordering, task: str) -> None:
        """Measure what the store lacks."""
        states = execute(campaign, on.store, executor=on.executor, model_under_test=on.model_under_test)
        on.follow(states, task)

    def measured(
        self, products: Sequence[str], *, ranges: bool, on: Ordering, stage: str = ""
    ) -> tuple[ProtectionStep, ConfigurationOutcome]:
        """A step on the images of an ordering, and what these give with nothing protected."""
        protection = self.protection(products, ranges=ranges)
        setting = protected(on.plain, protection) if protection.sites else on.plain
        name = f"{len(products)} products" + (" and ranges" if ranges else "")
        configurations = self._configurations(
            (Configuration(name="unprotected", setting=on.plain), Configuration(name=name, setting=setting)), on=on
        )
        self._run(configurations.campaign, on=on, task=f"{stage}{self.strategy}, {name}")
        bare, outcome = configurations.outcomes(on.store, weights=self.weights)
        return ProtectionStep(products=tuple(products), ranges=ranges, outcome=outcome), bare

    def _configurations(self, configurations: tuple[Configuration, ...], *, on: Ordering) -> Configurations:
        trials = Trials(images=on.images, trials=on.trials, chunk=self.chunk)
        return Configurations(model_under_test=on.model_under_test, configurations=configurations, on=trials)


def _prefixes(order: Sequence[Candidate], grain: Grain) -> list[tuple[str, ...]]:
    """The products after each step: one more, or all those of one more layer, which comes with its first product."""
    if grain == "layer":
        layers = list(dict.fromkeys(c.layer for c in order))
        order = sorted(order, key=lambda c: layers.index(c.layer))
    places = range(1, len(order) + 1)
    ends = [k for k in places if grain == "site" or k == len(order) or order[k].layer != order[k - 1].layer]
    return [tuple(c.site for c in order[:k]) for k in ends]
