"""Commands on workers: the page on them runs, and a signal leaves the store, a sentence and no process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from radhard.campaign.store import Store
from tests.campaign.test_workers import PATIENCE, gone, held
from tests.cli.test_commands import call
from tests.support.pages import ROOT, blocks

PAGE = ROOT / "docs" / "cluster.md"


def test_the_blocks_of_cluster_md_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (line,) = blocks(PAGE, "sh")[0].strip().splitlines()
    call(*line.split()[1:])
    with Store(tmp_path / "run.db", mode="read") as store:
        assert len(store.keys()) == 3 * 4
    session: dict[str, object] = {}
    with torch.random.fork_rng():
        for block in blocks(PAGE, "python"):
            exec(compile(block, PAGE.name, "exec"), session)


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_leaves_a_store_a_sentence_and_no_process(number: signal.Signals, tmp_path: Path) -> None:
    store = tmp_path / "run.db"
    command = ["sweep", "fashion-vit", "--ber", "1e-6", "--chunk", "5", "--workers", "1", "--store", str(store)]
    process = subprocess.Popen(
        [sys.executable, "-m", "radhard", *command], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    deadline = time.monotonic() + PATIENCE
    while held(store) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = descendants(process.pid)
    assert workers
    process.send_signal(number)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number, told
    assert "units of work); the same command goes on from there" in told
    assert "Traceback" not in told
    assert gone(workers)
    assert held(store) >= 2
