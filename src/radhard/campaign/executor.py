"""Where jobs run. An executor is given jobs and hands back outcomes, in any order, and writes nothing."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from radhard.campaign.bench import Bench
from radhard.campaign.measure import Job, measure
from radhard.campaign.outcomes import Outcome


@dataclass(frozen=True, kw_only=True)
class Done:
    """A job, what came out, and the seconds of work that it took."""

    job: Job
    outcome: Outcome
    seconds: float


class Executor(Protocol):
    """Runs jobs."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        """Yield each job once it is done; every job exactly once."""
        ...


@dataclass(frozen=True, kw_only=True)
class InProcess:
    """Runs one job after the other in this process, `batch` images at a time."""

    bench: Bench
    batch: int = 64

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        """Yield each job once it is done, in the order given."""
        for job in jobs:
            began = time.perf_counter()
            outcome = measure(job, self.bench, batch=self.batch)
            yield Done(job=job, outcome=outcome, seconds=time.perf_counter() - began)
