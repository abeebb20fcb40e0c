"""What a command that fills a store says of itself: whole, not too often, gone at its end, and never the store's."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from radhard.campaign import running_command as module
from radhard.campaign.running_command import RunningCommand, RunningFile, read_running, running_path

SAYS = RunningCommand(command="radhard sweep vit", model="vit", task="searching", done=3, total=12, seconds_left=9.5)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    store = tmp_path / "run.db"
    assert read_running(store) is None
    file = RunningFile(store=store)
    file.tell(SAYS)
    assert read_running(store) == SAYS
    assert [path.name for path in tmp_path.iterdir()] == ["run.db.running"]
    file.end()
    assert list(tmp_path.iterdir()) == []
    file.end()  # nothing is there to take away


def test_it_is_written_now_and_then_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 1e6)
    file = RunningFile(store=tmp_path / "run.db")
    for done in (1, 2, 3, 12):
        file.tell(replace(SAYS, done=done))
        found = read_running(tmp_path / "run.db")
        assert found is not None
        assert found.done == (12 if done == 12 else 1)


def test_what_another_process_says_stays(tmp_path: Path) -> None:
    file = RunningFile(store=tmp_path / "run.db")
    file.tell(SAYS)
    other = replace(SAYS, process=SAYS.process + 1)
    RunningFile(store=tmp_path / "run.db").tell(other)
    file.end()
    assert read_running(tmp_path / "run.db") == other


def test_a_killed_process_is_known_to_be_gone() -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    assert SAYS.alive
    assert SAYS.process == os.getpid()
    assert not replace(SAYS, process=int(done.stdout)).alive
    assert replace(SAYS, process=int(done.stdout), host="another").alive  # nobody here can tell
    assert replace(SAYS, process=1).alive  # another user's


@pytest.mark.parametrize(
    "change",
    [
        {"done": -1}, {"done": "3"}, {"total": None}, {"command": 3}, {"process": 0}, {"process": 2**40},
        {"seconds_left": "x"}, {"at": True}, {"more": 1},
    ],
)  # fmt: skip
def test_a_file_that_holds_something_else_says_nothing(tmp_path: Path, change: dict[str, object]) -> None:
    store = tmp_path / "run.db"
    running_path(store).write_text(json.dumps({**vars(SAYS), **change}))
    assert read_running(store) is None
    for text in ("", "[]", "{", "{}"):
        running_path(store).write_text(text)
        assert read_running(store) is None
