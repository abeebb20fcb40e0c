"""The store: one SQLite file that holds what has been measured, and so what is missing."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from radhard.campaign.experiment import Unit
from radhard.campaign.outcomes import COLUMNS, Outcome, pack, unpack
from radhard.errors import InputError, StoreError

SCHEMA = 3
_WITHOUT_ACCOUNTS = 2  # the schema before: read as it is, and brought up to date when a store is opened for writing
APPLICATION = 0x52414448  # "RADH", in the header of the file

_TABLES = (
    "CREATE TABLE setting (digest TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE unit (
        setting TEXT NOT NULL REFERENCES setting (digest),
        trial INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
        prediction BLOB NOT NULL, correct BLOB NOT NULL, changed BLOB NOT NULL,
        non_finite BLOB NOT NULL, flips BLOB NOT NULL, account BLOB NOT NULL DEFAULT x'',
        PRIMARY KEY (setting, trial, start, stop)
    )""",
    """CREATE TABLE provenance (
        setting TEXT NOT NULL, trial INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
        seconds REAL NOT NULL, passes REAL NOT NULL, made_by TEXT NOT NULL,
        PRIMARY KEY (setting, trial, start, stop),
        FOREIGN KEY (setting, trial, start, stop) REFERENCES unit (setting, trial, start, stop)
    )""",
)
_KEY = "setting = ? AND trial = ? AND start = ? AND stop = ?"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How an outcome was got: in `seconds`, by `passes` of an image through the model, a part of one counted by its
    share of operations; `made_by`: JSON of versions and back ends. Not part of the outcome.
    """

    seconds: float
    passes: float
    made_by: str


class Store:
    """An open store, a context manager. Its rows do not depend on the order in which they were written."""

    def __init__(self, path: Path, *, mode: Literal["write", "read"] = "write") -> None:
        """Open the store at `path`; in mode "write" make it if there is none.

        Raises StoreError, naming the file, what was found and what was expected, if it is no store of ours.
        """
        self.path = path
        if mode == "read" and not path.is_file():
            raise StoreError(f"store {path} does not exist; check the path, or make it with `radhard sweep`")
        if not path.parent.is_dir():
            raise StoreError(f"store {path}: the folder {path.parent} does not exist; make it first")
        with _telling(path):
            how = "ro" if mode == "read" else "rwc"
            self._file = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode={how}", uri=True, isolation_level=None, timeout=60
            )
        try:
            with _telling(path):
                self._open(mode)
        except BaseException:
            self._file.close()
            raise

    def _open(self, mode: str) -> None:
        self._file.execute("PRAGMA foreign_keys = ON")
        if mode == "write" and self._pragma("schema_version") == 0:
            # A process killed between making the file and filling it leaves it empty: a new store, too.
            with self.transaction():
                if self._pragma("schema_version") == 0:  # still, now that nobody else can write
                    for table in _TABLES:
                        self._file.execute(table)
                    self._file.execute(f"PRAGMA application_id = {APPLICATION}")
                    self._file.execute(f"PRAGMA user_version = {SCHEMA}")
        found = self._pragma("application_id")
        if found != APPLICATION:
            raise StoreError(
                f"store {self.path} is an SQLite file, but not one of radhard's: application id {found:#x}, "
                f"expected {APPLICATION:#x}; give another file to --store"
            )
        if mode == "write" and self._pragma("user_version") == _WITHOUT_ACCOUNTS:
            with self.transaction():
                if self._pragma("user_version") == _WITHOUT_ACCOUNTS:
                    self._file.execute("ALTER TABLE unit ADD COLUMN account BLOB NOT NULL DEFAULT x''")
                    self._file.execute(f"PRAGMA user_version = {SCHEMA}")
        found = self._pragma("user_version")
        self._columns = ", ".join(COLUMNS)
        if mode == "read" and found == _WITHOUT_ACCOUNTS:
            self._columns = ", ".join("x''" if name == "account" else name for name in COLUMNS)
        elif found != SCHEMA:
            raise StoreError(
                f"store {self.path} has schema {found}, this radhard reads schema {SCHEMA}; open it with the "
                "radhard that wrote it, or give another file to --store"
            )
        problem = self._file.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(problem)
        if mode == "write":
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = FULL")

    def _pragma(self, name: str) -> int:
        return int(self._file.execute(f"PRAGMA {name}").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is written within, or nothing."""
        with _telling(self.path):
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._file.execute("ROLLBACK")
                raise
            self._file.execute("COMMIT")

    def write(self, unit: Unit, outcome: Outcome, *, provenance: Provenance) -> None:
        """Keep a unit's outcome, in one transaction. StoreError if another outcome of it is there already."""
        if len(outcome) != len(unit):
            raise InputError(f"an outcome of {len(outcome)} images was given for a unit of {len(unit)}")
        with self.transaction():
            self.insert_setting(unit.setting.digest, unit.setting.text)
            self.insert_unit(unit.key, pack(outcome), provenance=provenance)

    def insert_setting(self, digest: str, text: str) -> None:
        """Keep a setting; within a transaction."""
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            raise StoreError(f"setting {digest[:12]} is damaged: its text has another digest")
        self._file.execute("INSERT OR IGNORE INTO setting VALUES (?, ?)", (digest, text))

    def insert_unit(self, key: tuple[str, int, int, int], packed: tuple[bytes, ...], *, provenance: Provenance) -> None:
        """Keep packed outcomes; within a transaction. What is there already must be the same."""
        found = self._file.execute(f"SELECT {self._columns} FROM unit WHERE {_KEY}", key).fetchone()  # noqa: S608
        if found is None:
            marks = ", ".join("?" * (len(key) + len(packed)))
            self._file.execute(f"INSERT INTO unit VALUES ({marks})", (*key, *packed))  # noqa: S608
            self._file.execute(
                "INSERT INTO provenance VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*key, provenance.seconds, provenance.passes, provenance.made_by),
            )
        elif found != packed:
            column = next(name for name, a, b in zip(COLUMNS, found, packed, strict=True) if a != b)
            digest, trial, start, stop = key
            raise StoreError(
                f"store {self.path} already holds another outcome of setting {digest[:12]}, trial {trial}, "
                f"images {start} to {stop - 1}: column {column!r} differs. One of the two was made by a "
                "radhard or a machine that computes something else; measure it again into a new store"
            )

    def outcome(self, unit: Unit) -> Outcome | None:
        """What became of a unit's images, or None if that is not known yet."""
        key = unit.key
        with _telling(self.path):
            query = f"SELECT {self._columns} FROM unit WHERE {_KEY}"  # noqa: S608
            found = self._file.execute(query, key).fetchone()
        if found is None:
            return None
        try:
            return unpack(found, images=len(unit))
        except StoreError as error:
            raise StoreError(
                f"store {self.path}, setting {key[0][:12]}, trial {unit.trial}, images {unit.start} to "
                f"{unit.stop - 1}: {error}. The file is damaged; measure into a new store"
            ) from None

    def settings(self) -> dict[str, str]:
        """Digest -> canonical JSON of every setting in the store, ordered by digest."""
        with _telling(self.path):
            return dict(self._file.execute("SELECT digest, text FROM setting ORDER BY digest"))

    def rows(self) -> Iterator[tuple[tuple[str, int, int, int], tuple[bytes, ...]]]:
        """(setting, trial, start, stop) and the packed COLUMNS of every unit, ordered by the former."""
        with _telling(self.path):
            query = f"SELECT setting, trial, start, stop, {self._columns} FROM unit ORDER BY 1, 2, 3, 4"  # noqa: S608
            for row in self._file.execute(query):
                yield row[:4], row[4:]

    def provenance(self, key: tuple[str, int, int, int]) -> Provenance:
        """How the outcome of a unit that is in the store was got."""
        with _telling(self.path):
            query = f"SELECT seconds, passes, made_by FROM provenance WHERE {_KEY}"  # noqa: S608
            seconds, passes, made_by = self._file.execute(query, key).fetchone()
        return Provenance(seconds=seconds, passes=passes, made_by=made_by)

    def close(self) -> None:
        """Close the file. What was written is on the disk already."""
        self._file.close()

    def __enter__(self) -> Self:
        """The store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into StoreErrors that name the file, what is wrong and what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(f"store {path} cannot be used: {error}; is it writable, and is the disk full?") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"store {path} is not an SQLite file of radhard schema {SCHEMA}, or was cut short: {error}. "
            "Restore it from a copy, or give another file to --store and measure again"
        ) from error
