"""Measures several configurations of a model alike, for `evaluate` and `compare`."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes

from radhard.analysis.configurations import Configuration, Configurations, Evaluation, Trials
from radhard.analysis.overhead import Weights
from radhard.analysis.pairs import Pairing
from radhard.campaign.execute import execute
from radhard.campaign.executor import Executor, Workers
from radhard.campaign.experiment import Setting
from radhard.campaign.model_under_test import ModelUnderTest, clean_setting, faulty_setting
from radhard.campaign.store import Store
from radhard.errors import InputError
from radhard.report.configurations.figure import draw_configurations, draw_configurations_on
from radhard.report.configurations.points import configurations_data
from radhard.report.configurations.record import ConfigurationsRecord, configurations_record, configurations_rows
from radhard.studies.options import FaultOptions, RunOptions
from radhard.studies.progress import Report, follow
from radhard.studies.result import Result, Target

ONE_TRIAL = RunOptions(trials=1, batch=100, chunk=100)
"""How plan, evaluate and compare run unless they are told otherwise."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ConfigurationsResult(Result):
    """A model under several protections; `evaluation` has the outcome of each configuration at each bit error rate."""

    evaluation: Evaluation

    @property
    @abstractmethod
    def headline(self) -> str:
        """What it is of and what came out, in one line."""

    def rows(self) -> list[dict[str, object]]:
        """One row a configuration and bit error rate."""
        return configurations_rows(self.evaluation)

    def to_dict(self) -> ConfigurationsRecord:
        """The record of the model in the command's --json."""
        return configurations_record(self.evaluation)

    def plot(self, target: Target) -> None:
        """Draw accuracy and overhead over the rate into a file; accuracy alone on axes."""
        data = configurations_data([self.evaluation])
        if isinstance(target, Axes):
            draw_configurations_on(data, target)
        else:
            draw_configurations(data, Path(target))


@dataclass(frozen=True, kw_only=True)
class SetUp:
    """What configurations are measured on: a model's `bench`, of which the `store` holds outcomes, and how."""

    bench: ModelUnderTest
    recipe: str
    faults: FaultOptions
    run: RunOptions
    store: Store
    workers: Workers
    report: Report

    @property
    def executor(self) -> Executor:
        """Runs what the store lacks."""
        return self.workers.on(self.bench, batch=self.run.batch)

    def at(self, ber: float) -> Setting:
        """The model with nothing protected, at a rate; at 0 without faults."""
        if ber == 0:
            return clean_setting(self.bench, self.recipe)
        return self.exposed(ber)

    def exposed(self, ber: float) -> Setting:
        """The same, whose exposed bits are counted at rate 0, too."""
        faults = self.faults
        return faulty_setting(
            self.bench,
            self.recipe,
            ber=ber,
            kinds=faults.kinds,
            where=faults.where,
            seed=faults.seed,
            words=faults.words,
        )

    def measure(
        self, configurations: Sequence[Configuration], *, images: int, weights: Weights, pairing: Pairing | None = None
    ) -> Evaluation:
        """Measure what the store lacks of them on the first `images`, and of the float program without faults.

        They are paired if `pairing` says how.
        """
        bench = self.bench
        every = {(c.name, c.setting.digest): c for c in configurations}
        if "float" in bench.programs and all(c.setting.recipe != "float" for c in configurations):
            original = Configuration(name="float program", setting=clean_setting(bench, "float"))
            every = {(original.name, original.setting.digest): original, **every}
        asked = Configurations(
            bench=bench,
            configurations=tuple(every.values()),
            on=Trials(images=images, trials=self.run.trials, chunk=self.run.chunk),
        )
        states = execute(asked.campaign, self.store, executor=self.executor, bench=bench)
        follow(states, model=bench.model, report=self.report)
        return asked.evaluation(self.store, weights=weights, pairing=pairing)


def check_whole(run: RunOptions) -> None:
    """Raise InputError for a part of the work, and for trials that end early: what is compared has all of them."""
    if run.shard != (1, 1):
        raise InputError("shard: plan, evaluate and compare do all of the work; leave it out")
    if run.until_width is not None:
        raise InputError("until_width: plan, evaluate and compare take all trials; leave it out, and give trials")
