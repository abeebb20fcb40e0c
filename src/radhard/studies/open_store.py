"""The store of a verb: a file of the user's, or a temporary one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from radhard.campaign.file_system import Journal, journal_for
from radhard.campaign.store import Store
from radhard.studies.progress import Note, Report, silent


@contextmanager
def open_store(path: Path | str | None, *, journal: Journal = "wal", progress: Report | None = None) -> Iterator[Store]:
    """The store at `path`, or one that is gone afterwards; so is a new one if an error leaves it without a unit.

    `progress` is told what a user should know of how it was opened. Errors are those of `Store`.
    """
    if path is None:
        with (
            tempfile.TemporaryDirectory(prefix="radhard-") as folder,
            Store(Path(folder) / "run.db", journal=journal_for(Path(folder))) as store,
        ):
            yield store
        return
    path = Path(path)
    new, empty = not os.path.lexists(path), False
    try:
        with Store(path, journal=journal) as store:
            for remark in store.remarks:
                (progress or silent)(Note(model="", line=remark))
            try:
                yield store
            except BaseException:
                empty = new and not store.keys()
                raise
    finally:
        if empty and not path.with_name(f"{path.name}-wal").exists():  # it is there while others have it open
            path.unlink(missing_ok=True)
