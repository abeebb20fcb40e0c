"""`radhard store`: what a store holds, and whether it is whole."""

import json
from pathlib import Path
from typing import Annotated

import typer

from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.errors import StoreError
from radhard.version import VERSION


def store(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="the store to look into; it is read, never changed")],
    output: Annotated[OutputOptions, taken(only=("json_",))],
) -> None:
    """Show what a store holds by model, program and data, and check every unit of it; exit 2 if one is damaged."""
    from rich.table import Table

    from radhard.campaign.contents import held, mixed_programs
    from radhard.campaign.opening import salvage_hint
    from radhard.campaign.salvage import salvage
    from radhard.campaign.store import Store
    from radhard.cli.notes import notes
    from radhard.cli.notes import output as results

    whole = salvage(file)
    damaged = list(whole.damaged)
    try:
        with Store(file, mode="read"):
            pass
    except StoreError as error:
        damaged = damaged or [str(error)]
    made_by = {key: how.made_by for key, (_, how) in whole.units.items()}
    found = held(whole.settings, whole.units, programs=whole.programs, made_by=made_by)
    if output.json_:
        groups = [
            {
                **{name: getattr(one, name) for name in ("model", "recipe", "program", "data", "data_digest")},
                "settings": one.settings,
                "units": one.units,
                "images": one.pairs,
                "devices": list(one.devices),
            }
            for one in found
        ]
        record = {"radhard": VERSION, "command": ctx.meta["command"], "holds": groups, "damaged": damaged}
        typer.echo(json.dumps(record, allow_nan=False))
    else:
        table = Table(title=str(file))
        for name in ("model", "recipe", "program", "data", "devices"):
            table.add_column(name)
        for name in ("settings", "units", "images x trials"):
            table.add_column(name, justify="right")
        for one in found:
            counts = (f"{one.settings:,}", f"{one.units:,}", f"{one.pairs:,}")
            place = (one.model, one.recipe, one.program[:12], one.data, ", ".join(one.devices))
            table.add_row(*place, *counts)
        results().print(table)
        for line in mixed_programs(found):
            notes().print(line)
    if damaged:
        for line in damaged:
            notes().print(line)
        number = f"{len(damaged)} damage{'' if len(damaged) == 1 else 's'}"
        raise StoreError(f"store {file}: {number} found, listed above; {salvage_hint(file)}")
