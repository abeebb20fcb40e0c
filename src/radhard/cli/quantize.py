"""`radhard quantize`: the scales of an integer program as a file, so that the same program is made on any machine."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import options, outputs
from radhard.cli.signature import taken
from radhard.cli.spelling import OUTPUT
from radhard.errors import InputError
from radhard.studies.options import DataOptions, ModelOptions


def quantize(
    ctx: typer.Context,
    model: options.Model,
    model_options: Annotated[ModelOptions, taken(but=("scales",))],
    data_options: DataOptions,
    data: options.Data = "fashion-mnist",
    out: Annotated[Path, typer.Option(help="the file of the scales", rich_help_panel=OUTPUT)] = Path("scales.json"),
) -> None:
    """Calibrate a model and write its scales, which other commands take by --scales: on any machine, one program.

    Runs that are split over machines, or compared between them, must have the same scales: those that are calibrated on
    processors of two kinds can differ in their last bits.
    """
    written = outputs.opened(ctx, out=out, suffixes=(".json",))

    from radhard.cli.bench import calibrated, source_of
    from radhard.cli.notes import notes, output
    from radhard.program import write_calibration

    bench = calibrated(source_of(data, data_options), model, model_options, console=notes())
    recipe = model_options.recipe
    program = bench.programs[recipe]
    found = program.calibration
    if found is None:
        raise InputError(f"recipe {recipe}: {bench.model} has no scales of ours; choose a recipe that is calibrated")

    def show() -> None:
        output().print(
            f"{out}: {len(found.scales)} scales of {bench.model} ({recipe}), from "
            f"{bench.calibrated_on}; its program is {program.digest[:12]}",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )

    written.end(show, out=lambda file: write_calibration(found, file))
