"""`radhard quantize`: writes the scales of an integer program to a file, to make the same program on any machine."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import files, options
from radhard.cli.signature import taken
from radhard.cli.spelling import OUTPUT
from radhard.errors import InputError
from radhard.studies.options import DataOptions, ModelOptions


def quantize(
    ctx: typer.Context,
    model: options.ModelArgument,
    model_options: Annotated[ModelOptions, taken(but=("scales", "program_digest"))],
    data_options: DataOptions,
    data: options.DataOption = "fashion-mnist",
    out: Annotated[Path, typer.Option(help="the file of the scales", rich_help_panel=OUTPUT)] = Path("scales.json"),
) -> None:
    """Calibrate a model and write its scales to a file for --scales, to make the same program on any machine.

    Runs that are split over machines, or compared between them, need equal scales: calibration on two kinds of
    processors can differ in the last bits.
    """
    written = files.to_write(ctx, out=out, suffixes=(".json",))

    from radhard.cli.live import of_each
    from radhard.cli.notes import notes, show
    from radhard.program import write_calibration
    from radhard.studies.under_test import recipe_of, under_test

    (model_under_test,) = of_each(
        {model: model_options},
        lambda name, own, report: under_test(
            name, data, model_options=own, data_options=data_options, scales="new", progress=report
        ),
        console=notes(),
    )
    recipe = recipe_of(model_under_test, model_options)
    program = model_under_test.programs[recipe]
    found = program.calibration
    if found is None:
        raise InputError(
            f"recipe {recipe}: {model_under_test.model} has no scales of ours; choose a recipe that is calibrated"
        )
    line = (
        f"{out}: {len(found.scales)} scales of {model_under_test.model} ({recipe}), from "
        f"{model_under_test.calibrated_on}; its program is {program.digest[:12]}"
    )
    written.end(lambda: show([line]), out=lambda file: write_calibration(found, file))
