"""What `radhard evaluate` and `radhard compare` share: measure configurations of a model, show them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import typer
from rich.console import Console

from radhard.analysis.configurations import Configuration, Configurations, Evaluation, Trials
from radhard.analysis.overhead import Weights
from radhard.analysis.pairs import Pairing
from radhard.campaign.bench import Bench, clean_setting
from radhard.campaign.execute import execute
from radhard.campaign.executor import InProcess
from radhard.campaign.store import Store
from radhard.cli.live import Course, follow
from radhard.cli.notes import output
from radhard.cli.outputs import Outputs
from radhard.report.configurations.data import configurations_data
from radhard.report.configurations.figure import draw_configurations
from radhard.report.configurations.record import configurations_record, write_configurations
from radhard.report.configurations.table import configurations_table, pairs_table
from radhard.version import VERSION


@dataclass(frozen=True, kw_only=True)
class Bed:
    """How configurations are measured, the same for every model."""

    trials: int
    chunk: int
    batch: int
    weights: Weights
    store: Store
    console: Console

    def measure(
        self,
        bench: Bench,
        configurations: Sequence[Configuration],
        *,
        images: int,
        course: Course,
        pairing: Pairing | None = None,
    ) -> Evaluation:
        """Measure what the store lacks of them on the first `images`, and of the float program without faults.

        They are paired if `pairing` says how.
        """
        every = {(c.name, c.setting.digest): c for c in configurations}
        if "float" in bench.programs and all(c.setting.recipe != "float" for c in configurations):
            original = Configuration(name="float program", setting=clean_setting(bench, "float"))
            every = {(original.name, original.setting.digest): original, **every}
        asked = Configurations(
            bench=bench,
            configurations=tuple(every.values()),
            on=Trials(images=images, trials=self.trials, chunk=self.chunk),
        )
        progress = execute(asked.campaign, self.store, executor=InProcess(bench=bench, batch=self.batch), bench=bench)
        follow(progress, course=course, console=self.console)
        return asked.evaluation(self.store, weights=self.weights, pairing=pairing)


def show(
    found: Sequence[Evaluation],
    *,
    command: str,
    written: Outputs,
    form: Literal["json", "table"],
) -> None:
    """Print a table for each model, or one JSON object; write the files that are wanted."""
    record = {"radhard": VERSION, "command": command, "models": [configurations_record(e) for e in found]}

    def results() -> None:
        if form == "json":
            typer.echo(json.dumps(record, allow_nan=False))
            return
        console = output()
        for one in found:
            console.print(configurations_table(one))
            if one.pairs:
                console.print(pairs_table(one))

    written.end(
        results,
        csv=lambda file: write_configurations(found, file),
        plot=lambda file: draw_configurations(configurations_data(found), file),
    )
