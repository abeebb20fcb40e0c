"""Worker processes on this machine: started, sent one job at a time, and restarted when one dies."""

import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import radhard.errors
from radhard.campaign.executor import Done, Skipped
from radhard.campaign.measure import Job
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.campaign.workers.parcel import Sent, order_of, packed, part_list_of, parts_of, unpacked
from radhard.campaign.workers.process import DONE, MEMORY, READY
from radhard.errors import InputError, RadhardError, WorkerError

MOST_ENDS = 3
"""A job that has ended so many workers is skipped."""

MOST_KILLED = 10
"""So many workers in a row may be killed from outside before they are ready."""

MOST_WORKERS = 1024


def usable_cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_each(workers: int) -> int:
    """The threads of each of so many workers: its share of the cores, at most what OMP_NUM_THREADS says."""
    share = max(1, usable_cores() // workers)
    stated = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(stated)) if stated.isdecimal() and int(stated) else share


@dataclass(kw_only=True, eq=False)
class _Worker:
    """A worker's process and the connection to it; the job that it has, if any."""

    process: subprocess.Popen[bytes]
    connection: Connection
    lifeline: int
    log: Any
    ready: bool = False
    job: "_Waiting | None" = None
    sent: Sent = field(default_factory=Sent)

    def end(self) -> None:
        """End it at once, and wait until it is gone."""
        self.process.kill()
        self.process.wait()
        self.connection.close()
        os.close(self.lifeline)
        self.log.close()

    def how_it_ended(self) -> str:
        """`ended by signal 9 (killed; out of memory?)`, or its exit code and last words."""
        try:
            code = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            code = 0
        if code == -9:
            return "it was killed (signal 9), as the system does where memory runs out"
        if code < 0:
            return f"it was ended by signal {-code}"
        self.log.seek(0)
        words = self.log.read().decode("utf-8", "replace").strip().splitlines()
        return f"it ended with exit code {code}" + (f": {words[-1]}" if words else "")


@dataclass(kw_only=True, eq=False)
class _Waiting:
    """A job that is to be done, and how many workers it has ended so far."""

    job: Job
    ends: int = 0


class LocalWorkers:
    """So many processes of this machine, each with its share of threads. They start at once and end with the command.

    They are started anew where one is killed, or its memory runs out, and the job that it had is given to another.
    """

    def __init__(self, count: int) -> None:
        if not 1 <= count <= MOST_WORKERS:
            raise InputError(f"--workers {count}: give a number of processes from 1 to {MOST_WORKERS}")
        self.count = count
        self._workers: list[_Worker] = []
        self._failed = 0

    def __enter__(self) -> Self:
        """Start the processes; they load while a model is being prepared."""
        self.fill()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.end()
        self._workers = []

    @property
    def processes(self) -> list[int]:
        """The process ids of the workers."""
        return [worker.process.pid for worker in self._workers]

    def on(self, model_under_test: ModelUnderTest, *, batch: int) -> "LocalExecutor":
        """The executor of a model under test."""
        return LocalExecutor(workers=self, model_under_test=model_under_test, batch=batch)

    def _started(self) -> _Worker:
        ours, theirs = Pipe()
        lifeline_read, lifeline_write = os.pipe()
        log = tempfile.TemporaryFile(prefix="radhard-worker-")  # noqa: SIM115 - open as long as the worker is there
        path = os.pathsep.join(str(Path(each or ".").resolve()) for each in sys.path)
        environment = {**os.environ, "PYTHONPATH": path, "OMP_WAIT_POLICY": "PASSIVE"}
        environment |= {name: str(threads_each(self.count)) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "radhard.campaign.workers.process", str(theirs.fileno()), str(lifeline_read)],
            pass_fds=(theirs.fileno(), lifeline_read),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C of a terminal goes to the driver alone
        )
        theirs.close()
        os.close(lifeline_read)
        return _Worker(process=process, connection=ours, lifeline=lifeline_write, log=log)

    def fill(self) -> None:
        """Start processes until there are as many as wanted."""
        while len(self._workers) < self.count:
            self._workers.append(self._started())

    def replace(self, worker: _Worker) -> None:
        """Another process in the place of one that has ended. WorkerError if none gets as far as a first job."""
        why = worker.how_it_ended()
        self._failed = 0 if worker.ready else self._failed + 1
        killed = (worker.process.returncode or 0) < 0
        self._drop(worker)
        if self._failed >= (MOST_KILLED if killed else MOST_ENDS):
            raise WorkerError(f"{self._failed} workers in a row ended before they could take a job; of the last: {why}")
        self.fill()

    def let_go(self) -> None:
        """End the workers that have a job, whose results nobody wants any more."""
        for worker in self.workers:
            if worker.job is not None:
                self._drop(worker)

    def _drop(self, worker: _Worker) -> None:
        worker.end()
        self._workers.remove(worker)

    @property
    def workers(self) -> list[_Worker]:
        """The workers as they are now."""
        return list(self._workers)


@dataclass(frozen=True, kw_only=True)
class LocalExecutor:
    """Runs jobs of one model under test on the processes of this machine."""

    workers: LocalWorkers
    model_under_test: ModelUnderTest
    batch: int

    def run(self, jobs: Iterable[Job]) -> Iterator[Done | Skipped]:
        """Yield each job once it is done, or skipped, in any order. Errors are those of `measure`, and WorkerError."""
        self.workers.fill()
        try:
            yield from _Round(self, iter(jobs)).run()
        finally:
            self.workers.let_go()


class _Round:
    """Jobs given to workers until there is none left."""

    def __init__(self, executor: LocalExecutor, jobs: Iterator[Job]) -> None:
        self._pool, self._batch, self._jobs = executor.workers, executor.batch, jobs
        self._under_test = executor.model_under_test
        self._model_under_test = part_list_of(executor.model_under_test)
        self._parts: dict[str, bytes] = {}
        self._again: deque[_Waiting] = deque()
        self._waiting: _Waiting | None = None

    def run(self) -> Iterator[Done | Skipped]:
        found: list[Done | Skipped] = []
        while True:
            self._give_all()  # before results are handed on: nobody waits while these are stored
            yield from found
            if self._waiting is None and not any(worker.job is not None for worker in self._pool.workers):
                return
            found = [each for worker in self._ready_to_be_read() for each in self._hear(worker)]

    def _give_all(self) -> None:
        """Give jobs to the workers that have none."""
        for worker in self._pool.workers:
            self._waiting = self._waiting or self._next()
            if self._waiting is None:
                return
            if worker.ready and worker.job is None and self._give(worker, self._waiting):
                self._waiting = None
        self._waiting = self._waiting or self._next()

    def _ready_to_be_read(self) -> list[_Worker]:
        """The workers that have sent a message, or have ended; waits until there is one."""
        by_connection: dict[Any, _Worker] = {each.connection: each for each in self._pool.workers}
        return [by_connection[cast("Any", ready)] for ready in wait(list(by_connection))]

    def _next(self) -> _Waiting | None:
        if self._again:
            return self._again.popleft()
        job = next(self._jobs, None)
        return None if job is None else _Waiting(job=job)

    def _give(self, worker: _Worker, waiting: _Waiting) -> bool:
        """Send a job to a worker, with what it lacks; whether it was taken: a worker may have ended meanwhile."""
        lacking = worker.sent.lacking(self._model_under_test)
        if lacking and not self._parts:
            self._parts = parts_of(self._under_test)
        parts = {digest: self._parts[digest] for digest in lacking or ()}
        model_under_test = None if lacking is None else self._model_under_test
        order = order_of(waiting.job, model_under_test=self._model_under_test.digest, batch=self._batch)
        message = packed((model_under_test, parts, worker.sent.new_settings(waiting.job), order))
        try:
            worker.connection.send_bytes(message)
        except (BrokenPipeError, ConnectionResetError):
            self._pool.replace(worker)
            return False
        if model_under_test is not None:
            worker.sent.note(model_under_test)
        worker.job = waiting
        return True

    def _hear(self, worker: _Worker) -> list[Done | Skipped]:
        """Reads the message of a worker: ready, a result, or an error, which is raised; or the worker has ended."""
        try:
            kind, content = worker.connection.recv()
        except (EOFError, ConnectionResetError, OSError):
            return self._ended(worker, worker.how_it_ended())
        waiting, worker.job = worker.job, None
        if kind == READY:
            worker.ready = True
            return []
        assert waiting is not None
        if kind == DONE:
            measured, made_by = unpacked(content)
            return [Done(job=waiting.job, measured=measured, made_by=made_by)]
        name, text = unpacked(content)
        if kind == MEMORY:
            worker.job = waiting
            return self._ended(worker, f"its memory ran out ({text})")
        raise _raised(name, text)

    def _ended(self, worker: _Worker, why: str) -> list[Done | Skipped]:
        waiting, worker.job = worker.job, None
        self._pool.replace(worker)
        if waiting is None:
            return []
        waiting.ends += 1
        if waiting.ends >= MOST_ENDS:
            return [Skipped(job=waiting.job, ends=waiting.ends, why=why)]
        self._again.append(waiting)
        return []


def _raised(name: str, text: str) -> Exception:
    """The error that a worker met, as this process would have raised it; a WorkerError of what is no error of ours."""
    kind = getattr(radhard.errors, name, None)
    if isinstance(kind, type) and issubclass(kind, RadhardError):
        return kind(text)
    return WorkerError(f"a worker met an unexpected {name}: {text}. Without --workers it shows where it was raised")
