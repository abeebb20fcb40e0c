"""`radhard store`: prints the contents of a store and verifies every unit."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.errors import StoreError


def store(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="the store to read; it is not changed")],
    output: Annotated[OutputOptions, taken(only=("json_", "wide"))],
) -> None:
    """List a store's contents by model, program and data, and its results, and verify every unit.

    The exit code is 2 if a unit or a result is damaged.
    """
    from radhard.campaign.contents import held, mixed_programs
    from radhard.campaign.opening import salvage_hint
    from radhard.campaign.salvage import salvage
    from radhard.campaign.store import Store
    from radhard.cli.notes import notes, show, show_json
    from radhard.report.record import Envelope
    from radhard.report.store import kept_record, kept_table, store_record, store_table
    from radhard.studies.settings import settings_of

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
        show_json(
            Envelope(
                command=ctx.meta["command"],
                settings=settings_of(file=file),
                models=[store_record(each) for each in found],
                beside={"damaged": damaged, "results": [kept_record(one) for one in whole.results]},
            )
        )
    else:
        show(
            [store_table(found, title=str(file)), *([kept_table(whole.results)] if whole.results else [])],
            options=output,
        )
        for line in mixed_programs(found):
            notes().print(line)
    if damaged:
        for line in damaged:
            notes().print(line)
        number = f"{len(damaged)} damage{'' if len(damaged) == 1 else 's'}"
        raise StoreError(f"store {file}: {number} found, listed above; {salvage_hint(file)}")
