"""Recovers intact rows from a damaged store: table by table, past unreadable pages, each row verified."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from radhard.campaign.opening import short, telling
from radhard.campaign.results import KeptResult, verified_result
from radhard.campaign.schema import HOW, KEY, RESULT, Key, checksum, has_checksums, has_results
from radhard.campaign.store import Provenance, Store, check_setting
from radhard.errors import StoreError

_SMALLEST_ROW = 64
"""Bytes of a unit, at least: so many rows a file can have at most, whatever its numbers say."""


@dataclass(frozen=True, kw_only=True)
class Sound:
    """What is whole of a store: settings and programs by digest, units by key, results, the oldest first.

    `damaged`: what is not whole, one line each.
    """

    settings: dict[str, str]
    programs: dict[str, str]
    units: dict[Key, tuple[tuple[bytes, ...], Provenance]]
    results: tuple[KeptResult, ...]
    damaged: tuple[str, ...]


def salvage(path: Path) -> Sound:
    """Read what is whole of the store at `path`. StoreError if not even its tables can be found."""
    with Store(path, mode="salvage") as store, telling(path):
        file, damaged = store.connection, _Damage()
        kept = "checksum" if has_checksums(store.schema) else "NULL"
        settings = {}
        for digest, text in damaged.rows(file, "setting", "digest, text", order="digest"):
            try:
                check_setting(digest, text)
                settings[digest] = text
            except StoreError as error:
                damaged.note(str(error))
        programs = {}
        if has_checksums(store.schema):
            for digest, text, expected in damaged.rows(file, "program", "digest, text, checksum", order="digest"):
                if checksum((digest, text)) == expected:
                    programs[digest] = text
                else:
                    damaged.note(f"the description of program {str(digest)[:12]} is damaged")
        hows = {}
        for row in damaged.rows(file, "provenance", f"{KEY}, {HOW}, {kept}", order="rowid"):
            try:
                hows[row[:4]] = store.verified_provenance(row[:4], row[4:])
            except (StoreError, sqlite3.Error):
                continue  # told with the unit that it belongs to
        units = {}
        for row in damaged.rows(file, "unit", f"{KEY}, {store.kept}", order="rowid"):
            try:
                key, packed = store.verified(row)
                if key[0] not in settings:
                    raise StoreError(f"setting {key[0][:12]}, trial {key[1]}: what the setting is was lost")
                if key not in hows:
                    raise StoreError(f"{store.name(key)}: how it was measured was lost")
            except (StoreError, sqlite3.Error) as error:
                damaged.note(short(str(error).split("; `radhard merge")[0].removeprefix(f"store {path}: ")))
                continue
            units[key] = packed, hows[key]
        found = []
        for row in (
            damaged.rows(file, "result", f"{RESULT}, checksum", order="rowid") if has_results(store.schema) else ()
        ):
            try:
                found.append(verified_result(row))
            except StoreError as error:
                damaged.note(short(str(error)))
        return Sound(
            settings=settings,
            programs=programs,
            units=units,
            results=tuple(sorted(found, key=lambda one: (one.made, one.digest))),
            damaged=tuple(damaged.notes),
        )


class _Damage:
    """Notes of what is damaged, in the order in which it was met."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Note once."""
        if text not in self.notes:
            self.notes.append(text)

    def rows(self, file: sqlite3.Connection, table: str, columns: str, *, order: str) -> Iterator[tuple]:  # type: ignore[type-arg]
        """The rows of a table that can be read: from its start, from its end, and one by one between."""
        query = f"SELECT {order}, {columns} FROM {table} {'NOT INDEXED' if order == 'rowid' else ''}"  # noqa: S608
        seen = set()
        ends = []
        for direction in ("ASC", "DESC"):
            last = None
            try:
                for number, *row in file.execute(f"{query} ORDER BY {order} {direction}"):
                    last = number
                    if number not in seen:
                        seen.add(number)
                        yield tuple(row)
                return
            except sqlite3.DatabaseError as error:
                self.note(f"table {table}: a part cannot be read ({short(error)})")
            ends.append(last)
        low, high = ends
        if order != "rowid" or not isinstance(low, int | None) or not isinstance(high, int | None):
            return
        most = _rows_at_most(file)
        low = 0 if low is None else low
        for number in range(low + 1, min(low + most, most if high is None else high)):
            try:
                row = file.execute(f"{query} WHERE rowid = ?", (number,)).fetchone()
            except sqlite3.DatabaseError:
                continue
            if row is not None:
                yield row[1:]


def _rows_at_most(file: sqlite3.Connection) -> int:
    pages, size = (int(file.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    return pages * size // _SMALLEST_ROW
