"""Lists the files below a folder: each once, without system files, safe against link cycles."""

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radhard.errors import InputError, shown

SHOWN = 5
_SYSTEM = frozenset(
    {
        "__macosx", "@eadir", "lost+found", "$recycle.bin", "recycler", "system volume information", "#recycle",
        "@recycle", "@tmp", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r",
    }
)  # fmt: skip


@dataclass(kw_only=True)
class Tree:
    """Paths relative to the root, with / between parts: `files`, `folders`, and `passed`: hidden and system entries.

    `inode` says of each file which it is on its disk, so that two names of one file can be told.
    """

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    inode: dict[str, tuple[int, int]] = field(default_factory=dict)


def walk(root: Path) -> Tree:
    """Everything below `root`, links followed, in sorted order.

    Raises InputError for a folder that is reached twice (by a link to a folder above it, or to a neighbour), since its
    images would be there twice, and for one that cannot be read.
    """
    tree = Tree()
    seen = {_identity(root): ""}
    waiting = [""]
    while waiting:
        here = waiting.pop()
        try:
            entries = sorted(os.scandir(root / here), key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(f"data {root}: folder {shown(here or '.')} cannot be read ({error.strerror})") from error
        for entry in entries:
            path = f"{here}/{entry.name}" if here else entry.name
            if hidden(entry.name):
                tree.passed.append(path)
            elif entry.is_dir():
                identity = _identity(Path(entry.path))
                if identity in seen:
                    raise InputError(
                        f"data {root}: {shown(path)} leads to {shown(seen[identity] or 'the folder itself')}, which "
                        "is read already, so that its images would be there twice; remove the link"
                    )
                seen[identity] = path
                tree.folders.append(path)
                waiting.append(path)
            else:
                tree.files.append(path)
                try:
                    status = entry.stat()
                    tree.inode[path] = (status.st_dev, status.st_ino)
                except OSError:  # a link to nothing: it is told when it is opened
                    continue
    for paths in (tree.files, tree.folders, tree.passed):
        paths.sort()
    return tree


def hidden(name: str) -> bool:
    """Whether a file or folder is hidden, or of a system's own: nobody's image and nobody's class."""
    return name.startswith(".") or name.lower() in _SYSTEM


def few(names: Sequence[str], what: str) -> str:
    """`7 of what: the first, second ...`: a count and the first few of the names."""
    more = ", ..." if len(names) > SHOWN else ""
    return f"{len(names)} {what}: {', '.join(map(shown, names[:SHOWN]))}{more}"


def alike(name: str) -> str:
    """What two names share that differ in case, in blanks at their ends or in how accents are written alone."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
