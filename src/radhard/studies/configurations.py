"""Measures several configurations of a model alike, for `evaluate` and `compare`."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from radhard.analysis.configurations import Configuration, Configurations, Evaluation, Trials
from radhard.analysis.overhead import Weights
from radhard.analysis.pairs import Pairing
from radhard.campaign.model_under_test import clean_setting
from radhard.errors import InputError
from radhard.report.configurations.record import ConfigurationsRecord, configurations_record, configurations_rows
from radhard.studies.options import RunOptions
from radhard.studies.request import SetUp
from radhard.studies.result import DrawnResult, FigureTarget


@dataclass(frozen=True, kw_only=True, repr=False)
class ConfigurationsResult(DrawnResult):
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

    def plot(self, target: FigureTarget) -> None:
        """Draw paired differences and overheads into a file; the differences at the highest rate on axes."""
        from radhard.report.configurations.figure import draw_configurations, draw_configurations_on
        from radhard.report.configurations.points import configurations_data

        data = configurations_data([self.evaluation])
        if isinstance(target, str | Path):
            draw_configurations(data, Path(target))
        else:
            draw_configurations_on(data, target)


def measure(
    set_up: SetUp,
    configurations: Sequence[Configuration],
    *,
    images: int,
    weights: Weights,
    pairing: Pairing | None = None,
) -> Evaluation:
    """Measure what the store lacks of them on the first `images`, and of the float program without faults.

    They are paired if `pairing` says how. Without labels the float program is left out, as its agreement with itself
    says nothing.
    """
    model_under_test, run = set_up.model_under_test, set_up.run
    labelled = model_under_test.data.labelled
    every = {(c.name, c.setting.digest): c for c in configurations}
    if labelled and "float" in model_under_test.programs and all(c.setting.recipe != "float" for c in configurations):
        original = Configuration(name="float program", setting=clean_setting(model_under_test, "float"))
        every = {(original.name, original.setting.digest): original, **every}
    asked = Configurations(
        model_under_test=model_under_test,
        configurations=tuple(every.values()),
        on=Trials(images=images, trials=run.trials, chunk=run.chunk),
    )
    set_up.execute(asked.campaign)
    return asked.evaluation(set_up.store, weights=weights, pairing=pairing)


def check_whole(run: RunOptions) -> None:
    """Raise InputError for a part of the work, and for trials that end early: what is compared has all of them."""
    if run.until_width is not None:
        raise InputError("--until-width: plan, evaluate and compare take all trials; leave it out, and give --trials")
