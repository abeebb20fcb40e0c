"""What `radhard sweep` and `radhard demo` share: run a campaign over bit error rates, show its curve."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from radhard.analysis.curve import curve
from radhard.analysis.sweep import Sweep
from radhard.campaign.bench import Bench, clean_setting
from radhard.campaign.execute import WHOLE, Shard, execute
from radhard.campaign.executor import Executor
from radhard.campaign.experiment import Campaign, Setting, StopRule
from radhard.campaign.store import Store
from radhard.cli.live import Course, follow
from radhard.machine.device import device_name
from radhard.report.anatomy import anatomy
from radhard.report.curve import curve_data, draw_curve
from radhard.report.record import sweep_record, write_csv
from radhard.report.table import clean_table, comparison_table, points_table
from radhard.version import VERSION


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much is measured: images, trials, images a unit, and the rule that ends it early."""

    images: int
    trials: int
    chunk: int = 200
    stop: StopRule | None = None


def run_sweep(
    bench: Bench,
    settings: tuple[Setting, ...],
    *,
    extent: Extent,
    store: Store,
    executor: Executor,
    course: Course,
    console: Console,
    shard: Shard = WHOLE,
) -> Sweep:
    """Measure what the store lacks of the settings and of the bench's clean programs; tell `console`."""
    recipes = sorted(bench.programs, key=lambda recipe: (recipe != "float", recipe))
    clean = {recipe: clean_setting(bench, recipe) for recipe in recipes}
    known = {setting.digest for setting in settings}
    extra = tuple(setting for setting in clean.values() if setting.digest not in known)
    campaign = Campaign(
        settings=extra + settings,
        images=extent.images,
        trials=extent.trials,
        chunk=extent.chunk,
        stop=extent.stop,
    )
    progress = execute(campaign, store, executor=executor, shard=shard, bench=bench)
    follow(progress, course=course, console=console)
    points = dict(zip((s.digest for s in campaign.settings), curve(campaign, store=store), strict=True))
    last = settings[-1]
    program = bench.programs[last.recipe]
    return Sweep(
        settings=settings,
        points=tuple(points[setting.digest] for setting in settings),
        clean={recipe: points[setting.digest] for recipe, setting in clean.items()},
        macs=anatomy(program, kinds=last.kinds, where=last.where, words=last.words, by="operator").macs,
        back_end=program.backends,
        images=extent.images,
        calibrated_on=bench.calibrated_on,
        skipped=len(bench.data.skipped),
        pixels=bench.pixels,
        device=device_name(bench.device),
    )


def show_tables(sweeps: Sequence[Sweep], *, console: Console) -> None:
    """Print what was measured of each model, its clean programs first; of several models a comparison."""
    for sweep in sweeps:
        setting = sweep.setting
        if sweep.labelled:
            console.print(clean_table(sweep.clean, title=f"{setting.model} on {setting.data}, no faults"))
        title = f"{setting.model}, recipe {setting.recipe}, {setting.words.name}"
        if not sweep.labelled:
            title += f"; {setting.data}, without labels: SDC is the share of top-1 answers that are not the clean ones"
        console.print(points_table(sweep.points, title=title))
    if len(sweeps) > 1:
        console.print(comparison_table(sweeps))


def show_json(sweeps: Sequence[Sweep], *, command: str) -> None:
    """Print what was measured as one JSON object: what made it, and a record for each model."""
    record = {"radhard": VERSION, "command": command, "models": [sweep_record(sweep) for sweep in sweeps]}
    typer.echo(json.dumps(record, allow_nan=False))


def writers(sweeps: Sequence[Sweep]) -> dict[str, Callable[[Path], None]]:
    """What writes the points and the figure, by option."""
    return {
        "csv": lambda file: write_csv(sweeps, file),
        "plot": lambda file: draw_curve(curve_data(sweeps), file),
    }
