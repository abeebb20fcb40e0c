"""A new scheme and a new operator are one file each: nothing else of the package knows the two toys by name."""

import subprocess
import sys
from pathlib import Path

import radhard

ROOT = Path(__file__).parents[1]


def test_a_scheme_and_an_operator_of_one_file_each_are_everywhere() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.extended"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_nothing_else_knows_them() -> None:
    files = Path(radhard.__file__).parent.rglob("*.py")
    assert [path for path in files if "toy-" in path.read_text()] == []
