"""What `radhard sweep` and `radhard demo` share: run a campaign over bit error rates, show its curve."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
import typer
from rich.console import Console

from radhard.analysis.curve import Point, curve
from radhard.campaign.bench import Bench, clean_setting
from radhard.campaign.execute import WHOLE, Shard, execute
from radhard.campaign.executor import Executor
from radhard.campaign.experiment import Campaign, Setting, StopRule, canonical_json
from radhard.campaign.store import Store
from radhard.cli.live import follow
from radhard.report.curve import curve_data, draw_curve
from radhard.report.record import sweep_record, write_csv
from radhard.report.table import clean_table, points_table


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much is measured: images, trials, images a unit, and the rule that ends it early."""

    images: int
    trials: int
    chunk: int = 200
    stop: StopRule | None = None


@dataclass(frozen=True, kw_only=True)
class Swept:
    """A sweep that was run: its bench, its settings, their points, and the clean ones by recipe."""

    bench: Bench
    settings: tuple[Setting, ...]
    points: tuple[Point, ...]
    clean: Mapping[str, Point]

    @property
    def recipe(self) -> str:
        """The recipe of the program that the faults were in."""
        return self.settings[0].recipe


def run_sweep(
    bench: Bench,
    settings: tuple[Setting, ...],
    *,
    extent: Extent,
    store: Store,
    executor: Executor,
    console: Console,
    shard: Shard = WHOLE,
) -> Swept:
    """Measure what the store lacks of the settings and of the bench's clean programs; tell `console`."""
    clean = {recipe: clean_setting(bench, recipe) for recipe in ("float", *sorted({*bench.programs} - {"float"}))}
    known = {setting.digest for setting in settings}
    extra = tuple(setting for setting in clean.values() if setting.digest not in known)
    campaign = Campaign(
        settings=extra + settings,
        images=extent.images,
        trials=extent.trials,
        chunk=extent.chunk,
        stop=extent.stop,
    )
    versions = {"radhard": version("radhard"), "torch": torch.__version__}
    made_by = {p.digest: canonical_json({**versions, "back_end": p.backends}) for p in bench.programs.values()}
    follow(execute(campaign, store, executor=executor, shard=shard, made_by=made_by), console=console)
    points = dict(zip((s.digest for s in campaign.settings), curve(campaign, store=store), strict=True))
    return Swept(
        bench=bench,
        settings=settings,
        points=tuple(points[setting.digest] for setting in settings),
        clean={recipe: points[setting.digest] for recipe, setting in clean.items()},
    )


def show_tables(swept: Swept, *, console: Console) -> None:
    """Print what was measured, the clean programs first."""
    setting = swept.settings[-1]
    console.print(clean_table(swept.clean, title=f"{setting.model} on {setting.data}, no faults"))
    console.print(points_table(swept.points, title=f"{setting.model}, recipe {setting.recipe}, {setting.words.name}"))


def show_json(swept: Swept) -> None:
    """Print what was measured as one JSON object."""
    record = sweep_record(swept.settings, swept.points, program=swept.bench.programs[swept.recipe], clean=swept.clean)
    typer.echo(json.dumps(record, allow_nan=False))


def write_files(swept: Swept, *, csv: Path | None, plot: Path | None) -> None:
    """Write the points and the figure where they are wanted."""
    if csv is not None:
        write_csv(swept.points, csv)
    if plot is not None:
        data = curve_data(swept.points, model=swept.bench.model, recipe=swept.recipe, clean=swept.clean)
        draw_curve(data, plot)
