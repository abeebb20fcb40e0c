"""`radhard demo`: a small sweep of the embedded model on the embedded images, with a figure."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import outputs
from radhard.cli.signature import taken
from radhard.studies.options import RunOptions

FIGURE = Path("radhard-demo.png")
IMAGES = 500
TRIALS = 2


def demo(ctx: typer.Context, run: Annotated[RunOptions, taken(only=("device",))]) -> None:
    """Sweep fashion-vit over bit error rates: a table, and the figure radhard-demo.png in this folder."""
    from radhard.campaign.bench import faulty_setting
    from radhard.campaign.build import build
    from radhard.campaign.executor import InProcess
    from radhard.campaign.rates import whole_curve
    from radhard.cli.bench import chosen_device, opened
    from radhard.cli.live import Course, waiting
    from radhard.cli.notes import notes, output
    from radhard.cli.swept import Extent, run_sweep, show_tables, writers
    from radhard.models.load import load

    written = outputs.opened(ctx, plot=FIGURE)
    progress, console, chosen = notes(), output(), chosen_device(run.device)
    extent = Extent(images=IMAGES, trials=TRIALS, chunk=128)
    with opened(None) as store:
        with waiting("capturing and calibrating fashion-vit", console=progress):
            bench = build(load("fashion-vit"), recipe="int8", images=extent.images, device=chosen)
        bits = faulty_setting(bench, "int8", ber=0.0).bits
        sweep = run_sweep(
            bench,
            tuple(faulty_setting(bench, "int8", ber=rate) for rate in whole_curve(bits, recipe="int8")),
            extent=extent,
            store=store,
            executor=InProcess(bench=bench),
            course=Course(model="fashion-vit"),
            console=progress,
        )
    written.end(lambda: show_tables([sweep], console=console), plot=writers([sweep])["plot"])
    console.print(f"The figure is {FIGURE}. `radhard sweep fashion-vit --help` says how to measure more.")
