"""The folder of the cache: whole entries only, whatever happens to it; what was not used for longest goes first."""

import errno
import os
import signal
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from radhard.campaign.cache.folder import DEFAULT_LIMIT, Folder, folder_named, limit_named, read_bytes
from radhard.errors import InputError

KEY = "0" * 64


def kept(folder: Folder, name: str, *, size: int = 100, used: float | None = None) -> str:
    """A program of `size` bytes and its entry."""

    def write(file: BinaryIO) -> str:
        file.write(b"x" * size)
        return name

    assert folder.put_program(write) == name
    folder.put("captured", name, {"program": name, "model": f"model-{name}", "recipe": "int8"})
    path = folder.program(name)
    assert path is not None
    if used is not None:
        os.utime(path, (used, used))
    return name


def test_an_entry_comes_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "cache")
    assert folder.get("captured", KEY) is None
    folder.put("captured", KEY, {"program": "a", "n": [1, 2.5]})
    assert folder.get("captured", KEY) == {"program": "a", "n": [1, 2.5]}
    assert folder.get("quantized", KEY) is None


def test_a_damaged_entry_is_told_and_gone(tmp_path: Path) -> None:
    told: list[str] = []
    folder = Folder(tmp_path, tell=told.append)
    folder.put("captured", KEY, {"program": "a"})
    (path,) = (tmp_path / "entries").iterdir()
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert folder.get("captured", KEY) is None
        assert not path.exists()
    path.write_bytes(whole[:-1])
    assert folder.get("captured", KEY) is None
    assert len(told) == len(whole) + 1
    assert "is damaged" in told[0]


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    folder = Folder(tmp_path, limit=350)
    for place, name in enumerate("abc"):
        kept(folder, name, used=1000.0 + place)
    folder.program("a")  # used now
    kept(folder, "d")
    assert sorted(each.checksum for each in folder.programs()) == ["a", "c", "d"]
    assert folder.get("captured", "b") is None
    assert [each.models for each in folder.programs() if each.checksum == "a"] == [("model-a",)]


def test_a_program_larger_than_the_limit_stays_until_the_next(tmp_path: Path) -> None:
    folder = Folder(tmp_path, limit=50)
    kept(folder, "a", used=1000.0)
    assert [each.checksum for each in folder.programs()] == ["a"]
    kept(folder, "b")
    assert [each.checksum for each in folder.programs()] == ["b"]


def test_entries_go_with_their_program_or_when_nobody_uses_them(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    kept(folder, "a")
    folder.put("images", "old", {"digest": "x"})
    folder.put("images", "new", {"digest": "y"})
    for path in (tmp_path / "entries").iterdir():
        os.utime(path, (1000.0, 1000.0))
    assert folder.get("images", "new") == {"digest": "y"}  # used now
    folder.trim(1000)
    assert folder.get("images", "old") is None
    assert folder.get("images", "new") is not None
    assert folder.get("captured", "a") is not None
    folder.trim(0)
    assert folder.get("captured", "a") is None


def test_clear_removes_everything(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    kept(folder, "a")
    assert folder.clear() > 100
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert folder.programs() == []


def test_a_process_killed_while_it_writes_leaves_no_program(tmp_path: Path) -> None:
    folder = Folder(tmp_path)

    def killed(file: BinaryIO) -> str:
        file.write(b"half")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
        return "a"

    child = os.fork()
    if child == 0:
        folder.put_program(killed)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert folder.program("a") is None
    assert folder.programs() == []
    (left,) = (tmp_path / "programs").iterdir()
    kept(folder, "b")
    assert left.exists()  # a process that is at work may have made it
    os.utime(left, (1000.0, 1000.0))
    kept(folder, "c")
    assert not left.exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    told: list[str] = []
    folder = Folder(tmp_path, tell=told.append)
    kept(folder, "a")

    def refused(self: Path, *_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number), str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refused)
        folder.put("captured", KEY, {"program": "a"})
        folder.put("captured", KEY, {"program": "a"})
        assert folder.put_program(lambda _: "b") is None
    assert len(told) == 1
    assert os.strerror(number) in told[0]
    assert "goes on without it" in told[0]
    assert [each.checksum for each in folder.programs()] == ["a"]


def test_a_disk_that_fills_while_a_program_is_written_leaves_none(tmp_path: Path) -> None:
    told: list[str] = []
    folder = Folder(tmp_path, tell=told.append)

    def full(file: BinaryIO) -> str:
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert folder.put_program(full) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert len(told) == 1


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    told: list[str] = []
    folder = Folder(tmp_path / "cache", tell=told.append)
    folder.put("captured", KEY, {})
    assert folder.get("captured", KEY) is None
    assert len(told) == 1


def test_where_it_is() -> None:
    assert folder_named({"RADHARD_CACHE": "none"}) is None
    assert folder_named({"RADHARD_CACHE": "/a/b"}) == Path("/a/b")
    assert folder_named({"XDG_CACHE_HOME": "/x"}) == Path("/x/radhard")
    found = folder_named({})
    assert found is None or found.name == "radhard"


def test_how_much_it_takes() -> None:
    assert limit_named({}) == DEFAULT_LIMIT
    assert limit_named({"RADHARD_CACHE_LIMIT": "2G"}) == 2 << 30
    assert [read_bytes(text, of="x") for text in ("7", "1k", "3MiB")] == [7, 1024, 3 << 20]
    for text in ("", "G", "-1", "1.5G", "1P"):
        with pytest.raises(InputError, match="such as 20G"):
            read_bytes(text, of="--limit")
