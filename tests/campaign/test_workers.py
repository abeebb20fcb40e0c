"""Workers: the same bytes as one process, whatever is killed on the way; what cannot be run is named, not lost."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from radhard.campaign.executor import Skipped, ThisProcess
from radhard.campaign.experiment import Setting
from radhard.campaign.model_under_test import faulty_setting
from radhard.campaign.store import Store
from radhard.campaign.workers import local
from radhard.campaign.workers.local import MOST_ENDS, LocalWorkers
from radhard.campaign.workers.parcel import MOST_MODELS, Sent, Shelf, packed, part_list_of, parts_of, unpacked
from radhard.errors import InputError, WorkerError
from radhard.protection import read_method
from tests.support.driven import UNITS, dies, lacks_memory, poisoned, rows, run
from tests.support.explorations import tiny_under_test

PATIENCE = 600.0  # seconds, on a machine that others use


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """What one process writes."""
    store = tmp_path_factory.mktemp("whole") / "whole.db"
    assert len(run(store, ThisProcess())) == UNITS
    return rows(store)


@pytest.fixture(scope="module")
def two() -> Iterator[LocalWorkers]:
    with LocalWorkers(2) as workers:
        yield workers
    assert not any(map(alive, workers.processes))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while any(map(alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_two_workers_write_what_one_process_does(two: LocalWorkers, whole: list[object], tmp_path: Path) -> None:
    assert len(run(tmp_path / "run.db", two)) == UNITS
    assert rows(tmp_path / "run.db") == whole
    with Store(tmp_path / "run.db", mode="read") as store:
        made_by = {store.provenance(key).made_by for key, _ in store.rows()}
    assert all('"radhard"' in each for each in made_by)


def kill_some(workers: LocalWorkers, store: Path, *, kills: int, seed: int, trials: int) -> None:
    """Run, and kill a worker at a unit that is drawn, so many times."""
    draw, count = random.Random(seed), 0
    at = set(draw.sample(range(4, 4 + 8 * trials - 2), kills))

    def watch(_: object) -> None:
        nonlocal count
        if (count := count + 1) in at:
            os.kill(draw.choice([w.process.pid for w in workers.workers if w.job] or workers.processes), signal.SIGKILL)

    found = run(store, workers, watch=watch, trials=trials)
    assert not [state for state in found if isinstance(state, Skipped)]
    assert len(found) == 4 + 8 * trials


def test_two_killed_workers_change_no_byte(two: LocalWorkers, whole: list[object], tmp_path: Path) -> None:
    before = set(two.processes)
    kill_some(two, tmp_path / "run.db", kills=2, seed=1, trials=3)
    assert before != set(two.processes)
    assert rows(tmp_path / "run.db") == whole


@pytest.mark.slow
def test_forty_killed_workers_change_no_byte(two: LocalWorkers, tmp_path: Path) -> None:
    run(tmp_path / "whole.db", ThisProcess(), trials=10)
    for seed in (2, 3):
        kill_some(two, tmp_path / f"{seed}.db", kills=20, seed=seed, trials=10)
        assert rows(tmp_path / f"{seed}.db") == rows(tmp_path / "whole.db")


def driver(store: Path, *, workers: int = 1, trials: int = 3) -> tuple[subprocess.Popen[str], list[int]]:
    command = [sys.executable, "-m", "tests.support.driven", str(store), str(workers), str(trials)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, [int(pid) for pid in process.stdout.readline().split()]


def held(store: Path) -> int:
    """How many units a store has that others write."""
    if not store.exists():
        return 0
    try:
        with Store(store, mode="salvage") as opened:
            return len(opened.keys())
    except Exception:  # its tables are being made
        return 0


def kill_driver(store: Path, *, at: int, trials: int) -> None:
    process, pids = driver(store, trials=trials)
    deadline = time.monotonic() + PATIENCE
    while held(store) < at and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert gone(pids), "workers outlive their driver"


@pytest.mark.slow
def test_twenty_killed_drivers_change_no_byte_and_leave_no_process(tmp_path: Path) -> None:
    run(tmp_path / "whole.db", ThisProcess(), trials=12)
    for at in range(1, 101, 5):
        kill_driver(tmp_path / "run.db", at=at, trials=12)
    run(tmp_path / "run.db", ThisProcess(), trials=12)
    assert rows(tmp_path / "run.db") == rows(tmp_path / "whole.db")


def test_a_job_that_kills_its_workers_is_named_and_the_others_are_done(two: LocalWorkers, tmp_path: Path) -> None:
    model_under_test = poisoned(dies, at=(230,))
    found = run(tmp_path / "run.db", two, model_under_test=model_under_test, trials=1)
    skipped = [state for state in found if isinstance(state, Skipped)]
    assert [(one.ends, one.job.units[0].start) for one in skipped] == [(MOST_ENDS, 200), (0, 200), (0, 200)]
    assert "images 200 to 299" in skipped[0].name
    assert "signal 9" in skipped[0].reason
    assert len(found) - len(skipped) == 3 + 2 * 3
    assert found[-1].done == found[-1].total == 9
    with Store(tmp_path / "run.db", mode="read") as store:
        assert not [key for key in store.keys() if key[2] == 200]  # noqa: SIM118 - no dict


def test_a_worker_without_memory_is_replaced(
    two: LocalWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "MOST_ENDS", 1)  # the test before this one has the three
    model_under_test = poisoned(lacks_memory, at=(399,))
    skipped = [
        s for s in run(tmp_path / "run.db", two, model_under_test=model_under_test, trials=1) if isinstance(s, Skipped)
    ]
    assert "memory ran out" in skipped[0].why
    assert skipped[0].ends == 1


def test_an_error_of_a_job_is_raised_here_as_in_one_process(two: LocalWorkers, tmp_path: Path) -> None:
    model_under_test = tiny_under_test()
    wrong = replace(model_under_test, programs={"int8": poisoned(dies, at=()).programs["int8"]})
    with Store(tmp_path / "a.db") as store:
        from radhard.campaign.execute import execute
        from tests.support.driven import campaign

        with pytest.raises(InputError, match="the model under test holds"):
            list(execute(campaign(wrong), store, executor=two.on(model_under_test, batch=25)))
    assert len(run(tmp_path / "run.db", two)) == UNITS  # the workers go on


def test_no_more_starts_where_none_gets_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "radhard").mkdir()
    (tmp_path / "radhard" / "__init__.py").write_text("raise ModuleNotFoundError('No module named numpy')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(WorkerError, match="No module named"), LocalWorkers(1) as workers:
        run(tmp_path / "run.db", workers)


def test_a_number_of_workers_that_cannot_be() -> None:
    with pytest.raises(InputError, match="workers 0"):
        LocalWorkers(0)


def test_parts_are_sent_once_and_are_the_same_there() -> None:
    model_under_test = tiny_under_test()
    name, sent, shelf = part_list_of(model_under_test), Sent(), Shelf()
    assert sent.lacking(name) == name.parts
    shelf.put(name, parts_of(model_under_test))
    sent.note(name)
    assert sent.lacking(name) is None
    there = shelf.models_under_test[name.digest]
    assert {r: p.digest for r, p in there.programs.items()} == {
        r: p.digest for r, p in model_under_test.programs.items()
    }
    assert there.data.digest == model_under_test.data.digest
    for recipe, program in model_under_test.programs.items():
        for number, value in program.constants.items():
            other = there.programs[recipe].constants[number]
            assert torch.equal(value, other)
            assert value.stride() == other.stride()
    other = replace(model_under_test, data=model_under_test.data.take(torch.arange(10), name="few"))
    assert sent.lacking(part_list_of(other)) == {other.data.digest}  # the programs are there
    for number in range(MOST_MODELS + 1):
        more = replace(model_under_test, data=model_under_test.data.take(torch.arange(number, 20), name="some"))
        lacking = sent.lacking(part_list_of(more))
        shelf.put(part_list_of(more), {d: c for d, c in parts_of(more).items() if d in lacking})
        sent.note(part_list_of(more))
    assert shelf.parts.keys() == {part for known in sent.models_under_test for part in known.parts}


@pytest.mark.parametrize("scheme", ["lb-abft", "row-abft", "tmr", "row-check", "huang-abraham"])
def test_settings_with_schemes_and_ranges_arrive_whole(scheme: str) -> None:
    model_under_test = tiny_under_test()
    plain = faulty_setting(model_under_test, "int8", ber=1e-4)
    protectable = model_under_test.protectable("int8", words=plain.words)
    setting = replace(plain, protection=read_method(scheme).protect(protectable, ber=1e-4))
    there: Setting = unpacked(packed(setting))
    assert there.text == setting.text
    assert there == setting


def test_what_workers_cannot_import_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match="at the top of a module that workers can import"):
        packed(lambda: None)
