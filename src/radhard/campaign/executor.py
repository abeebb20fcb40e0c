"""Executors of jobs: they return outcomes in any order and write nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from radhard.campaign.measure import Job, Measured, measure
from radhard.campaign.model_under_test import ModelUnderTest


@dataclass(frozen=True, kw_only=True)
class Done:
    """A job, and what came out of each of its units."""

    job: Job
    measured: tuple[Measured, ...]


class Executor(Protocol):
    """Runs jobs."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        """Yield each job once it is done; every job exactly once."""
        ...


@dataclass(frozen=True, kw_only=True)
class InProcess:
    """Runs one job after the other in this process, `batch` images at a time."""

    bench: ModelUnderTest
    batch: int = 64

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        """Yield each job once it is done, in the order given."""
        for job in jobs:
            yield Done(job=job, measured=measure(job, self.bench, batch=self.batch))
