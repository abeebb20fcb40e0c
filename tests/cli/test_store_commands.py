"""`radhard store` and `radhard merge`, as a user calls them, on stores that are whole and damaged."""

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from radhard.cli.commands import app
from tests.campaign.test_store_damage import filled

DOCS = (Path(__file__).parents[2] / "docs" / "stores.md").read_text()


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def damaged(path: Path) -> int:
    """A store one unit of which is damaged; how many units it has."""
    units = len(filled(path))
    file = sqlite3.connect(path)
    file.execute("UPDATE unit SET flips = zeroblob(length(flips)) WHERE trial = 9")
    file.commit()
    file.close()
    return units


def test_a_store_tells_what_it_holds(tmp_path: Path) -> None:
    units = len(filled(tmp_path / "run.db"))
    code, table, notes = run("store", tmp_path / "run.db")
    assert (code, notes) == (0, "")
    assert "toy" in table
    code, text, _ = run("store", tmp_path / "run.db", "--json")
    told = json.loads(text)
    (held,) = told["models"]
    assert (code, held["units"], held["settings"], told["damaged"]) == (0, units, 4, [])
    assert held["images"] == 60 * (units - 1) + 3000


def test_a_damaged_store_is_told_and_saved(tmp_path: Path) -> None:
    path, new = tmp_path / "run.db", tmp_path / "new.db"
    units = damaged(path)
    code, _, notes = run("store", path)
    first, last = notes.splitlines()
    assert code == 2
    assert "BER 1e-08" in first
    assert "trial 9, images 0 to 2999 is damaged" in first
    assert "1 damage found" in last
    assert "--drop-damaged" in last
    code, said, notes = run("merge", new, path)
    assert (code, said) == (2, "")
    assert "trial 9, images 0 to 2999 is damaged" in notes
    code, said, notes = run("merge", new, path, "--drop-damaged")
    assert code == 0
    assert f"{units - 1} units of 4 settings, {units - 1} units of them new; 1 damaged and left out" in said
    assert "trial 9, images 0 to 2999 is damaged" in notes
    assert run("store", new)[0] == 0


@pytest.mark.parametrize("content", [b"", b"text", b"SQLite format 3\0", bytes(5000)])
def test_what_is_no_store_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.db"
    path.write_bytes(content)
    for arguments in (("store", path), ("merge", tmp_path / "new.db", path, "--drop-damaged")):
        code, said, notes = run(*arguments)
        assert (code, said) == (2, "")
        assert len(notes.splitlines()) == 1
        assert notes.startswith("radhard: ")


@pytest.mark.slow
def test_the_commands_of_the_documentation_run(tmp_path: Path) -> None:
    radhard = Path(sys.executable).with_name("radhard")
    for block in re.findall(r"```sh\n(.*?)```", DOCS, re.DOTALL):
        for line in block.strip().splitlines():
            arguments = line.split("#")[0].split()[1:]
            done = subprocess.run([radhard, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (line, done.stderr)
