"""Workers of Dask: the same bytes as one process, whatever is killed; a scheduler that is there; files of queues."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from radhard.campaign.executor import Skipped, ThisProcess
from radhard.campaign.workers.dask_cluster import DaskWorkers, read_queue
from radhard.campaign.workers.local import MOST_ENDS
from radhard.errors import InputError, WorkerError
from tests.support.driven import UNITS, dies, poisoned, rows, run

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'radhard[cluster]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # Dask's own


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    store = tmp_path_factory.mktemp("whole") / "whole.db"
    run(store, ThisProcess())
    return rows(store)


@pytest.fixture(scope="module")
def two() -> Iterator[DaskWorkers]:
    with DaskWorkers("local:2") as workers:
        yield workers


def pids(workers: DaskWorkers) -> list[int]:
    """Those of the workers that are there now."""
    return [nanny.pid for nanny in workers.cluster.workers.values() if nanny.pid]


def test_a_local_cluster_stays_on_the_loopback_address_and_writes_what_one_process_does(
    two: DaskWorkers, whole: list[object], tmp_path: Path
) -> None:
    assert two.count == 2
    addresses = [two.client.scheduler.address, *two.client.scheduler_info()["workers"]]
    assert all(address.startswith("tcp://127.0.0.1:") for address in addresses)
    assert len(run(tmp_path / "run.db", two)) == UNITS
    assert rows(tmp_path / "run.db") == whole


def test_a_killed_worker_changes_no_byte(two: DaskWorkers, whole: list[object], tmp_path: Path) -> None:
    draw, count = random.Random(4), 0

    def watch(_: object) -> None:
        nonlocal count
        if (count := count + 1) == 6:
            os.kill(draw.choice(pids(two)), signal.SIGKILL)

    assert len(run(tmp_path / "run.db", two, watch=watch)) == UNITS
    assert rows(tmp_path / "run.db") == whole


@pytest.mark.slow
def test_a_job_that_kills_its_workers_is_named_and_the_others_are_done(two: DaskWorkers, tmp_path: Path) -> None:
    found = run(tmp_path / "run.db", two, model_under_test=poisoned(dies, at=(230,)), trials=1)
    skipped = [state for state in found if isinstance(state, Skipped)]
    assert [(one.ends, one.job.units[0].start) for one in skipped] == [(2 * MOST_ENDS, 200), (0, 200), (0, 200)]
    assert len(found) - len(skipped) == 9


def test_a_scheduler_that_dies_loses_nothing(whole: list[object], tmp_path: Path) -> None:
    code = "import distributed.cli.dask_{0} as m; m.main()"
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-c"]
    options = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard"]
    scheduler = subprocess.Popen(
        [*command, code.format("scheduler"), *options, "--port", "0"], stderr=subprocess.DEVNULL
    )
    worker = subprocess.Popen([*command, code.format("worker"), *options, "--nthreads", "1"], stderr=subprocess.DEVNULL)
    try:
        while not file.exists():
            time.sleep(0.1)
        address = next(part for part in file.read_text().split('"') if part.startswith("tcp://"))
        count = 0

        def watch(_: object) -> None:
            nonlocal count
            if (count := count + 1) == 8:
                scheduler.kill()

        with pytest.raises(WorkerError, match="went away"), DaskWorkers(address) as workers:
            run(tmp_path / "run.db", workers, watch=watch)
        assert 8 <= count < UNITS
        assert len(run(tmp_path / "run.db", ThisProcess())) <= UNITS - count
        assert rows(tmp_path / "run.db") == whole
    finally:
        for process in (scheduler, worker):
            process.terminate()
            process.wait()


@pytest.mark.parametrize("where", ["", "local", "local:0", "local:x", "slurm:", "http://a:1"])
def test_a_cluster_that_cannot_be(where: str) -> None:
    with pytest.raises(InputError, match="cluster"):
        DaskWorkers(where)


def test_a_scheduler_that_is_not_there() -> None:
    with pytest.raises(WorkerError, match="cannot be reached"), DaskWorkers("tcp://127.0.0.1:9", patience=0.5):
        pass


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "no YAML"),
        ("cores: 2", "jobs: N"),
        ("jobs: 0", "jobs: N"),
        ("jobs: 2", "interface"),
    ],
)
def test_a_file_of_a_queue_that_says_too_little(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "slurm.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=told):
        DaskWorkers(f"slurm:{file}")
    with pytest.raises(InputError, match="No such file"):
        DaskWorkers(f"pbs:{tmp_path}/none.yaml")


def test_a_file_of_a_queue_makes_the_script_of_a_job(tmp_path: Path) -> None:
    from dask_jobqueue import SLURMCluster

    file = tmp_path / "slurm.yaml"
    file.write_text("jobs: 3\ncores: 1\nmemory: 4GB\nqueue: normal\nwalltime: '02:00:00'\ninterface: lo\n")
    options = read_queue(file, option="slurm")
    assert options.pop("jobs") == 3
    with SLURMCluster(**options) as cluster:
        script = cluster.job_script()
    assert "#SBATCH -p normal" in script
    assert "#SBATCH -t 02:00:00" in script
