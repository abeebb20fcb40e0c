"""`radhard trace`: the faults of a run as a table."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import options, outputs, parse
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, OUTPUT
from radhard.errors import InputError
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions


def trace(
    ctx: typer.Context,
    model: options.Model,
    ber: Annotated[str, typer.Option(help="probability that an exposed bit flips", rich_help_panel=FAULTS)],
    out: Annotated[Path, typer.Option(help="the table's file, .parquet or .csv", rich_help_panel=OUTPUT)],
    model_options: ModelOptions,
    data_options: DataOptions,
    faults: FaultOptions,
    run: Annotated[
        RunOptions,
        taken(
            only=("images",),
            helps={"images": "how many test images, from the first on; default: 10, or all of fewer"},
        ),
    ],
    data: options.Data = "fashion-mnist",
    trial: Annotated[int, typer.Option(min=0, help="the trial, counted from 0", rich_help_panel=FAULTS)] = 0,
) -> None:
    """Write the faults that a sweep with the same options meets: trial, image, site, kind, index, bit.

    `index` counts the operations of a kind at a site in an image, in the order that docs/traces.md describes.
    """
    rate = parse.rate(ber)
    written = outputs.opened(ctx, out=out, suffixes=(".parquet", ".csv"))

    from radhard.cli.bench import counted, prepared, source_of
    from radhard.cli.notes import notes
    from radhard.faults import MOST_ROWS, Faults, draw_in_parts, expected, write_trace

    flipped = Faults(
        ber=rate, kinds=faults.kinds, where=faults.where, seed=faults.seed, trial=trial, words=faults.words
    )
    console = notes()
    source = source_of(data, data_options, faults=faults)
    bench = prepared(source, model, model_options, images=run.images, console=console)
    taken = counted(bench, run.images, default=10, console=console)
    ids = bench.data.ids[:taken]
    program = bench.programs[model_options.recipe]
    flips = len(ids) * sum(expected(program.costs, flipped).values())
    if flips > MOST_ROWS:
        raise InputError(
            f"--ber {ber}: some {flips:,.3g} flips in {taken} images are expected, a table has at most {MOST_ROWS:,}: "
            "take a lower --ber, fewer --images, or some sites (--layer, --module, --operator, --site)"
        )
    rows: list[int] = []

    def write(file: Path) -> None:
        rows.append(write_trace(draw_in_parts(program, flipped, ids), file, files=bench.data.name_of(ids)))

    written.end(out=write)
    typer.echo(f"{out}: {rows[0]:,} flips in {taken} images, {rows[0] / taken:,.4g} an image")
