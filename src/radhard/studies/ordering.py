"""Measures what orders the products of a plan: vulnerability factors and protection costs.

Factors are those of perfect protection, measured pairwise (`vulnerability`); what protecting a product takes is counted
where it is executed, on a few images under the same faults.
"""

import glob
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from radhard.analysis.intervals import Interval
from radhard.analysis.ordering import Candidate, Grain
from radhard.analysis.overhead import Weights
from radhard.analysis.vulnerability import Study, vulnerability
from radhard.campaign.components import By, take_apart
from radhard.campaign.execute import Progress
from radhard.campaign.executor import Executor, Skipped
from radhard.campaign.experiment import Setting
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.campaign.store import Store
from radhard.faults import Faulty
from radhard.machine import MARKED, Clean
from radhard.program import run
from radhard.protection import Protection, Scheme
from radhard.studies.factors import measure_factors
from radhard.studies.progress import Report, follow

Follow = Callable[[Iterable[Progress | Skipped], str], None]
"""Runs what it is given to its end, and shows its progress under a name."""


def reporting(model: str, report: Report) -> Follow:
    """What runs each part of a study to its end, and reports it as a task."""

    def run(states: Iterable[Progress | Skipped], task: str) -> None:
        follow(states, model=model, report=report, task=task)

    return run


PILOT = 32
"""At most so many images on which the operations of each product's protection are counted."""


@dataclass(frozen=True, kw_only=True)
class Ordering:
    """How factors are measured: on the first `images`, in `trials`, under the faults of `plain`."""

    model_under_test: ModelUnderTest
    plain: Setting
    images: int
    trials: int
    store: Store
    executor: Executor
    follow: Follow

    def factors(self, by: By, *, only: Sequence[str] = ()) -> dict[str, Interval]:
        """The factor of each layer or site; of what has no exposed bit 0, exactly."""
        patterns = tuple(map(glob.escape, only))
        parts = take_apart(self.model_under_test, self.plain, by=by, only=patterns)
        study = Study(parts=parts, images=self.images, trials=self.trials)
        progress = measure_factors(study, self.store, executor=self.executor, model_under_test=self.model_under_test)
        self.follow(progress, f"factors by {by}")
        found = vulnerability(study, store=self.store).components
        none = dict.fromkeys(parts.unexposed, Interval(rate=0.0, low=0.0, high=0.0))
        return {**none, **{c.name: Interval(rate=c.factor, low=c.low, high=c.high) for c in found}}

    def candidates(
        self, schemes: Mapping[str, Scheme], *, weights: Weights, grain: Grain = "site"
    ) -> tuple[Candidate, ...]:
        """The products that have a scheme, in the order of the program; of whole layers each has its layer's factor."""
        costs = self.model_under_test.program_of(self.plain).costs
        layer_of = {site.name: site.layer for site in costs}
        guessed = {site.name for site in costs if site.layer_source in MARKED}
        layers = self.factors("layer")
        if grain == "site":
            sites = self.factors("site", only=tuple(schemes))
        else:
            sites = {name: layers[layer_of[name]] for name in schemes}
        pilot = min(PILOT, self.images)
        spent = executed(self.model_under_test, self.plain, Protection.of(schemes), images=pilot, weights=weights)
        return tuple(
            Candidate(
                site=name,
                layer=layer_of[name],
                factor=sites[name],
                layer_factor=layers[layer_of[name]].rate,
                operations=spent[name],
                guessed=name in guessed,
            )
            for name in schemes
        )


def executed(
    model_under_test: ModelUnderTest, plain: Setting, protection: Protection, *, images: int, weights: Weights
) -> dict[str, float]:
    """Weighted operations of each protected site an image, on the first `images` under the faults of `plain`."""
    places = torch.arange(images)
    machine = protection.on(Faulty(Clean(), plain.faults(0)))
    run(
        model_under_test.program_of(plain),
        model_under_test.images(places),
        machine,
        ids=model_under_test.data.ids[places],
    )
    spent = {name: account.executed for name, account in machine.accounts.items()}
    return {
        name: (weights.mul * x.mul + weights.add * x.add + weights.cmp * x.cmp) / len(places)
        for name, x in spent.items()
    }
