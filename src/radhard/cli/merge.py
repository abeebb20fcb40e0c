"""`radhard merge`: merges stores."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli.spelling import RUN


def merge(
    out: Annotated[Path, typer.Argument(help="the target store, created if it does not exist")],
    stores: Annotated[list[Path], typer.Argument(help="the stores to merge")],
    drop_damaged: Annotated[
        bool,
        typer.Option(
            "--drop-damaged",
            help="skip damaged units and name them, instead of stopping",
            rich_help_panel=RUN,
        ),
    ] = False,
) -> None:
    """Merge stores into one. Outcomes that contradict each other, and damaged outcomes, are refused."""
    from radhard.campaign.contents import contents, mixed_programs
    from radhard.campaign.merge import merge as merge_stores
    from radhard.campaign.store import Store
    from radhard.cli.notes import notes, show

    merged = merge_stores(out, stores, damaged="drop" if drop_damaged else "refuse")
    with Store(out, mode="read") as store:
        several = mixed_programs(contents(store))
    for line in (*merged.remarks, *merged.damaged, *several):
        notes().print(line)
    lost = f"; {len(merged.damaged)} damaged and left out, named above" if merged.damaged else ""
    show([f"{out}: {merged.units} units of {merged.settings} settings, {merged.new} units of them new{lost}"])
