"""`radhard demo`: a small sweep of the embedded model on the embedded images, with a figure and a report."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radhard.cli import files
from radhard.cli.signature import taken
from radhard.studies.options import ModelOptions, RunOptions

if TYPE_CHECKING:
    from radhard.studies.progress import Report
    from radhard.studies.sweep import SweepResult

MODEL = "fashion-vit"
FIGURE = Path("radhard-demo.png")
PAGE = Path("radhard-report.html")
IMAGES = 500
TRIALS = 2
CHUNK = 128
RANKED = 100
"""Images on which modules are ranked."""


def demo(ctx: typer.Context, run: Annotated[RunOptions, taken(only=("device",))]) -> None:
    """Sweep fashion-vit over bit error rates and rank its modules: table, figure and report in this folder.

    The figure is radhard-demo.png, the report radhard-report.html, one page that needs no network.
    """
    from radhard.cli.live import of_each
    from radhard.cli.notes import notes, show
    from radhard.report.table import sweep_tables
    from radhard.studies.reporting import write_report
    from radhard.studies.sweep import sweep
    from radhard.studies.vulnerability import vulnerability

    written = files.to_write(ctx, plot=FIGURE, out=PAGE, suffixes=(".html",))
    with tempfile.TemporaryDirectory(prefix="radhard-") as folder:
        small = replace(run, images=IMAGES, trials=TRIALS, chunk=CHUNK, store=Path(folder) / "demo.db")

        def measured(model: str, options: ModelOptions, report: "Report") -> "SweepResult":
            found = sweep(model, model_options=options, run=small, progress=report)
            lost = found.sweep.loses_10_points.ber
            if lost is not None:
                few = replace(small, images=min(RANKED, IMAGES), trials=1)
                ber = float(f"{lost:.3g}")
                vulnerability(model, by="module", ber=ber, model_options=options, run=few, progress=report)
            return found

        (found,) = of_each({MODEL: ModelOptions()}, measured, console=notes())
        written.end(
            lambda: show(sweep_tables([found.sweep])),
            plot=found.plot,
            out=lambda file: (write_report(small.store or folder, out=file), None)[1],
        )
    show(
        [
            f"The figure is {FIGURE}, the report {PAGE}: open it in a browser.",
            "Your own model: `radhard study MODEL --checkpoint WEIGHTS --data IMAGES`, where MODEL is a name such as "
            "resnet18, or FILE.py:FUNCTION, and IMAGES a folder with one folder per class.",
        ]
    )
