"""`radhard trace`: writes the faults of a run as a table."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import files, options, parse
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, OUTPUT
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions


def trace(
    ctx: typer.Context,
    model: options.ModelArgument,
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
    data: options.DataOption = "fashion-mnist",
    ber: Annotated[
        str | None, typer.Option(help="probability that an exposed bit flips", rich_help_panel=FAULTS)
    ] = None,
    flips: Annotated[
        int | None,
        typer.Option(
            min=1, help="exactly so many bits of each inference flip, in place of --ber", rich_help_panel=FAULTS
        ),
    ] = None,
    fault_model: options.FaultModelOption = None,
    trial: Annotated[int, typer.Option(min=0, help="the trial, counted from 0", rich_help_panel=FAULTS)] = 0,
) -> None:
    """Write the faults of a sweep with the same options: trial, image, site, kind, index, bit.

    `index` counts the operations of a kind at a site in an image, in the order that docs/traces.md describes. With
    --faults one row an image: the place of its upset, how many words depend on it, and what is wrong.
    """
    rate = None if ber is None else parse.rate(ber)
    if flips is not None:
        parse.counts(str(flips), ber=ber)
    parse.check_upset(fault_model, ber=ber, flips=None if flips is None else str(flips))
    written = files.to_write(ctx, out=out, suffixes=(".parquet", ".csv"))

    from radhard.cli.live import of_each
    from radhard.cli.notes import notes
    from radhard.studies.trace import trace as verb

    (found,) = of_each(
        {model: model_options},
        lambda name, own, report: verb(
            name,
            data,
            ber=rate,
            flips=flips,
            fault_model=fault_model,
            trial=trial,
            model_options=own,
            data_options=data_options,
            faults=faults,
            run=run,
            progress=report,
        ),
        console=notes(),
    )
    rows: list[int] = []
    written.end(out=lambda file: rows.append(found.write(file)))
    from radhard.hardware import event_of, fault_model_of

    what = "flips" if fault_model is None else f"{event_of(fault_model_of(fault_model))}s"
    typer.echo(f"{out}: {rows[0]:,} {what} in {found.images} images, {rows[0] / found.images:,.4g} an image")
