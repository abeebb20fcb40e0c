"""`radhard report` and `radhard serve`, as a user calls them."""

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.cli.test_store_commands import run
from tests.support.kept import store_of_all
from tests.support.pages import ROOT, blocks


def test_a_store_becomes_a_page(tmp_path: Path) -> None:
    store, page = store_of_all(tmp_path / "run.db", model="toy"), tmp_path / "page.html"
    code, told, notes = run("report", store, "--out", page)
    assert (code, told, notes) == (0, f"The report is {page}.\n", "")
    assert page.read_text().startswith("<!doctype html>")


def test_what_cannot_be_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    code, _, notes = run("report", tmp_path / "no.db", "--out", tmp_path / "page.html")
    assert code == 2
    assert "there is no such store, study or folder" in notes
    store = store_of_all(tmp_path / "run.db", model="toy")
    code, _, notes = run("report", store, "--out", tmp_path / "page.txt")
    assert (code, "must end in .html" in notes) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["run.db"]


def test_a_store_is_served_until_ctrl_c(tmp_path: Path) -> None:
    store = store_of_all(tmp_path / "run.db", model="toy")
    server = subprocess.Popen(
        [sys.executable, "-m", "radhard", "serve", store, "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert server.stdout is not None
    line = server.stdout.readline()
    address = re.search(r"http://127\.0\.0\.1:\d+/", line)
    assert address is not None
    with urllib.request.urlopen(address[0], timeout=60) as answer:
        assert "toy under soft errors" in answer.read().decode()
    server.send_signal(signal.SIGINT)
    told = server.communicate(timeout=60)
    assert (server.returncode, told) == (0, ("", "stopped\n"))


def test_the_blocks_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of docs/report.md: they give the page that it describes."""
    monkeypatch.chdir(tmp_path)
    for line in blocks(ROOT / "docs" / "report.md", "sh")[0].splitlines():
        code, _, notes = run(*shlex.split(line)[1:])
        assert code == 0, notes
    page = (tmp_path / "report.html").read_text()
    assert "fashion-vit under soft errors" in page
    assert "radhard sweep fashion-vit --ber 1e-7,1e-6,1e-5 --trials 1 --images 20 --store run.db" in page
