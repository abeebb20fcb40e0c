"""`radhard trace`: the faults of a run as a table."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import options, outputs, parse
from radhard.errors import InputError


def trace(
    ctx: typer.Context,
    model: options.Model,
    ber: Annotated[str, typer.Option(help="probability that an exposed bit flips")],
    out: Annotated[Path, typer.Option(help="the table's file, .parquet or .csv")],
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
    scales: options.Scales = None,
    images: Annotated[
        int | None, typer.Option(min=1, help="how many test images, from the first on; default: 10, or all of fewer")
    ] = None,
    trial: Annotated[int, typer.Option(min=0, help="the trial, counted from 0")] = 0,
    recipe: options.Recipe = "int8",
    kinds: options.Kinds = options.DEFAULT_KINDS,
    layer: options.Layers = None,
    module: options.Modules = None,
    operator: options.Operators = None,
    site: options.Sites = None,
    except_: options.Except = False,
    seed: options.Seed = 0,
    words: options.WordsText = options.DEFAULT_WORDS,
) -> None:
    """Write the faults that a sweep with the same options meets: trial, image, site, kind, index, bit.

    `index` counts the operations of a kind at a site in an image, in the order that docs/traces.md describes.
    """
    rate = parse.rate(ber)
    written = outputs.opened(ctx, out=(".parquet", ".csv"))

    from radhard.cli.bench import counted, prepared, source_of
    from radhard.cli.notes import notes
    from radhard.cli.selection import selection, words_of
    from radhard.faults import MOST_ROWS, Faults, draw_in_parts, expected, write_trace

    chosen = selection(ctx.params)
    faults = Faults(ber=rate, kinds=chosen.kinds, where=chosen.where, seed=seed, trial=trial, words=words_of(words))
    console = notes()
    source = source_of(ctx.params)
    bench = prepared(source, model, checkpoint=checkpoint, recipe=recipe, images=images, console=console)
    taken = counted(bench, images, default=10, console=console)
    ids = bench.data.ids[:taken]
    program = bench.programs[recipe]
    flips = len(ids) * sum(expected(program.costs, faults).values())
    if flips > MOST_ROWS:
        raise InputError(
            f"--ber {ber}: some {flips:,.3g} flips in {taken} images are expected, a table has at most {MOST_ROWS:,}: "
            "take a lower --ber, fewer --images, or some sites (--layer, --module, --operator, --site)"
        )
    rows: list[int] = []

    def write(file: Path) -> None:
        rows.append(write_trace(draw_in_parts(program, faults, ids), file, files=bench.data.name_of(ids)))

    written.end(out=write)
    typer.echo(f"{out}: {rows[0]:,} flips in {taken} images, {rows[0] / taken:,.4g} an image")
