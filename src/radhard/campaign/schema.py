"""The tables of a store, the upgrade of older versions, and the checksums of rows."""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache

from radhard.campaign.outcomes import COLUMNS, LATER
from radhard.errors import StoreError

SCHEMA = 6
WITHOUT_EFFECTS = 5
WITHOUT_RESULTS = 4
WITHOUT_CHECKSUMS = 3
WITHOUT_ACCOUNTS = 2
OLDER = (WITHOUT_ACCOUNTS, WITHOUT_CHECKSUMS, WITHOUT_RESULTS, WITHOUT_EFFECTS)
"""The schemas before: read as they are, and brought up to date when a store is opened for writing."""
APPLICATION = 0x52414448  # "RADH", in the header of the file

KEY = "setting, trial, start, stop"
WHERE = "setting = ? AND trial = ? AND start = ? AND stop = ?"
HOW = "seconds, passes, made_by"
RESULT = "digest, verb, model, settings, record, command, version, device, made"
"""The columns of a result, all texts, but for its checksum."""

Key = tuple[str, int, int, int]
"""Digest of the setting, trial, first image, one past the last."""

_SETTING = "CREATE TABLE setting (digest TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID"
_UNIT = """CREATE TABLE unit (
    setting TEXT NOT NULL REFERENCES setting (digest),
    trial INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
    prediction BLOB NOT NULL, correct BLOB NOT NULL, changed BLOB NOT NULL,
    non_finite BLOB NOT NULL, flips BLOB NOT NULL,{more}
    PRIMARY KEY (setting, trial, start, stop)
)"""
_PROVENANCE = """CREATE TABLE provenance (
    setting TEXT NOT NULL, trial INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
    seconds REAL NOT NULL, passes REAL NOT NULL, made_by TEXT NOT NULL,
    PRIMARY KEY (setting, trial, start, stop),
    FOREIGN KEY (setting, trial, start, stop) REFERENCES unit (setting, trial, start, stop)
)"""
_ACCOUNT = "account BLOB NOT NULL DEFAULT x''"
_PROGRAM = "CREATE TABLE program (digest TEXT PRIMARY KEY, text TEXT NOT NULL, checksum BLOB NOT NULL) WITHOUT ROWID"
_RESULT = f"""CREATE TABLE result ({", ".join(f"{name} TEXT NOT NULL" for name in RESULT.split(", "))},
    checksum BLOB NOT NULL, PRIMARY KEY (digest)
)"""
_TABLES = {
    WITHOUT_ACCOUNTS: (_SETTING, _UNIT.format(more=""), _PROVENANCE),
    WITHOUT_CHECKSUMS: (_SETTING, _UNIT.format(more=f" {_ACCOUNT},"), _PROVENANCE),
}
_UPGRADES = {
    WITHOUT_ACCOUNTS: (f"ALTER TABLE unit ADD COLUMN {_ACCOUNT}",),
    WITHOUT_CHECKSUMS: (
        "ALTER TABLE unit ADD COLUMN checksum BLOB NOT NULL DEFAULT x''",
        "ALTER TABLE provenance ADD COLUMN checksum BLOB NOT NULL DEFAULT x''",
        _PROGRAM,
    ),
    WITHOUT_RESULTS: (_RESULT,),
    WITHOUT_EFFECTS: tuple(f"ALTER TABLE unit ADD COLUMN {name} BLOB NOT NULL DEFAULT x''" for name in LATER),
}


def checksum(values: Sequence[object]) -> bytes:
    """SHA-256 [32] of a row's values, each with its type and length."""
    state = hashlib.sha256()
    for value in values:
        raw = value if isinstance(value, bytes) else repr(value).encode("utf-8", "surrogatepass")
        state.update(f"{type(value).__name__} {len(raw)} ".encode())
        state.update(raw)
    return state.digest()


def unit_checksum(row: Sequence[object]) -> bytes:
    """The checksum of a unit's key and COLUMNS: without those that were added LATER where all of these are empty.

    So the rows of an older store keep the checksums that they have.
    """
    return checksum(row if any(row[-len(LATER) :]) else row[: -len(LATER)])


def create(file: sqlite3.Connection) -> None:
    """Make the tables of the newest schema; within a transaction."""
    for statement in _making(WITHOUT_CHECKSUMS):
        file.execute(statement)
    file.execute(f"PRAGMA application_id = {APPLICATION}")
    file.execute(f"PRAGMA user_version = {SCHEMA}")


def upgrade(file: sqlite3.Connection, *, found: int) -> None:
    """Bring the tables of an older schema up to date, rows with their checksums; within a transaction."""
    for schema in range(found, SCHEMA):
        for statement in _UPGRADES[schema]:
            file.execute(statement)
    if not has_checksums(found):
        for table, columns, summed in (
            ("unit", f"{KEY}, {', '.join(COLUMNS)}", unit_checksum),
            ("provenance", f"{KEY}, {HOW}", checksum),
        ):
            for row in file.execute(f"SELECT {columns} FROM {table}").fetchall():  # noqa: S608
                file.execute(f"UPDATE {table} SET checksum = ? WHERE {WHERE}", (summed(row), *row[:4]))  # noqa: S608
    file.execute(f"PRAGMA user_version = {SCHEMA}")


def schema_of(file: sqlite3.Connection) -> int:
    """The schema that the tables of a file are of, whatever its header says. StoreError if they are none of ours."""
    columns = {row[1] for row in file.execute("PRAGMA table_info(unit)")}
    if not columns >= {*KEY.split(", "), *COLUMNS} - {"account", *LATER}:
        raise StoreError("it has no table of units: nothing of it can be read")
    if "checksum" in columns:
        if columns >= {*LATER}:
            return SCHEMA
        return WITHOUT_EFFECTS if file.execute("PRAGMA table_info(result)").fetchone() else WITHOUT_RESULTS
    return WITHOUT_CHECKSUMS if "account" in columns else WITHOUT_ACCOUNTS


def has_checksums(schema: int) -> bool:
    """Whether rows have checksums, and programs descriptions."""
    return schema > WITHOUT_CHECKSUMS


def has_results(schema: int) -> bool:
    """Whether results are kept beside outcomes."""
    return schema > WITHOUT_RESULTS


def check_tables(file: sqlite3.Connection, *, found: int) -> None:
    """Raise StoreError unless the tables are those of the schema, as one of its ways makes them."""
    text = _definitions(file)
    if text not in _known(found):
        raise sqlite3.DatabaseError(f"its tables are not those of schema {found}")


@cache
def _known(schema: int) -> tuple[tuple[str, ...], ...]:
    """What the tables of a schema are defined by: made as such, or brought up to date from an older one."""
    found = []
    for origin in _TABLES:
        if origin <= schema:
            file = sqlite3.connect(":memory:")
            for statement in _making(origin, up_to=schema):
                file.execute(statement)
            found.append(_definitions(file))
            file.close()
    return tuple(found)


def _making(origin: int, *, up_to: int = SCHEMA) -> Iterator[str]:
    yield from _TABLES[origin]
    for schema in range(origin, up_to):
        yield from _UPGRADES[schema]


def _definitions(file: sqlite3.Connection) -> tuple[str, ...]:
    """The definitions of all tables, by their names, blanks apart."""
    rows = file.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2")
    return tuple(" ".join(" ".join(str(value) for value in row).split()) for row in rows)


def columns_of(schema: int) -> str:
    """The SQL of a unit's COLUMNS in a schema."""
    lacking = {"account"} if schema <= WITHOUT_ACCOUNTS else set()
    if schema <= WITHOUT_EFFECTS:
        lacking |= {*LATER}
    return ", ".join("x''" if name in lacking else name for name in COLUMNS)


def check_types(values: Sequence[object], kinds: Sequence[type]) -> None:
    """Raise StoreError if a value of a row has another type than its column."""
    for value, kind in zip(values, kinds, strict=True):
        if type(value) is not kind:
            raise StoreError(f"it holds {type(value).__name__} {value!r:.40} where {kind.__name__} belongs")
