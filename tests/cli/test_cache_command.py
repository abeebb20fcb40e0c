"""`radhard cache`, by the commands of docs/cache.md: programs are kept, listed, and removed by size or all at once."""

from pathlib import Path

import pytest

from tests.cli.test_commands import call
from tests.support.pages import ROOT, blocks

PAGE = ROOT / "docs" / "cache.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RADHARD_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def sizes(folder: Path) -> list[int]:
    return [file.stat().st_size for file in (folder / "programs").iterdir()]


def test_the_commands_of_cache_md(folder: Path) -> None:
    lines = [line.split("#")[0].split()[1:] for line in blocks(PAGE, "sh")[0].strip().splitlines()]
    listing, limit, clear, without = lines
    assert without[-1] == "--no-cache"
    call(*without)
    assert "holds no programs" in call(*listing)
    call(*without[:-1])
    kept = sizes(folder)  # of the float program and the int8 one
    assert len(kept) == 2
    listed = call(*listing)
    assert "fashion-vit" in listed
    assert "float" in listed
    assert "int8" in listed
    assert "0 programs removed" in call(*limit)
    assert sizes(folder) == kept
    assert "1 programs removed" in call("cache", "--limit", str(sum(kept) - 1))
    assert len(sizes(folder)) == 1
    call(*without[:-1])
    call(*clear)
    assert "holds no programs" in call(*listing)
