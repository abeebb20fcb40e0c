"""Commands killed with SIGKILL at several moments: what they leave goes on to the bytes of one never disturbed."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import radhard as rh
from radhard.campaign.store import Provenance, Store

BER, IMAGES, CHUNK, TRIALS, SEED = (1e-7, 2e-6), 60, 10, 2, 11
UNITS = 2 * 6 + 2 * 2 * 6  # clean float and int8, then two rates in two trials
PATIENCE = 600  # seconds, on a machine that others use


def start(store: Path) -> subprocess.Popen[str]:
    """A sweep of the zoo's transformer on a worker of its own."""
    options = {"--ber": "1e-7,2e-6", "--images": IMAGES, "--chunk": CHUNK, "--trials": TRIALS, "--seed": SEED}
    options |= {"--workers": 1, "--store": store}
    words = [str(word) for option in options.items() for word in option]
    return subprocess.Popen(
        [sys.executable, "-m", "radhard", "sweep", "fashion-vit", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


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


def children(pid: int) -> list[int]:
    """The processes that a process has started, also in sessions of their own."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            found.append(int(entry.parent.name))
    return found


def kill_once_it_holds(store: Path, wanted: int) -> int:
    """Start a sweep, kill it as soon as the store holds `wanted` units (-1: as soon as the file is there)."""
    process = start(store)
    deadline = time.monotonic() + PATIENCE
    try:
        while not store.exists() or units(store) < wanted:
            assert process.poll() is None, "the sweep ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        workers = children(process.pid)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert workers
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "a worker outlives its driver"
        time.sleep(0.02)
    return units(store)


def provenance(store: Path) -> dict[object, Provenance]:
    with Store(store, mode="read") as opened:
        return {key: opened.provenance(key) for key, _ in opened.rows()}


def contents(store: Path) -> tuple[dict[str, str], list[object]]:
    with Store(store, mode="read") as opened:
        return opened.settings(), list(opened.rows())


def sweep(store: Path) -> rh.SweepResult:
    """The same sweep, in this process."""
    run = rh.RunOptions(images=IMAGES, chunk=CHUNK, trials=TRIALS, store=store)
    return rh.sweep("fashion-vit", ber=BER, run=run, faults=rh.FaultOptions(seed=SEED))


def test_killed_sweeps_change_no_byte_and_leave_no_process(tmp_path: Path) -> None:
    store, held = tmp_path / "run.db", -1
    for wanted in (-1, 3, 17):
        before = {} if held < 0 else provenance(store)
        held = kill_once_it_holds(store, wanted)  # still -1 if the tables were not yet written
        assert max(wanted, len(before) or -1) <= held < UNITS
        if before:  # what was measured before is still there, and was not measured again
            assert provenance(store).items() >= before.items()
    before = provenance(store)
    resumed = sweep(store)
    assert provenance(store).items() >= before.items()
    assert resumed.rows() == sweep(tmp_path / "whole.db").rows()
    assert contents(store) == contents(tmp_path / "whole.db")
    assert len(contents(store)[1]) == UNITS
    points = resumed.sweep.points
    assert points[0].accuracy > points[1].accuracy  # the numbers compared are not all alike
    assert all(point.n == 120 and point.ended == "trials" for point in points)
