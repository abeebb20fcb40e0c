"""Opens the file of a store: to write, or read-only where the disk cannot be written."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from radhard.campaign.schema import SCHEMA
from radhard.errors import StoreError, one_line

_WAIT = 60.0  # seconds that another process may hold the file
_OUTSIDE = tuple(f"SQLITE_{name}" for name in ("BUSY", "CANTOPEN", "FULL", "IOERR", "LOCKED", "PERM", "READONLY"))
_LONGEST = 200  # characters of a message of SQLite's


def connect(path: Path, *, mode: str) -> sqlite3.Connection:
    """A connection in SQLite's `mode` (ro, rwc), texts that are no UTF-8 escaped."""
    file = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, isolation_level=None, timeout=_WAIT)
    file.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
    return file


def connect_to_read(path: Path) -> tuple[sqlite3.Connection, tempfile.TemporaryDirectory[str] | None]:
    """A connection that reads the store at `path`, whatever the disk allows; and the folder of a copy, if one is made.

    What a killed process has left beside the file is part of the store: where SQLite cannot read it in place, both are
    copied. Without such a rest the file is read as it stands.
    """
    file = connect(path, mode="mode=ro")
    try:
        file.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        file.close()
        if error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
            return _read_elsewhere(path)
        raise
    except BaseException:
        file.close()
        raise
    return file, None


def _read_elsewhere(path: Path) -> tuple[sqlite3.Connection, tempfile.TemporaryDirectory[str] | None]:
    rest = path.with_name(f"{path.name}-wal")
    if not rest.exists() or rest.stat().st_size == 0:
        return connect(path, mode="mode=ro&immutable=1"), None
    folder = tempfile.TemporaryDirectory(prefix="radhard-")
    for each in (path, rest):
        shutil.copyfile(each, Path(folder.name) / each.name)
    return connect(Path(folder.name) / path.name, mode="mode=rw"), folder


def writable(path: Path) -> bool:
    """Whether a store that is there can be written, and files be made beside it."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into StoreErrors of one line that name the file, what is wrong and what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname.startswith(_OUTSIDE):
            raise StoreError(
                f"store {path} cannot be used: {short(error)}; is it writable, is the disk full, does another "
                "process hold it?"
            ) from error
        raise _damaged(path, error) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error
    except OSError as error:
        raise StoreError(f"store {path} cannot be used: {short(error)}") from error


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"store {path} is not an SQLite file of radhard schema {SCHEMA}, or was cut short or damaged: "
        f"{short(error)}. Restore it from a copy, or {salvage_hint(path)}"
    )


def short(error: object) -> str:
    """A message on one line, and not too long."""
    text = one_line(str(error))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def salvage_hint(path: Path) -> str:
    """What to do with a damaged store."""
    return (
        f"`radhard merge NEW.db {path} --drop-damaged` copies what is whole, and a run with --store NEW.db measures "
        "the rest"
    )
