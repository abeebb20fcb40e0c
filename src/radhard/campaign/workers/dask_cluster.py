"""Workers of a Dask cluster: one on this machine, an existing scheduler, or jobs of Slurm, PBS or LSF.

Parts of a model under test go to each worker once, by a plugin that Dask gives to new workers, too. As many jobs are
on their way as there are threads, so that a worker that dies had one job a thread at most. Dask tries it again; one
that it gives up is tried once more when no other job runs, and then is skipped: a job beside it is not blamed.
"""

import itertools
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from radhard.campaign.executor import Done, Skipped
from radhard.campaign.measure import Job
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.campaign.workers.local import MOST_ENDS, MOST_WORKERS, threads_each
from radhard.campaign.workers.parcel import (
    MOST_MODELS,
    PartList,
    order_of,
    packed,
    part_list_of,
    parts_of,
    settings_of,
    unpacked,
)
from radhard.campaign.workers.process import out_of_memory_here
from radhard.errors import InputError, RadhardError, WorkerError

QUEUES = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster"}
_FORMS = "local:N, tcp://HOST:PORT, slurm:FILE.yaml, pbs:FILE.yaml or lsf:FILE.yaml"


class DaskWorkers:
    """The workers of a Dask cluster, named as `--cluster` takes it. Sockets are on the loopback address unless told.

    A scheduler that does not answer within `patience` seconds cannot be reached.
    """

    def __init__(self, where: str, *, patience: float = 30.0) -> None:
        self._where, self._patience = where, patience
        self._kind, _, self._rest = where.partition(":")
        if not self._rest or self._kind not in ("local", "tcp", "tls", *QUEUES):
            raise InputError(f"--cluster {where}: write {_FORMS}")
        if self._kind == "local" and not (self._rest.isdecimal() and 1 <= int(self._rest) <= MOST_WORKERS):
            raise InputError(f"--cluster {where}: write local:N with a number of workers from 1 to {MOST_WORKERS}")
        self._queue = read_queue(Path(self._rest), option=where) if self._kind in QUEUES else {}
        self._cluster: Any = None
        self._client: Any = None
        self._plugins: list[str] = []

    @property
    def count(self) -> int:
        """How many jobs run at a time: the threads of the workers that are there now, at least one."""
        return max(1, sum(map(int, self._client.nthreads().values())))

    @property
    def cluster(self) -> Any:
        """The cluster of Dask that was started here; None where the scheduler was there."""
        return self._cluster

    @property
    def client(self) -> Any:
        """The client of Dask."""
        return self._client

    def __enter__(self) -> Self:
        """Start the cluster, or connect to it. WorkerError if Dask is not installed, or nobody answers."""
        try:
            import dask
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise WorkerError(f"--cluster {self._where} needs Dask: pip install 'radhard[cluster]'") from error
        try:
            if self._kind == "local":
                count = int(self._rest)
                with dask.config.set({"distributed.scheduler.allowed-failures": MOST_ENDS - 1}):
                    self._cluster = LocalCluster(
                        n_workers=count,
                        threads_per_worker=1,
                        host="127.0.0.1",
                        dashboard_address=None,
                        worker_dashboard_address=None,
                        env={"OMP_NUM_THREADS": str(threads_each(count)), "OMP_WAIT_POLICY": "PASSIVE"},
                        silence_logs="CRITICAL",
                    )
            elif self._kind in QUEUES:
                self._cluster = self._of_queue()
            self._client = Client(self._cluster or self._where, set_as_default=False, timeout=self._patience)
        except (OSError, TimeoutError) as error:
            self._close()
            raise WorkerError(f"--cluster {self._where} cannot be reached: {error}; is the scheduler there?") from error
        except BaseException:
            self._close()
            raise
        return self

    def _of_queue(self) -> Any:
        try:
            import dask_jobqueue
        except ImportError as error:
            raise WorkerError(f"--cluster {self._where} needs dask-jobqueue: pip install 'radhard[cluster]'") from error
        options = dict(self._queue)
        jobs = options.pop("jobs")
        try:
            cluster = getattr(dask_jobqueue, QUEUES[self._kind])(**options)
        except (TypeError, ValueError) as error:
            raise InputError(f"--cluster {self._where}: {error}") from error
        cluster.scale(jobs=jobs)
        return cluster

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what was started here; of an existing scheduler, take away what was put there."""
        if self._cluster is None and self._client is not None and self._client.status == "running":
            for name in self._plugins:
                self._client.unregister_worker_plugin(name)
        self._close()

    def _close(self) -> None:
        for each in (self._client, self._cluster):
            if each is not None:
                each.close(timeout=10)
        self._client = self._cluster = None

    def on(self, model_under_test: ModelUnderTest, *, batch: int) -> "DaskExecutor":
        """The executor of a model under test."""
        return DaskExecutor(workers=self, model_under_test=model_under_test, batch=batch)

    def send(self, model_under_test: ModelUnderTest) -> PartList:
        """Give the workers a model under test, if they have not got it."""
        part_list = part_list_of(model_under_test)
        if f"radhard-{part_list.digest}" not in self._plugins:
            from radhard.campaign.workers.dask_worker import SendParts

            plugin = SendParts(part_list, parts_of(model_under_test))
            self._client.register_plugin(plugin)
            self._plugins.append(plugin.name)
            for old in self._plugins[:-MOST_MODELS]:  # as the shelf of each worker drops them
                self._client.unregister_worker_plugin(old)
            self._plugins = self._plugins[-MOST_MODELS:]
        return part_list


def read_queue(file: Path, *, option: str) -> dict[str, Any]:
    """The YAML file of a queue: `jobs`, how many are wanted, and what dask-jobqueue takes, such as cores and memory.

    InputError if it cannot be read, or does not say on which network the workers reach this machine.
    """
    try:
        import yaml

        found = yaml.safe_load(file.read_text())
    except ImportError as error:
        raise WorkerError(f"--cluster {option} needs Dask: pip install 'radhard[cluster]'") from error
    except OSError as error:
        raise InputError(f"--cluster {option}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"--cluster {option}: it is no YAML: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("jobs"), int) or found["jobs"] < 1:
        raise InputError(
            f"--cluster {option}: it must say `jobs: N`, how many jobs the queue is to run (docs/cluster.md)"
        )
    if "interface" not in found and "host" not in (found.get("scheduler_options") or {}):
        raise InputError(
            f"--cluster {option}: it must say by which network workers reach this machine, such as `interface: ib0` "
            "(`ip link` lists them): without it, sockets stay on the loopback address"
        )
    found.setdefault("scheduler_options", {}).setdefault("dashboard_address", None)
    return {str(name): value for name, value in found.items()}


@dataclass(frozen=True, kw_only=True)
class DaskExecutor:
    """Runs jobs of one model under test on the workers of a Dask cluster."""

    workers: DaskWorkers
    model_under_test: ModelUnderTest
    batch: int

    def run(self, jobs: Iterable[Job]) -> Iterator[Done | Skipped]:
        """Yield each job once it is done, or skipped, in any order. Errors are those of `measure`, and WorkerError."""
        round_ = _Round(self, iter(jobs))
        try:
            yield from round_.run()
        finally:
            round_.cancel()


class _Round:
    """Jobs on their way to a cluster and back."""

    def __init__(self, executor: DaskExecutor, jobs: Iterator[Job]) -> None:
        self._workers, self._model_under_test, self._batch = executor.workers, executor.model_under_test, executor.batch
        self._jobs, self._suspects = jobs, deque[Job]()
        self._ends: dict[int, int] = {}
        self._flying: dict[str, tuple[Any, Job]] = {}
        self._versions: dict[str, str] = {}
        self._task: Any = None
        self._names = (f"radhard-{uuid.uuid4().hex}-{number}" for number in itertools.count())

    def run(self) -> Iterator[Done | Skipped]:
        first = next(self._jobs, None)
        if first is None:
            return
        part_list = self._workers.send(self._model_under_test)
        self._jobs = itertools.chain([first], self._jobs)
        from distributed import as_completed

        from radhard.campaign.workers.dask_worker import VERSIONS, run_order

        self._versions, self._task = VERSIONS, run_order

        completed = as_completed(raise_errors=False, loop=self._workers.client.loop)
        room = self._workers.count
        for job in itertools.islice(self._jobs, room):
            completed.add(self._submit(job, part_list))
        while self._flying:
            future = next(completed)
            _, job = self._flying.pop(future.key)
            found = self._landed(future, job)
            room = max(room, self._workers.count) if len(self._flying) % 16 == 0 else room
            for more in itertools.islice(self._jobs, max(0, room - len(self._flying))):
                completed.add(self._submit(more, part_list))
            if found is not None:
                yield found
            if not self._flying and self._suspects:
                completed.add(self._submit(self._suspects.popleft(), part_list))

    def _submit(self, job: Job, part_list: PartList) -> Any:
        order = order_of(job, model_under_test=part_list.digest, batch=self._batch)
        content = packed((self._versions, settings_of(job), order))
        future = self._workers.client.submit(self._task, content, key=next(self._names), pure=False)
        self._flying[future.key] = future, job
        return future

    def _landed(self, future: Any, job: Job) -> Done | Skipped | None:
        """What came of a job; None if it is to be tried again."""
        from distributed.scheduler import KilledWorker

        if future.status == "finished":
            measured, made_by = unpacked(future.result())
            return Done(job=job, measured=measured, made_by=made_by)
        if future.status != "error":
            raise WorkerError(
                "the scheduler of the cluster went away: what was measured is in the store; start it again, and the "
                "same command goes on"
            )
        error = future.exception()
        if isinstance(error, KilledWorker):
            return self._suspect(job, ends=MOST_ENDS, why="they were killed, or their memory ran out")
        if out_of_memory_here(error):
            return self._suspect(job, ends=1, why=f"memory ran out ({error})")
        if isinstance(error, RadhardError):
            raise error
        raise WorkerError(f"a worker met an unexpected {type(error).__name__}: {error}") from error

    def _suspect(self, job: Job, *, ends: int, why: str) -> Skipped | None:
        """Try it once more when no other runs; skip one that has been tried so."""
        before = self._ends.get(id(job), 0)
        self._ends[id(job)] = before + ends
        if before:
            return Skipped(job=job, ends=before + ends, why=why)
        self._suspects.append(job)
        return None

    def cancel(self) -> None:
        """Nobody wants the jobs that are still on their way."""
        if self._flying and self._workers.client is not None:
            self._workers.client.cancel([future for future, _ in self._flying.values()], force=True)
