"""The folder of the cache: entries are written whole, checked when they are read, and go when others need their room.

`entries/KIND-KEY.json` are small and name programs; `programs/CHECKSUM.program` are these. A file is written under
another name and renamed when it is whole, so that a process that is killed, or two at a time, leave nothing half done.
Nothing here imports torch.
"""

import hashlib
import json
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from radhard.errors import InputError

VARIABLE = "RADHARD_CACHE"
"""The environment variable that names the folder, or says "none"."""
LIMIT_VARIABLE = "RADHARD_CACHE_LIMIT"
"""The environment variable that says how many bytes the programs may take, such as 20G."""
DEFAULT_LIMIT = 10 << 30
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SUFFIX = ".program"
_UNFINISHED = "unfinished-"
_ABANDONED = 3600.0  # seconds after which an unfinished file is taken for that of a process that was killed
_STALE = 30 * 86400.0  # seconds after which an entry that names no program goes, if it was not used

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class CachedProgram:
    """A program of the cache: its `checksum`, what `models` and `recipe` it is of, bytes, seconds of its last use."""

    checksum: str
    models: tuple[str, ...]
    recipe: str
    bytes: int
    used: float


class Folder:
    """A folder and what has become of it in this process: where it cannot be written it is told once, and left alone.

    >>> import tempfile
    >>> folder = Folder(Path(tempfile.mkdtemp()))
    >>> folder.put("images", "0" * 64, {"digest": "abc"})
    >>> folder.get("images", "0" * 64)
    {'digest': 'abc'}
    """

    def __init__(self, path: Path, *, limit: int = DEFAULT_LIMIT, tell: Tell | None = None) -> None:
        self.path, self._limit, self._teller = path, limit, tell
        self._writable = True

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """The entry of that kind and key; None where there is none or it is damaged."""
        path = self._entry(kind, key)
        try:
            text = path.read_bytes()
        except OSError:
            return None
        checksum, _, content = text.partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != checksum:
            self.damaged(path)
            return None
        _touch(path)
        found: dict[str, Any] = json.loads(content)
        return found

    def put(self, kind: str, key: str, values: Mapping[str, Any]) -> None:
        """Keep an entry."""
        content, path = json.dumps(values, allow_nan=False).encode(), self._entry(kind, key)

        def write(file: BinaryIO) -> Path:
            file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
            return path

        self._write("entries", write)

    def program(self, checksum: str) -> Path | None:
        """The file of a program, which counts as used now; None where it is not there."""
        path = self._program(checksum)
        if not path.is_file():
            return None
        _touch(path)
        return path

    def put_program(self, write: Callable[[BinaryIO], str]) -> str | None:
        """Keep the program that `write` writes into a file -> its checksum, which `write` gives; None where that fails.

        What was not used for longest goes where the limit is passed.
        """
        checksum = None

        def whole(file: BinaryIO) -> Path:
            nonlocal checksum
            checksum = write(file)
            return self._program(checksum)

        if not self._write("programs", whole):
            return None
        self.trim(self._limit, keep=checksum)
        return checksum

    def damaged(self, path: Path) -> None:
        """Tell that a file is damaged and is made anew, and remove it."""
        self._tell(f"the cache's {path} is damaged: it is not used, and made anew")
        with suppress(OSError):
            path.unlink()

    def programs(self) -> list[CachedProgram]:
        """All programs, the one that was used last first."""
        named: dict[str, dict[str, Any]] = {}
        for path in self._files("entries"):
            with suppress(OSError, ValueError):
                if "program" in (entry := _content(path)):
                    of = named.setdefault(entry["program"], {"models": [], "recipe": entry["recipe"]})
                    of["models"] += [entry["model"]] * (entry["model"] not in of["models"])
        found = []
        for path in self._files("programs"):
            with suppress(OSError):
                stat, of = path.stat(), named.get(path.stem, {"models": [], "recipe": ""})
                if path.suffix == _SUFFIX:
                    found.append(
                        CachedProgram(
                            checksum=path.stem,
                            models=tuple(of["models"]),
                            recipe=of["recipe"],
                            bytes=stat.st_size,
                            used=stat.st_mtime,
                        )
                    )
        return sorted(found, key=lambda each: -each.used)

    def trim(self, limit: int, *, keep: str | None = None) -> list[CachedProgram]:
        """Remove what was not used for longest until the programs take no more than `limit` bytes -> what was removed.

        The program `keep` stays. Entries of programs that are not there and files of killed processes go, too.
        """
        held, removed = self.programs(), []
        total = sum(each.bytes for each in held)
        for each in reversed(held):
            if total > limit and each.checksum != keep:
                with suppress(OSError):
                    self._program(each.checksum).unlink()
                removed.append(each)
                total -= each.bytes
        self._tidy()
        return removed

    def clear(self) -> int:
        """Remove everything -> how many bytes that were. OSError of a file that cannot be removed."""
        count = 0
        for path in [*self._files("entries"), *self._files("programs")]:
            count += path.stat().st_size
            path.unlink()
        return count

    def _tidy(self) -> None:
        """Remove files of killed processes, entries of programs that are not there, and what nobody uses."""
        for path in [*self._files("programs"), *self._files("entries")]:
            with suppress(OSError, ValueError):
                age = time.time() - path.stat().st_mtime
                if path.name.startswith(_UNFINISHED):
                    gone = age > _ABANDONED
                elif path.suffix == _SUFFIX:
                    gone = False
                elif "program" in (entry := _content(path)):
                    gone = not self._program(entry["program"]).is_file()
                else:
                    gone = age > _STALE
                if gone:
                    path.unlink()

    def _tell(self, text: str) -> None:
        if self._teller is not None:
            self._teller(text)

    def _files(self, part: str) -> Iterator[Path]:
        try:
            yield from sorted((self.path / part).iterdir())
        except OSError:
            return

    def _entry(self, kind: str, key: str) -> Path:
        return self.path / "entries" / f"{kind}-{key}.json"

    def _program(self, checksum: str) -> Path:
        return self.path / "programs" / f"{checksum}{_SUFFIX}"

    def _write(self, part: str, write: Callable[[BinaryIO], Path]) -> bool:
        """Let `write` fill a new file, which is then renamed to the path that it gives; whether that was possible."""
        unfinished = self.path / part / f"{_UNFINISHED}{os.getpid()}-{secrets.token_hex(8)}"
        if not self._writable:
            return False
        try:
            unfinished.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with unfinished.open("xb") as file:
                path = write(file)
            unfinished.replace(path)
        except OSError as error:
            self._writable = False
            self._tell(
                f"the cache {self.path} cannot be written ({error.strerror or error}): the run goes on without it"
            )
            return False
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
        return True


def _touch(path: Path) -> None:
    """A file counts as used now."""
    with suppress(OSError):
        os.utime(path)


def _content(path: Path) -> dict[str, Any]:
    """What an entry holds, unchecked. ValueError for what is no entry."""
    found: dict[str, Any] = json.loads(path.read_bytes().partition(b"\n")[2])
    return found


def folder_named(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where the cache is: what `RADHARD_CACHE` names, None for "none"; else the user's folder for such things.

    >>> folder_named({"RADHARD_CACHE": "/tmp/cache"})
    PosixPath('/tmp/cache')
    """
    if named := environment.get(VARIABLE):
        return None if named == "none" else Path(named).expanduser()
    if named := environment.get("XDG_CACHE_HOME"):
        return Path(named) / "radhard"
    try:
        home = Path.home()
    except RuntimeError:  # a user without one
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "radhard"


def limit_named(environment: Mapping[str, str] = os.environ) -> int:
    """How many bytes the programs may take: what `RADHARD_CACHE_LIMIT` says, else `DEFAULT_LIMIT`."""
    text = environment.get(LIMIT_VARIABLE)
    return DEFAULT_LIMIT if not text else read_bytes(text, of=LIMIT_VARIABLE)


def read_bytes(text: str, *, of: str) -> int:
    """`20G`, `512M` or a number of bytes. InputError for anything else.

    >>> read_bytes("2K", of="--limit")
    2048
    """
    match = re.fullmatch(r"(\d+)([KMGT]?)(i?B)?", text.strip(), flags=re.IGNORECASE)
    if match is None:
        raise InputError(f"{of} {text!r}: give bytes as a number with K, M, G or T, such as 20G")
    return int(match[1]) * _UNITS[match[2].upper()]
