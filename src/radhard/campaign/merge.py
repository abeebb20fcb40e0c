"""Put stores together that shards of one campaign, or several campaigns, have filled."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from radhard.campaign.store import Store
from radhard.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What a store holds after a merge, and how many units of it are new."""

    settings: int
    units: int
    new: int


def merge(into: Path, sources: Sequence[Path]) -> Merged:
    """Add all units of `sources` to the store `into`, made if there is none; all in one transaction.

    A unit that several stores hold must have the same outcome in each, or StoreError says which has not, and
    `into` stays as it was.
    """
    if not sources:
        raise InputError("nothing to merge: name at least one store to read")
    if into.resolve() in {source.resolve() for source in sources}:
        raise InputError(f"store {into} is both read and written; name another file to merge into")
    opened = [Store(source, mode="read") for source in sources]
    try:
        with Store(into) as store:
            before = sum(1 for _ in store.rows())
            with store.transaction():
                for source in opened:
                    for digest, text in source.settings().items():
                        store.insert_setting(digest, text)
                    for key, packed in source.rows():
                        store.insert_unit(key, packed, provenance=source.provenance(key))
            after = sum(1 for _ in store.rows())
            return Merged(settings=len(store.settings()), units=after, new=after - before)
    finally:
        for source in opened:
            source.close()
