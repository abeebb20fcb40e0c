"""How campaigns scale: `python -m benchmarks.scale` -> benchmarks/SCALE.md. Some five minutes on a quiet machine.

Two workers of one thread against one, for a sweep and for a comparison of schemes: images a second from the first unit
to the last, so that starting workers and preparing the model are left out. What Dask takes for a job that does nothing;
and what the command takes of a core for a job of 1,000 simulated workers, threads of one process whose jobs sleep.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import radhard as rh
from radhard.campaign.executor import Workers
from radhard.campaign.workers.local import LocalWorkers, usable_cores
from radhard.studies.options import RunOptions
from radhard.studies.progress import Event

PAGE = Path(__file__).with_name("SCALE.md")
ROUNDS = 3
JOB = 10.0
"""Seconds that a job of a simulated worker sleeps."""
WORKERS = 1000
Found = TypeVar("Found")


class Pace:
    """Images a second between the first and the last unit with faults."""

    def __init__(self, chunk: int) -> None:
        self._chunk, self._times = chunk, list[float]()

    def __call__(self, event: Event) -> None:
        """Note the time of a unit with faults."""
        if isinstance(event, rh.Measuring) and event.ber > 0:
            self._times.append(time.perf_counter())

    @property
    def images_per_second(self) -> float:
        """Of all units but the first."""
        return self._chunk * (len(self._times) - 1) / (self._times[-1] - self._times[0])


def sweep(workers: Workers, pace: Pace) -> None:
    rh.sweep("fashion-vit", ber=1e-6, run=RunOptions(images=1600, trials=1, chunk=50, workers=workers), progress=pace)


def compare(workers: Workers, pace: Pace) -> None:
    run = RunOptions(images=400, trials=1, chunk=50, batch=50, workers=workers)
    options = rh.CompareOptions(schemes=("lb-abft", "row-abft"))
    rh.compare("fashion-vit", ber=1e-6, compare_options=options, run=run, progress=pace)


def measured(verb: Callable[[Workers, Pace], None]) -> dict[int, float]:
    """Images a second of one worker and of two, each the median of rounds that take turns."""
    found: dict[int, list[float]] = {1: [], 2: []}
    with LocalWorkers(1) as one, LocalWorkers(2) as two:
        for _ in range(ROUNDS):
            for workers in (one, two):
                pace = Pace(50)
                verb(workers, pace)
                found[workers.count].append(pace.images_per_second)
    return {count: statistics.median(paces) for count, paces in found.items()}


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def with_dask(threads: int, work: Callable[[object], Found]) -> Found:
    """What `work` gives on the client of a scheduler and a worker of so many threads, in processes of their own."""
    from distributed import Client

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scheduler.json"
        start = [sys.executable, "-c", "import sys; from distributed.cli.dask_{0} import main; main()"]
        options = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard"]
        commands = (("scheduler", ["--port", "0"]), ("worker", ["--nthreads", str(threads), "--no-nanny"]))
        processes = [
            subprocess.Popen([*start[:2], start[2].format(name), *options, *more], stderr=subprocess.DEVNULL)
            for name, more in commands
        ]
        try:
            while not file.exists():
                time.sleep(0.1)
            with Client(scheduler_file=str(file), set_as_default=False) as client:
                client.wait_for_workers(1, timeout=120)
                return work(client)
        finally:
            for process in processes:
                process.kill()  # a worker that is asked to end waits for the jobs of its threads
                process.wait()


def overhead(client: object, jobs: int = 500) -> float:
    """Seconds of a job that does nothing, one after another."""
    submit = client.submit  # type: ignore[attr-defined]
    submit(sleep, 0.0, pure=False).result()
    began = time.perf_counter()
    for _ in range(jobs):
        submit(sleep, 0.0, pure=False).result()
    return (time.perf_counter() - began) / jobs


def driven(client: object, workers: int = WORKERS, seconds: float = 40.0) -> tuple[float, float]:
    """Jobs a second of so many simulated workers, and processor seconds of this process a job, each unit stored."""
    from distributed import as_completed
    from tests.support.campaigns import outcome, setting

    from radhard.campaign.experiment import Unit
    from radhard.campaign.store import Provenance, Store
    from radhard.campaign.workers.parcel import packed

    submit, loop = client.submit, client.loop  # type: ignore[attr-defined]
    how, one = Provenance(seconds=JOB, passes=1.0, made_by="{}"), setting()
    result = outcome(Unit(setting=one, trial=0, start=0, stop=200))  # a worker's work, and not of what is measured
    content = packed({one.digest: one})
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "run.db") as store:
        completed = as_completed(loop=loop, raise_errors=False)
        for number in range(workers):  # spread over the length of a job, as in a run that has gone on for a while
            completed.add(submit(work, content, JOB * number / workers, pure=False))
        began, cpu = time.perf_counter(), time.process_time()
        for trial, future in enumerate(completed):
            future.result()
            unit = Unit(setting=one, trial=trial, start=0, stop=200)
            store.write(unit, result, provenance=how)
            if time.perf_counter() - began > seconds:
                break
            completed.add(submit(work, content, JOB, pure=False))
        return (trial + 1) / (time.perf_counter() - began), (time.process_time() - cpu) / (trial + 1)


def work(content: bytes, seconds: float) -> bytes:
    time.sleep(seconds)
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, default=PAGE)
    page = parser.parse_args().page
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    lines = [
        "# How campaigns scale",
        "",
        f"Written by `python -m benchmarks.scale` on a machine with {usable_cores()} usable cores; fashion-vit, int8,",
        f"BER 1e-6, one thread a worker, the median of {ROUNDS} rounds that take turns.",
        "",
        "| what | one worker, images/s | two workers, images/s | ratio | aim |",
        "|---|---|---|---|---|",
    ]
    for name, verb, aim in (("sweep", sweep, 1.85), ("compare", compare, 1.8)):
        paces = measured(verb)
        lines.append(f"| {name} | {paces[1]:.0f} | {paces[2]:.0f} | {paces[2] / paces[1]:.2f} | {aim} |")
    alone, (pace, each) = with_dask(1, overhead), with_dask(WORKERS, driven)
    lines += [
        "",
        "| Dask | measured | aim |",
        "|---|---|---|",
        f"| a job that does nothing, from the command to a worker and back | {1e3 * alone:.1f} ms | |",
        f"| processor time of the command a job, at {pace:.0f} jobs a second, each stored | {1e3 * each:.1f} ms | |",
        f"| that is, for {WORKERS:,} workers with jobs of {JOB:.0f} s | {WORKERS / JOB * each:.2f} of a core | 0.5 |",
    ]
    page.write_text("\n".join(lines) + "\n")
    print(page.read_text())


if __name__ == "__main__":
    main()
