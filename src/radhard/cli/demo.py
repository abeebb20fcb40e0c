"""`radhard demo`: a small sweep of the embedded model on the embedded images, with a figure."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import files
from radhard.cli.signature import taken
from radhard.studies.options import ModelOptions, RunOptions

FIGURE = Path("radhard-demo.png")
IMAGES = 500
TRIALS = 2
CHUNK = 128


def demo(ctx: typer.Context, run: Annotated[RunOptions, taken(only=("device",))]) -> None:
    """Sweep fashion-vit over bit error rates: a table, and the figure radhard-demo.png in this folder."""
    from radhard.cli.live import of_each
    from radhard.cli.notes import notes, show
    from radhard.report.table import sweep_tables
    from radhard.studies.sweep import sweep

    written = files.to_write(ctx, plot=FIGURE)
    small = replace(run, images=IMAGES, trials=TRIALS, chunk=CHUNK)
    (found,) = of_each(
        {"fashion-vit": ModelOptions()},
        lambda model, options, report: sweep(model, model_options=options, run=small, progress=report),
        console=notes(),
    )
    written.end(lambda: show(sweep_tables([found.sweep])), plot=found.plot)
    show([f"The figure is {FIGURE}. `radhard sweep fashion-vit --help` says how to measure more."])
