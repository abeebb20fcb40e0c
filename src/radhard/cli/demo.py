"""`radhard demo`: a small sweep of the embedded model on the embedded images, with a figure."""

from pathlib import Path

FIGURE = Path("radhard-demo.png")
IMAGES = 500
TRIALS = 2


def demo() -> None:
    """Sweep fashion-vit over bit error rates: a table, and the figure radhard-demo.png in this folder."""
    from rich.console import Console

    from radhard.campaign.bench import faulty_setting
    from radhard.campaign.build import build
    from radhard.campaign.executor import InProcess
    from radhard.campaign.rates import whole_curve
    from radhard.cli.bench import opened
    from radhard.cli.live import Course, output, waiting
    from radhard.cli.swept import Extent, run_sweep, show_tables, write_files
    from radhard.models.load import load

    progress, console = Console(stderr=True), output()
    extent = Extent(images=IMAGES, trials=TRIALS, chunk=128)
    with opened(None) as store:
        with waiting("capturing and calibrating fashion-vit", console=progress):
            bench = build(load("fashion-vit"), recipe="int8", images=extent.images)
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
    write_files([sweep], csv=None, plot=FIGURE)
    show_tables([sweep], console=console)
    console.print(f"The figure is {FIGURE}. `radhard sweep fashion-vit --help` says how to measure more.")
