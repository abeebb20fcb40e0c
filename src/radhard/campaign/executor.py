"""Executors of jobs: they return outcomes in any order and write nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from radhard.campaign.measure import Job, Measured, measure
from radhard.campaign.model_under_test import ModelUnderTest


@dataclass(frozen=True, kw_only=True)
class Done:
    """A job, and what came out of each of its units. `made_by`: what made it, where that was another process."""

    job: Job
    measured: tuple[Measured, ...]
    made_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A job that is not tried again: it has ended its worker `ends` times, at last as `why` says."""

    job: Job
    ends: int
    why: str

    @property
    def reason(self) -> str:
        """How its workers ended, in a sentence's part."""
        return f"{self.ends} workers ended with it: {self.why}" if self.ends else self.why

    @property
    def name(self) -> str:
        """`fashion-vit, int8, BER 1e-07, trial 3, images 200 to 399`."""
        unit = self.job.units[-1]
        setting = unit.setting
        what = "no faults" if setting.clean else setting.rate
        more = f" and {len(self.job.units) - 1} more settings" if len(self.job.units) > 1 else ""
        return (
            f"{setting.model}, {setting.recipe}, {what}, setting {setting.digest[:12]}{more}, trial {unit.trial}, "
            f"images {unit.start} to {unit.stop - 1}"
        )


class Executor(Protocol):
    """Runs jobs on one model under test."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Done | Skipped]:
        """Yield each job once it is done, or skipped; every job exactly once."""
        ...


class Workers(Protocol):
    """What runs jobs of any model under test, from the start of a command to its end."""

    @property
    def count(self) -> int:
        """How many jobs run at a time."""
        ...

    def on(self, model_under_test: ModelUnderTest, *, batch: int) -> Executor:
        """The executor of a model under test, at most `batch` images at a time."""
        ...

    def __enter__(self) -> Self:
        """Start."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every process that was started."""
        ...


@dataclass(frozen=True, kw_only=True)
class InProcess:
    """Runs one job after the other in this process, `batch` images at a time."""

    model_under_test: ModelUnderTest
    batch: int = 64

    def run(self, jobs: Iterable[Job]) -> Iterator[Done | Skipped]:
        """Yield each job once it is done, in the order given."""
        for job in jobs:
            yield Done(job=job, measured=measure(job, self.model_under_test, batch=self.batch))


@dataclass(frozen=True, kw_only=True)
class ThisProcess:
    """No other process: jobs run one after the other where the command runs."""

    count: int = 1

    def on(self, model_under_test: ModelUnderTest, *, batch: int) -> InProcess:
        """The executor of a model under test."""
        return InProcess(model_under_test=model_under_test, batch=batch)

    def __enter__(self) -> Self:
        """Nothing is to be started."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is to be ended."""
