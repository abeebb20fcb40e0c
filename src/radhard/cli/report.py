"""`radhard report`: one self-contained HTML page of what a store or study has found."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import files
from radhard.cli.spelling import OUTPUT


def report(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(help="a store, a study.toml, or the folder of a study")],
    out: Annotated[Path, typer.Option(help="the page, an .html file", rich_help_panel=OUTPUT)] = Path("report.html"),
) -> None:
    """Write the results in a store as one HTML page: summary, figures, tables, settings, and commands to run again.

    The page needs no network and can be printed. Results are kept by sweep, vulnerability, plan, evaluate and compare
    with --store. Needs the extra `report`: pip install 'radhard[report]'.
    """
    written = files.to_write(ctx, out=out, suffixes=(".html",))

    from radhard.cli.notes import show
    from radhard.studies.reporting import write_report

    written.end(out=lambda file: (write_report(source, out=file), None)[1])
    show([f"The report is {out}."])
