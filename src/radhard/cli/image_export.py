"""`radhard export`: writes the outcomes of a store, one row an image and trial."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import files
from radhard.cli.spelling import OUTPUT
from radhard.errors import InputError


def export(
    ctx: typer.Context,
    store: Annotated[Path, typer.Argument(help="the store to read; it is not changed")],
    parquet: Annotated[
        Path | None, typer.Option(help="write the table to this .parquet file", rich_help_panel=OUTPUT)
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="write the table to this .csv file", rich_help_panel=OUTPUT)] = None,
) -> None:
    """Write the outcomes of a store as a table: one row an image, trial and setting.

    docs/export.md lists the columns. Every checksum is verified; a damaged unit stops the command and is named.
    """
    if parquet is None and csv is None:
        raise InputError("export writes a file: name one by --parquet FILE, by --csv FILE, or both")
    written = files.to_write(ctx, parquet=parquet, csv=csv)

    from radhard.studies.image_export import export as verb

    counts: dict[str, int] = {}

    def to(name: str, file: Path) -> None:
        counts[name] = verb(store, file)

    written.end(parquet=lambda file: to("parquet", file), csv=lambda file: to("csv", file))
    for name, path in (("parquet", parquet), ("csv", csv)):
        if path is not None:
            typer.echo(f"{path}: {counts[name]:,} rows, one an image, trial and setting")
