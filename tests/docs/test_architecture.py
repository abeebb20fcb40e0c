"""The architecture page and the glossary name files that are there, and the parts written from code are fresh."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from tests.support.pages import DOCS, ROOT

SOURCE = ROOT / "src" / "radhard"
PAGE = (DOCS / "architecture.md").read_text()
LISTED = PAGE[PAGE.index("## Every file") :]
TOLD = PAGE[: PAGE.index("## Every file")]

sys.path.insert(0, str(DOCS))  # where `python docs/write.py` finds what stands beside it
spec = importlib.util.spec_from_file_location("write", DOCS / "write.py")
assert spec is not None
assert spec.loader is not None
write = importlib.util.module_from_spec(spec)
spec.loader.exec_module(write)


def listed() -> set[str]:
    """Every file that the page lists, from the source's folder."""
    found: set[str] = set()
    for section in re.split(r"^### radhard", LISTED, flags=re.MULTILINE)[1:]:
        folder = section.split("\n")[0].lstrip("/")
        found |= {f"{folder}/{name}".lstrip("/") for name in re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE)}
        found.add(f"{folder}/__init__.py".lstrip("/"))
    return found


def test_every_file_is_listed_and_no_other() -> None:
    there = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py")}
    assert listed() == there, "`make docs` writes the list"


@pytest.mark.parametrize("name", write.PARTS)
def test_no_part_is_stale(name: str) -> None:
    page, _ = write.PARTS[name]
    assert write.fresh(name) == page.read_text(), "`make docs` writes it"


def test_a_line_says_something() -> None:
    lines = re.findall(r"^\| `(.*?)` \| (.*) \|$", LISTED, re.MULTILINE)
    assert lines
    for name, said in lines:
        assert len(said) >= 12, f"{name}: {said!r}"


def test_every_file_of_the_walks_exists() -> None:
    """`a/b.py` is a path from the source; `c.py` alone is in a folder that was named before it in its paragraph."""
    for paragraph in re.split(r"\n(?=\d+\. |\n)", TOLD):
        folders: list[Path] = [SOURCE]
        for name in re.findall(r"`([\w/]+\.py|[\w/]+/)`", paragraph):
            if "/" in name:
                path = SOURCE / name
                assert path.exists(), name
                folders.append(path if name.endswith("/") else path.parent)
            else:
                assert any((folder / name).exists() for folder in folders), name


def test_every_place_of_the_glossary_exists() -> None:
    text = (DOCS / "glossary.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([\w/.]+)` \|$", text, re.MULTILINE)
    assert len(rows) > 50
    for word, meaning, place in rows:
        assert (SOURCE / place).exists(), f"{word}: {place}"
        assert meaning.endswith((".", "report.")), word


def test_words_of_the_glossary_stand_once() -> None:
    text = (DOCS / "glossary.md").read_text()
    words = [word for word, _ in re.findall(r"^\| ([^|]+) \| ([^|]+) \| `", text, re.MULTILINE)]
    assert len(words) == len(set(words))
