"""The wheel holds every file of the source, code and data, the schemas, and metadata that installers read."""

import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.support.pages import ROOT

LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel of a copy of the sources, made by the build back end itself."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "DESCRIPTION.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "src", folder / "src", ignore=LEFT_OUT)
    shutil.copytree(ROOT / "docs" / "schema", folder / "docs" / "schema")
    build = "from setuptools import build_meta; build_meta.build_wheel('.')"
    done = subprocess.run([sys.executable, "-c", build], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("radhard-*.whl")
    return zipfile.ZipFile(made)


def test_every_file_of_the_source_is_in_it(wheel: zipfile.ZipFile) -> None:
    source = ROOT / "src"
    there = {
        path.relative_to(source).as_posix()
        for path in (source / "radhard").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there - set(wheel.namelist()) == set(), "name their patterns in package-data of pyproject.toml"
    assert {name for name in wheel.namelist() if name.startswith("radhard/")} == there
    assert "radhard/models/weights/fashion-vit.safetensors" in there
    assert "radhard/py.typed" in there


def test_the_schemas_are_in_it(wheel: zipfile.ZipFile) -> None:
    schemas = {Path(name).name for name in wheel.namelist() if "/share/radhard/schema/" in name}
    assert schemas == {path.name for path in (ROOT / "docs" / "schema").glob("*.json")}


def test_its_metadata(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    told = Parser().parsestr(wheel.read(name).decode())
    assert told["Name"] == "radhard"
    assert told["License-Expression"] == "Apache-2.0"
    described = str(told.get_payload())
    assert described.startswith("# radhard\n")
    links = re.findall(r"\]\(([^)]*)\)", described)
    assert all(link.startswith("https://") for link in links), (
        "an index shows this page: links of a folder lead nowhere"
    )
    extras = set(told.get_all("Provides-Extra", []))
    assert {"cluster", "cuda", "docs", "hf", "notebook", "pandas"} <= extras
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert all(f"| `{extra}` |" in page for extra in extras - {"real"}), "docs/install.md explains every extra"
    (entry,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "radhard = radhard.cli:main" in wheel.read(entry).decode()
