"""The contents of a store, as records and as a table."""

from collections.abc import Sequence
from typing import TypedDict

from rich.table import Table

from radhard.campaign.contents import Held
from radhard.report.fitted import FittedTable


class StoreRecord(TypedDict):
    """What a store holds of one model, program and data set; `images`: pairs of an image and a trial."""

    model: str
    recipe: str
    program: str
    data: str
    data_digest: str
    settings: int
    units: int
    images: int
    devices: list[str]


def store_record(held: Held) -> StoreRecord:
    """One group of what a store holds -> JSON values."""
    return {
        "model": held.model,
        "recipe": held.recipe,
        "program": held.program,
        "data": held.data,
        "data_digest": held.data_digest,
        "settings": held.settings,
        "units": held.units,
        "images": held.pairs,
        "devices": list(held.devices),
    }


def store_table(groups: Sequence[Held], *, title: str) -> Table:
    """One row a model, program and data set."""
    table = FittedTable(title, keys=4)
    for name in ("model", "recipe", "program", "data", "devices"):
        table.add_column(name)
    for name in ("settings", "units", "images x trials"):
        table.add_column(name, justify="right")
    for held in groups:
        counts = (f"{held.settings:,}", f"{held.units:,}", f"{held.pairs:,}")
        table.add_row(held.model, held.recipe, held.program[:12], held.data, ", ".join(held.devices), *counts)
    return table
