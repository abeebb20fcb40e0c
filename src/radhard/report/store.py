"""The contents of a store, as records and as tables."""

from collections.abc import Sequence
from typing import TypedDict

from rich.table import Table

from radhard.campaign.contents import Held
from radhard.campaign.results import KeptResult
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


class KeptRecord(TypedDict):
    """A result that a store keeps: by which verb, of which model, when (ISO 8601, UTC), where and by what command."""

    verb: str
    model: str
    made: str
    device: str
    version: str
    command: str
    digest: str


def kept_record(kept: KeptResult) -> KeptRecord:
    """A result that a store keeps -> JSON values; its record stays in the store."""
    return {
        "verb": kept.verb,
        "model": kept.model,
        "made": kept.made,
        "device": kept.device,
        "version": kept.version,
        "command": kept.command,
        "digest": kept.digest,
    }


def kept_table(results: Sequence[KeptResult]) -> Table:
    """One row a result, the oldest first."""
    table = FittedTable("results", keys=2)
    for name in ("result", "model", "made", "command"):
        table.add_column(name)
    for one in results:
        table.add_row(one.verb, one.model, one.made.partition(".")[0], one.command or "from Python")
    return table


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
