"""`radhard plot`: draws again what a command printed by --json."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import files
from radhard.cli.spelling import OUTPUT


def plot(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="the --json output of `compare`, `evaluate`, `vulnerability` or `avf`")],
    plot: Annotated[
        Path, typer.Option("--plot", help="draw the figure into this .png, .svg or .pdf file", rich_help_panel=OUTPUT)
    ],
) -> None:
    """Draw the figure of a saved result again, for example in another format, with its caption beside it.

    No model runs: all that the figure shows is in the JSON.
    """
    written = files.to_write(ctx, plot=plot)

    from radhard.report.saved import drawing_of

    draw = drawing_of(file)
    written.end(plot=draw)
    typer.echo(f"{plot}: drawn from {file}, with its caption beside it")
