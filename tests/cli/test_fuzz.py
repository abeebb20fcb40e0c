"""Damaged files of every kind end a command with one line that says so, or do not matter.

What reads files is tried by `test_readers`, much faster; here whole commands are.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def tried(folder: Path, *, seed: int, count: int) -> list[str]:
    """The lines of `tests.support.fuzz`, in a process of its own: it forks."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.fuzz", str(folder), "--seed", str(seed), "--count", str(count)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "not tried", "tried"))]
    assert lines[-1].startswith(f"tried {count}")
    return lines[:-1]


@pytest.mark.slow
def test_a_few_files(tmp_path: Path) -> None:
    assert tried(tmp_path, seed=0, count=60) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_two_thousand_files(tmp_path: Path, seed: int) -> None:
    assert tried(tmp_path, seed=seed, count=200) == []
