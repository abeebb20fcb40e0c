"""`radhard quantize`: the scales of an integer program as a file, so that the same program is made on any machine."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import options, outputs
from radhard.errors import InputError


def quantize(
    ctx: typer.Context,
    model: options.Model,
    data: options.Data = "fashion-mnist",
    data_root: options.DataRoot = None,
    split: options.Split = None,
    samples: options.Samples = None,
    data_seed: options.DataSeed = 0,
    calibration: options.Calibration = None,
    calibration_split: options.CalibrationSplit = None,
    skip_bad: options.SkipBad = False,
    labels: options.Labels = None,
    classes: options.Classes = None,
    checkpoint: options.Checkpoint = None,
    checkpoint_key: options.CheckpointKey = None,
    pretrained: options.Pretrained = False,
    input_shape: options.InputShape = None,
    mean: options.Mean = None,
    std: options.Std = None,
    resize: options.Resize = None,
    crop_pct: options.CropPct = None,
    interpolation: options.Interpolation = None,
    anatomy: options.Anatomy = None,
    recipe: options.Recipe = "int8",
    out: Annotated[Path, typer.Option(help="the file of the scales")] = Path("scales.json"),
) -> None:
    """Calibrate a model and write its scales, which other commands take by --scales: on any machine, one program.

    Runs that are split over machines, or compared between them, must have the same scales: those that are calibrated on
    processors of two kinds can differ in their last bits.
    """
    written = outputs.opened(ctx, out=(".json",))

    from radhard.cli.bench import calibrated, source_of
    from radhard.cli.notes import notes, output
    from radhard.program import write_calibration

    bench = calibrated(source_of(ctx.params), model, checkpoint=checkpoint, recipe=recipe, console=notes())
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
