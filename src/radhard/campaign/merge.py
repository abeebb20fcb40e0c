"""Merges stores that were filled by shards of one campaign or by several campaigns."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from radhard.campaign.file_system import journal_for
from radhard.campaign.results import insert_result, results
from radhard.campaign.salvage import Sound, salvage
from radhard.campaign.store import Store
from radhard.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What a store holds after a merge, and how many units of it are new; what was `damaged` in the sources."""

    settings: int
    units: int
    new: int
    damaged: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def merge(into: Path, sources: Sequence[Path], *, damaged: Literal["refuse", "drop"] = "refuse") -> Merged:
    """Add all units and results of `sources` to the store `into`, made if there is none; all in one transaction.

    A unit that several stores hold must have the same outcome in each, or StoreError says which has not, and
    `into` stays as it was. What is damaged in a source raises StoreError, or is left out: `damaged`.
    """
    if not sources:
        raise InputError("nothing to merge: name at least one store to read")
    if into.resolve() in {source.resolve() for source in sources}:
        raise InputError(f"store {into} is both read and written; name another file to merge into")
    lost: list[str] = []
    with ExitStack() as stack:
        whole: list[Store | Sound] = []
        for source in sources:
            if damaged == "drop":
                whole.append(found := salvage(source))
                lost += [f"{source}: {what}" for what in found.damaged]
            else:
                whole.append(stack.enter_context(Store(source, mode="read")))
        fresh = not into.exists()
        try:
            store = stack.enter_context(Store(into, journal=journal_for(into)))
            before = len(store.keys())
            with store.transaction():
                for one in whole:
                    _add(store, one)
        except BaseException:
            stack.close()
            if fresh:
                into.unlink(missing_ok=True)
            raise
        after, remarks = len(store.keys()), tuple(store.remarks)
        return Merged(
            settings=len(store.settings()), units=after, new=after - before, damaged=tuple(lost), remarks=remarks
        )


def _add(store: Store, source: Store | Sound) -> None:
    """Add all that a source holds; within a transaction."""
    if isinstance(source, Sound):
        programs, settings = source.programs, source.settings
        units = ((key, packed, how) for key, (packed, how) in source.units.items())
        kept = source.results
    else:
        programs, settings = source.programs(), source.settings()
        units = ((key, packed, source.provenance(key)) for key, packed in source.rows())
        kept = results(source)
    for digest, text in programs.items():
        store.insert_program(digest, text)
    for digest, text in settings.items():
        store.insert_setting(digest, text)
    for key, packed, how in units:
        store.insert_unit(key, packed, provenance=how)
    for result in kept:
        insert_result(store, result.row)
