"""`radhard merge`: put stores together."""

from pathlib import Path
from typing import Annotated

import typer


def merge(
    out: Annotated[Path, typer.Argument(help="the store to add to, made if there is none")],
    stores: Annotated[list[Path], typer.Argument(help="the stores to read, of shards or of other campaigns")],
) -> None:
    """Add the outcomes of stores to one; outcomes that contradict each other are refused."""
    from radhard.campaign.merge import merge as merge_stores

    merged = merge_stores(out, stores)
    typer.echo(f"{out}: {merged.units} units of {merged.settings} settings, {merged.new} units of them new")
