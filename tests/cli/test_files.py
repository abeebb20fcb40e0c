"""Files that commands write: opened before the work, moved to their place after the results are printed."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from radhard.cli import blocks as blocks_command
from radhard.cli.commands import app
from radhard.cli.ending import Ended
from radhard.errors import one_line, shown
from radhard.report import blocks as blocks_report

BLOCKS = ("blocks", "8", "8", "8", "--ber", "1e-9", "--model", "volume")

TINY = """
import torch
from torch import nn


def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 7 * 7, 10))
"""


def refused(*arguments: object) -> str:
    """The one line of a command that fails, with exit code 2 and nothing on stdout."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("radhard: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def left(folder: Path) -> list[str]:
    """What is in a folder, hidden files included."""
    return sorted(os.listdir(folder))


# --- before the run ---


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of `blocks` must not begin."""

    def begin(*_: object, **__: object) -> None:
        raise AssertionError("the work began")

    monkeypatch.setattr("radhard.studies.blocks.optimal_block", begin)


@pytest.mark.usefixtures("never")
@pytest.mark.parametrize("option", ["--csv", "--plot"])
def test_a_file_that_cannot_be_written_is_told_before_the_work(tmp_path: Path, option: str) -> None:
    end = {"--csv": ".csv", "--plot": ".svg"}[option]
    folder, pipe, loop = tmp_path / f"folder{end}", tmp_path / f"pipe{end}", tmp_path / f"loop{end}"
    folder.mkdir()
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    for path, why in (
        (folder, "not a file"),
        (pipe, "not a file"),
        (loop, "cannot be written"),
        (tmp_path / ("a" * 300 + end), "name too long"),
        (tmp_path / "none" / f"a{end}", "does not exist"),
        (tmp_path / f"a{end}" / f"b{end}", "does not exist"),
        (Path(f"/proc/a{end}"), "cannot be written"),
        (tmp_path / "a.gif", "must end in"),
    ):
        message = refused(*BLOCKS, option, path)
        assert option in message
        assert why in message
    assert left(tmp_path) == sorted([folder.name, pipe.name, loop.name])


@pytest.mark.usefixtures("never")
def test_a_full_disk_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left on device" in refused(*BLOCKS, "--csv", tmp_path / "a.csv")
    assert left(tmp_path) == []


@pytest.mark.usefixtures("never")
def test_one_file_for_two_ends_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    model = tmp_path / "model.csv"
    model.write_text("weights")
    sweep = ("sweep", "fashion-vit", "--ber", "1e-9")
    assert "--csv and --store are the same file" in refused(
        *sweep, "--csv", tmp_path / "a.csv", "--store", tmp_path / "link.csv"
    )
    assert "is the file that --checkpoint reads" in refused(*sweep, "--checkpoint", model, "--csv", model)
    assert "is the file that MODELS reads" in refused("sweep", f"{model}:make", "--ber", "1e-9", "--csv", model)
    trace = tmp_path / "t.csv"
    trace.write_text("trial")
    assert model.read_text() == "weights"


# --- at the end ---


def test_results_are_printed_whatever_happens_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object, path: Path) -> None:
        path.write_text("half a ta")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(blocks_report, "write_blocks", full)
    kept = tmp_path / "a.csv"
    kept.write_text("of an older run")
    arguments = [*BLOCKS, "--json", "--csv", str(kept), "--plot", str(tmp_path / "a.svg")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert json.loads(result.stdout)["models"][0]["rows"]
    assert result.stderr == f"radhard: --csv {kept} cannot be written: No space left on device\n"
    assert kept.read_text() == "of an older run"
    assert left(tmp_path) == ["a.caption.txt", "a.csv", "a.svg"]  # the other file is written all the same


def test_files_are_written_though_the_reader_of_stdout_went_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    monkeypatch.setattr(blocks_command.typer, "echo", gone)
    result = CliRunner().invoke(app, [*BLOCKS, "--json", "--csv", str(tmp_path / "a.csv")])
    assert result.exit_code == 1
    assert result.stderr == ""
    assert (tmp_path / "a.csv").read_text().count("\n") == 2


def test_a_file_keeps_its_mode_and_a_link_its_target(tmp_path: Path) -> None:
    new, old, link = tmp_path / "new.csv", tmp_path / "old.csv", tmp_path / "link.csv"
    old.write_text("older")
    old.chmod(0o640)
    link.symlink_to(old)
    for path in (new, link):
        assert CliRunner().invoke(app, [*BLOCKS, "--csv", str(path)]).exit_code == 0
    assert link.is_symlink()
    assert old.read_text() == new.read_text()
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(new.stat().st_mode) == 0o666 & ~mask


def test_an_early_failure_leaves_no_empty_file(tmp_path: Path) -> None:
    refused(
        "sweep", "no-such-model", "--ber", "1e-9", "--csv", tmp_path / "a.csv", "--plot", tmp_path / "a.png",
        "--store", tmp_path / "a.db",
    )  # fmt: skip
    assert left(tmp_path) == []


# --- one line ---


def test_what_an_option_does_not_allow_is_one_line() -> None:
    for arguments in (["sweep"], ["sweep", "fashion-vit", "--images", "0"], ["nope"], ["blocks", "a", "b", "c"]):
        assert "--help` lists" in refused(*arguments)


def test_an_unforeseen_error_is_one_line_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("of\nseveral lines \x1b[31m")

    monkeypatch.setattr("radhard.studies.blocks.optimal_block", fail)
    message = refused(*BLOCKS)
    assert "unexpected ValueError: of several lines \\x1b[31m. This is a bug of radhard" in message
    assert "RADHARD_TRACEBACK" in message
    monkeypatch.setenv("RADHARD_TRACEBACK", "1")
    assert isinstance(CliRunner().invoke(app, list(BLOCKS)).exception, ValueError)


def test_memory_that_runs_out_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (MemoryError("17 GiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory: 17 GiB")):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr("radhard.studies.blocks.optimal_block", fail)
        assert "memory ran out: run fewer images at a time (--batch)" in refused(*BLOCKS)


def test_text_on_one_line() -> None:
    assert one_line("a\n  b\r\nc\x1b[1m\x00") == "a b c\\x1b[1m\\x00"
    assert shown("  né 語\n") == "  né 語\\n"


# --- signals ---


@pytest.mark.parametrize(
    ("number", "text"),
    [
        pytest.param(signal.SIGTERM, "ended by signal 15; nothing is kept: with --store FILE"),
        pytest.param(signal.SIGHUP, "ended by signal 1; nothing is kept: with --store FILE", marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, "stopped; nothing is kept: with --store FILE", marks=pytest.mark.slow),
    ],
)
def test_a_signal_cleans_up(tmp_path: Path, number: signal.Signals, text: str) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / "tiny.py").write_text(TINY)
    command = (
        "sweep", f"{tmp_path}/tiny.py:make", "--input-shape", "1,28,28", "--mean", "0.5", "--std", "0.5", "--ber",
        "1e-5", "--trials", "5000", "--csv", str(kept / "a.csv"),
    )  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", "from radhard.cli import main; main()", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(kept)},
    )
    deadline = time.monotonic() + 60
    while not any(kept.glob("radhard-*/run.db")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert out == ""
    assert err.splitlines()[-1].startswith(f"radhard: {text}")
    assert "Traceback" not in err
    assert left(kept) == []


def test_a_signal_that_meets_a_compiled_loop_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise SystemError("returned a result with an exception set") from Ended(15)

    monkeypatch.setattr("radhard.studies.blocks.optimal_block", interrupted)
    result = CliRunner().invoke(app, list(BLOCKS))
    assert result.exit_code == 128 + 15
    assert result.stderr == "radhard: ended by signal 15; nothing is kept\n"
