"""The store of outcomes: one SQLite file, which says what is measured and what is missing.

Every row has a checksum, verified whenever it is read: what is read is what was written, or a StoreError names the
unit that is damaged.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from radhard.campaign.experiment import Unit
from radhard.campaign.file_system import Journal, check_journal
from radhard.campaign.opening import connect, connect_to_read, salvage_hint, short, telling, writable
from radhard.campaign.outcomes import COLUMNS, LATER, Outcome, pack, together, unpack
from radhard.campaign.schema import (
    APPLICATION,
    HOW,
    KEY,
    OLDER,
    SCHEMA,
    WHERE,
    Key,
    check_tables,
    check_types,
    checksum,
    columns_of,
    create,
    has_checksums,
    schema_of,
    unit_checksum,
    upgrade,
)
from radhard.errors import InputError, StoreError
from radhard.program.program import recipe_digested

__all__ = ["APPLICATION", "SCHEMA", "Key", "Provenance", "Store"]

_KEY_TYPES = (str, int, int, int)
_HOW_TYPES = (float, float, str)


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How an outcome was got: in `seconds`, by `passes` of an image through the model, a part of one counted by its
    share of operations; `made_by`: JSON of versions and back ends. Not part of the outcome.
    """

    seconds: float
    passes: float
    made_by: str


class Store:
    """An open store, a context manager. Its rows do not depend on the order in which they were written.

    `remarks`: what a user should know of how it was opened.
    """

    def __init__(
        self, path: Path, *, mode: Literal["write", "read", "salvage"] = "write", journal: Journal = "wal"
    ) -> None:
        """Open the store at `path`; in mode "write" make it if there is none.

        One that is there and cannot be written is read: only what it lacks is refused. In mode "salvage" it may be
        damaged: what is read is checked row by row. Raises StoreError, naming the file, what was found and what was
        expected, if it is no store of ours; and for the `journal` "wal" on a network file system.
        """
        self.path = path
        self.remarks: list[str] = []
        self._copy = None
        if mode != "write" and not path.is_file():
            raise StoreError(f"store {path} does not exist; check the path, or make it with `radhard sweep`")
        if not path.parent.is_dir():
            raise StoreError(f"store {path}: the folder {path.parent} does not exist; make it first")
        self._journal: Journal = journal
        self._reads = mode != "write"
        if mode == "write" and path.is_file() and path.stat().st_size and not writable(path):
            self._reads = True
            self.remarks.append(f"store {path} cannot be written: it is read, and nothing can be added to it")
        with telling(path):
            if self._reads:
                self._file, self._copy = connect_to_read(path)
            else:
                check_journal(path, journal)
                self._file = connect(path, mode="mode=rwc")
        try:
            with telling(path):
                self._open(mode)
        except BaseException:
            self.close()
            raise

    def _open(self, mode: str) -> None:
        if not self._reads:
            if self._journal == "rollback":  # no memory is shared: others wait until this process is done
                self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._file.execute("PRAGMA journal_mode = DELETE")
            self._file.execute("PRAGMA foreign_keys = ON")
            if self._pragma("schema_version") == 0:
                # A process killed between making the file and filling it leaves it empty: a new store, too.
                with self.transaction():
                    if self._pragma("schema_version") == 0:  # still, now that nobody else can write
                        create(self._file)
        if mode == "salvage":
            self.schema = schema_of(self._file)
            return
        found = self._pragma("application_id")
        if found != APPLICATION:
            raise StoreError(
                f"store {self.path} is an SQLite file, but not one of radhard's: application id {found:#x}, "
                f"expected {APPLICATION:#x}; give another file to --store"
            )
        self.schema = self._pragma("user_version")
        if self.schema not in (SCHEMA, *OLDER):
            raise StoreError(
                f"store {self.path} has schema {self.schema}, this radhard reads schema {SCHEMA}; open it with the "
                f"radhard that wrote it, or give another file to --store; if it was written by this one, its header is "
                f"damaged: {salvage_hint(self.path)}"
            )
        check_tables(self._file, found=self.schema)
        if problem := [str(row[0]) for row in self._file.execute("PRAGMA integrity_check(3)") if row[0] != "ok"]:
            raise sqlite3.DatabaseError("; ".join(problem))
        self.settings()
        if not self._reads:
            self._upgrade()
            if self._journal == "wal":
                self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = FULL")

    def _upgrade(self) -> None:
        """Bring an older store up to date, if what it holds can be right."""
        if self.schema == SCHEMA:
            return
        with self.transaction():
            self.schema = self._pragma("user_version")
            if self.schema == SCHEMA:  # another process has done it
                return
            units = sum(1 for _ in self.rows())
            upgrade(self._file, found=self.schema)
            if not has_checksums(self.schema):
                self.remarks.append(
                    f"store {self.path} was of schema {self.schema}, which has no checksums: its {units:,} units have "
                    "them from now on; damage from before could be found only where it contradicts itself"
                )
            self.schema = SCHEMA

    @property
    def writable(self) -> bool:
        """Whether anything can be added."""
        return not self._reads

    def _pragma(self, name: str) -> int:
        return int(self._file.execute(f"PRAGMA {name}").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is written within, or nothing."""
        if self._reads:
            raise StoreError(
                f"store {self.path} cannot be written, and it lacks units that this run needs: copy it to a disk that "
                "can be, and give the copy"
            )
        with telling(self.path):
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._file.execute("ROLLBACK")
                raise
            self._file.execute("COMMIT")

    def write(self, unit: Unit, outcome: Outcome, *, provenance: Provenance, program: str = "") -> None:
        """Keep a unit's outcome, in one transaction. StoreError if another outcome of it is there already.

        `program`: JSON that describes the program of its setting.
        """
        if len(outcome) != len(unit):
            raise InputError(f"an outcome of {len(outcome)} images was given for a unit of {len(unit)}")
        with self.transaction():
            if program:
                self.insert_program(unit.setting.program, program)
            self.insert_setting(unit.setting.digest, unit.setting.text)
            self.insert_unit(unit.key, pack(outcome), provenance=provenance)

    def insert_program(self, digest: str, text: str) -> None:
        """Keep what describes a program; within a transaction. What is there already stays."""
        row = digest, text, checksum((digest, text))
        self._file.execute("INSERT OR IGNORE INTO program VALUES (?, ?, ?)", row)

    def insert_setting(self, digest: str, text: str) -> None:
        """Keep a setting; within a transaction."""
        check_setting(digest, text)
        self._file.execute("INSERT OR IGNORE INTO setting VALUES (?, ?)", (digest, text))

    def insert_unit(self, key: Key, packed: tuple[bytes, ...], *, provenance: Provenance) -> None:
        """Keep packed outcomes; within a transaction. What is there already must be the same, as far as it is known."""
        found = self._unit(key)
        both = packed if found is None else together(found, packed)
        if found is None or both not in (None, found):
            row = (*key, *(both or packed))
            marks = ", ".join("?" * (len(row) + 1))
            self._file.execute(
                f"INSERT INTO unit ({KEY}, {', '.join(COLUMNS)}, checksum) VALUES ({marks}) "  # noqa: S608
                f"ON CONFLICT DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in (*LATER, 'checksum'))}",
                (*row, unit_checksum(row)),
            )
        if found is None:
            how = (*key, float(provenance.seconds), float(provenance.passes), provenance.made_by)
            self._file.execute(
                f"INSERT INTO provenance ({KEY}, {HOW}, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                (*how, checksum(how)),
            )
        elif both is None:
            column = next(name for name, a, b in zip(COLUMNS, found, packed, strict=True) if a != b)
            raise StoreError(
                f"store {self.path} already holds another outcome of {self.name(key)}: column {column!r} differs. One "
                "of the two was made by a radhard or a machine that computes something else; measure it again into a "
                "new store"
            )

    def outcome(self, unit: Unit) -> Outcome | None:
        """What became of a unit's images, or None if that is not known yet."""
        found = self._unit(unit.key)
        if found is None:
            return None
        try:
            return unpack(found, images=len(unit))
        except StoreError as error:
            raise self.damaged(unit.key, str(error)) from None

    def _unit(self, key: Key) -> tuple[bytes, ...] | None:
        """The packed COLUMNS of a unit, their checksum verified; None if the store has no such unit."""
        with telling(self.path):
            query = f"SELECT {self.kept} FROM unit WHERE {WHERE}"  # noqa: S608
            row = self._file.execute(query, key).fetchone()
        return None if row is None else self._checked(key, row)

    @property
    def connection(self) -> sqlite3.Connection:
        """The open file, to read what is whole of a damaged one."""
        return self._file

    @property
    def kept(self) -> str:
        """The SQL of a unit's COLUMNS and checksum; NULL where an older schema has none."""
        return f"{columns_of(self.schema)}, {'checksum' if has_checksums(self.schema) else 'NULL'}"

    def _checked(self, key: Key, row: tuple[object, ...]) -> tuple[bytes, ...]:
        """The packed COLUMNS of a row of these and the checksum. StoreError names the unit if it does not match."""
        *packed, expected = row
        if expected is not None and expected != unit_checksum((*key, *packed)):
            raise self.damaged(key, "its checksum is another one")
        try:
            check_types(packed, (bytes,) * len(COLUMNS))
        except StoreError as error:
            raise self.damaged(key, str(error)) from None
        return tuple(packed)  # type: ignore[arg-type]

    def damaged(self, key: Key, what: str) -> StoreError:
        """The error that names a damaged unit, and what to do."""
        return StoreError(f"store {self.path}: {self.name(key)} is damaged: {short(what)}; {salvage_hint(self.path)}")

    def name(self, key: Key) -> str:
        """A unit in words: its model, rate, trial and images, the first digits of its setting."""
        digest, trial, start, stop = key
        name = f"setting {digest!s:.12}"
        try:
            row = self._file.execute("SELECT text FROM setting WHERE digest = ?", (digest,)).fetchone()
        except sqlite3.Error:  # the setting is damaged, too
            row = None
        if row is not None:
            name = f"{_described(str(row[0]))}, {name}"
        return f"{name}, trial {trial}, images {start} to {stop - 1 if isinstance(stop, int) else stop}"

    def settings(self) -> dict[str, str]:
        """Digest -> canonical JSON of every setting in the store, ordered by digest; each of that digest."""
        with telling(self.path):
            found = dict(self._file.execute("SELECT digest, text FROM setting ORDER BY digest"))
        for digest, text in found.items():
            try:
                check_setting(digest, text)
            except StoreError as error:
                raise StoreError(f"store {self.path}: {error}; {salvage_hint(self.path)}") from None
        return found

    def programs(self) -> dict[str, str]:
        """Digest -> JSON that describes it, of every program that the store knows, ordered by digest."""
        if not has_checksums(self.schema):
            return {}
        with telling(self.path):
            rows = self._file.execute("SELECT digest, text, checksum FROM program ORDER BY digest").fetchall()
        for digest, text, expected in rows:
            if checksum((digest, text)) != expected:
                raise StoreError(
                    f"store {self.path}: the description of program {digest[:12]} is damaged; {salvage_hint(self.path)}"
                )
        return {digest: text for digest, text, _ in rows}

    def keys(self) -> list[Key]:
        """(setting, trial, start, stop) of every unit, in that order, whether damaged or not."""
        with telling(self.path):
            return list(self._file.execute(f"SELECT {KEY} FROM unit ORDER BY 1, 2, 3, 4"))  # noqa: S608

    def rows(self, *, setting: str | None = None) -> Iterator[tuple[Key, tuple[bytes, ...]]]:
        """(setting, trial, start, stop) and the packed COLUMNS of every unit, or of one setting's, in that order."""
        with telling(self.path):
            where, values = ("", ()) if setting is None else ("WHERE setting = ?", (setting,))
            query = f"SELECT {KEY}, {self.kept} FROM unit {where} ORDER BY 1, 2, 3, 4"  # noqa: S608
            for row in self._file.execute(query, values):
                yield self.verified(row)

    def verified(self, row: tuple[object, ...]) -> tuple[Key, tuple[bytes, ...]]:
        """A row of key, COLUMNS and checksum -> key and columns. StoreError names the unit if it is damaged."""
        key: Key = row[:4]  # type: ignore[assignment]
        packed = self._checked(key, row[4:])
        try:
            check_types(key, _KEY_TYPES)
            unpack(packed, images=key[3] - key[2])
        except StoreError as error:
            raise self.damaged(key, str(error)) from None
        return key, packed

    def provenance(self, key: Key) -> Provenance:
        """How the outcome of a unit that is in the store was got."""
        with telling(self.path):
            kept = "checksum" if has_checksums(self.schema) else "NULL"
            row = self._file.execute(f"SELECT {HOW}, {kept} FROM provenance WHERE {WHERE}", key).fetchone()  # noqa: S608
        if row is None:
            raise self.damaged(key, "how it was measured is not there")
        return self.verified_provenance(key, row)

    def made_by(self) -> list[str]:
        """What computed the units, JSON texts, each once."""
        with telling(self.path):
            return [str(row[0]) for row in self._file.execute("SELECT DISTINCT made_by FROM provenance ORDER BY 1")]

    def verified_provenance(self, key: Key, row: tuple[object, ...]) -> Provenance:
        """A row of seconds, passes, made_by and checksum -> Provenance. StoreError names the unit if it is damaged."""
        *how, expected = row
        if expected is not None and expected != checksum((*key, *how)):
            raise self.damaged(key, "how it was measured has another checksum")
        try:
            check_types(how, _HOW_TYPES)
        except StoreError as error:
            raise self.damaged(key, str(error)) from None
        seconds, passes, made_by = how
        return Provenance(seconds=seconds, passes=passes, made_by=made_by)  # type: ignore[arg-type]

    def close(self) -> None:
        """Close the file. What was written is on the disk already."""
        self._file.close()
        if self._copy is not None:
            self._copy.cleanup()

    def __enter__(self) -> Self:
        """The store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def check_setting(digest: str, text: str) -> None:
    """Raise StoreError if a setting's text has another digest."""
    if not isinstance(text, str) or hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest() != digest:
        raise StoreError(f"setting {digest!s:.12} is damaged: its text has another digest")


def _described(text: str) -> str:
    """A setting's text -> its model, recipe and rate in words; nothing that is not there."""
    try:
        values = json.loads(text)
    except ValueError:
        return "an unreadable setting"
    if not isinstance(values, Mapping):
        return "an unreadable setting"
    faults = values.get("faults")
    rate = "no faults"
    if isinstance(faults, Mapping):
        rate = f"BER {faults.get('ber')}" if "ber" in faults else f"flips an inference: {faults.get('flips')}"
    recipe = recipe_digested(str(values.get("recipe")))
    return f"{values.get('model')}, {recipe}, {rate}{', protected' if 'protection' in values else ''}"
