"""A real sweep, killed with SIGKILL at several moments and started again, ends as one that was never disturbed."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from radhard.campaign.store import Provenance, Store

SWEEP = (
    "fashion-vit", "--ber", "1e-7,2e-6", "--images", "60", "--chunk", "10", "--trials", "2", "--seed", "11", "--json",
)  # fmt: skip
UNITS = 2 * 6 + 2 * 2 * 6  # clean float and int8, then two rates in two trials
PATIENCE = 120  # seconds


def start(store: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from radhard.cli import main; main()", "sweep", *SWEEP, "--store", str(store)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    (record,) = json.loads(out)["models"]
    assert isinstance(record, dict)
    del record["back_end"]  # which of the exact ones is fastest, each process measures
    return record


def units(store: Path) -> int:
    """How many units the store holds; -1 before it is one."""
    if not store.exists():
        return -1
    file = sqlite3.connect(store.as_uri() + "?mode=ro", uri=True)
    try:
        return int(file.execute("SELECT count(*) FROM unit").fetchone()[0])
    except sqlite3.OperationalError:  # the file is there, its tables are not yet
        return -1
    finally:
        file.close()


def kill_once_it_holds(store: Path, wanted: int) -> int:
    """Start a sweep, kill it as soon as the store holds `wanted` units (-1: as soon as the file is there)."""
    process = start(store)
    deadline = time.monotonic() + PATIENCE
    while not store.exists() or units(store) < wanted:
        assert process.poll() is None, "the sweep ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    return units(store)


def contents(store: Path) -> tuple[dict[str, str], list[object]]:
    with Store(store, mode="read") as opened:
        return opened.settings(), list(opened.rows())


def provenance(store: Path) -> dict[object, Provenance]:
    with Store(store, mode="read") as opened:
        return {key: opened.provenance(key) for key, _ in opened.rows()}


def test_a_killed_sweep_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    undisturbed = start(tmp_path / "whole.db")
    store, held = tmp_path / "run.db", -1
    for wanted in (-1, 3, 17):
        before = {} if held < 0 else provenance(store)
        held = kill_once_it_holds(store, wanted)  # still -1 if the tables were not yet written
        assert max(wanted, len(before) or -1) <= held < UNITS
        if before:  # what was measured before is still there, and was not measured again
            assert provenance(store).items() >= before.items()
    before = provenance(store)
    resumed = finish(start(store))
    assert provenance(store).items() >= before.items()
    expected = finish(undisturbed)
    assert resumed == expected
    assert contents(store) == contents(tmp_path / "whole.db")
    assert len(contents(store)[1]) == UNITS
    points = expected["points"]
    assert points[0]["accuracy"] > points[1]["accuracy"]  # the numbers compared are not all alike
    assert all(point["n"] == 120 and point["ended"] == "trials" for point in points)
