"""Every verb gives with workers what it gives in one process: the same store, the same result."""

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import radhard as rh
from radhard.campaign.executor import Done, Executor, Skipped, ThisProcess
from radhard.campaign.measure import Job
from radhard.campaign.merge import merge
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.campaign.workers.local import LocalWorkers
from radhard.errors import IncompleteError, WorkerError
from radhard.studies.choosing import Chooser
from radhard.studies.open_workers import open_workers, with_open_workers
from radhard.studies.options import RunOptions
from radhard.studies.result import Result
from tests.support.driven import rows

torch.manual_seed(3)
NETWORK = nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
IMAGES = torch.randn(160, 3, 2, 2, generator=torch.Generator().manual_seed(0))
DATA = IMAGES, NETWORK(IMAGES).argmax(1)
MODEL = rh.capture(NETWORK, IMAGES[:2], name="small")  # once, not in each verb


@pytest.fixture(scope="module")
def two() -> Iterator[LocalWorkers]:
    with LocalWorkers(2) as workers:
        yield workers


def plan(run: RunOptions) -> Result:
    options = rh.PlanOptions(scheme="tmr", max_loss=1, max_overhead=250, judge=30)
    return rh.plan(MODEL, DATA, ber=1e-3, plan_options=options, run=run)


def evaluate(run: RunOptions) -> Result:
    planned = rh.plan(MODEL, DATA, ber=1e-3, plan_options=rh.PlanOptions(scheme="tmr", max_overhead=250), run=run)
    return rh.evaluate(MODEL, DATA, plan=planned.plan, run=run)


SCHEMES = rh.CompareOptions(schemes=("lb-abft", "row-check", "tmr"))
NEEDED = rh.CompareOptions(schemes=("tmr",), extent="needed", max_loss=5)

VERBS: dict[str, tuple[Callable[[RunOptions], Result], dict[str, Any]]] = {
    "sweep": (lambda run: rh.sweep(MODEL, DATA, ber=[1e-4, 1e-3], run=run), {"trials": 3}),
    "sweep until": (lambda run: rh.sweep(MODEL, DATA, ber=1e-3, run=run), {"trials": 9, "until_width": 12.0}),
    "vulnerability": (lambda run: rh.vulnerability(MODEL, DATA, by="site", ber=1e-3, run=run), {"trials": 2}),
    "loss": (lambda run: rh.vulnerability(MODEL, DATA, by="kind", loss=25, run=run), {"trials": 1}),
    "plan": (plan, {"trials": 1}),
    "evaluate": (evaluate, {"trials": 1}),
    "compare": (
        lambda run: rh.compare(MODEL, DATA, ber=2e-4, compare_options=SCHEMES, run=run),
        {"trials": 1},
    ),
    "compare needed": (
        lambda run: rh.compare(MODEL, DATA, ber=1e-3, compare_options=NEEDED, run=run),
        {"trials": 1},
    ),
}


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_on_workers(name: str, two: LocalWorkers, tmp_path: Path) -> None:
    verb, options = VERBS[name]
    alone = verb(RunOptions(images=30, chunk=10, store=tmp_path / "alone.db", **options))
    on_two = verb(RunOptions(images=30, chunk=10, store=tmp_path / "two.db", workers=two, **options))
    assert rows(tmp_path / "two.db") == rows(tmp_path / "alone.db")
    assert on_two.rows() == alone.rows()


@pytest.mark.parametrize("name", ["vulnerability", "loss", "plan", "evaluate", "compare", "compare needed"])
def test_shards_of_a_verb_merge_into_the_whole(name: str, tmp_path: Path) -> None:
    verb, options = VERBS[name]
    alone = verb(RunOptions(images=30, chunk=6, store=tmp_path / "alone.db", **options))
    merged, rounds = tmp_path / "merged.db", 0
    for rounds in range(1, 40):
        stores = []
        for part in (1, 2):
            store = tmp_path / f"{rounds}-{part}.db"
            if merged.exists():
                shutil.copy(merged, store)
            with contextlib.suppress(IncompleteError):
                verb(RunOptions(images=30, chunk=6, store=store, shard=(part, 2), **options))
                break
            stores.append(store)
        else:
            sizes = [len(rows(store)) for store in stores]
            assert all(size < len(rows(tmp_path / "alone.db")) for size in sizes)
            merge(merged, stores)
            continue
        break
    assert rounds > 1
    assert rows(store) == rows(tmp_path / "alone.db")
    assert verb(RunOptions(images=30, chunk=6, store=store, **options)).rows() == alone.rows()


@dataclass(frozen=True, kw_only=True)
class SkippingExecutor:
    inner: Executor
    lost: Callable[[Job], bool]

    def run(self, jobs: Iterable[Job]) -> Iterator[Done | Skipped]:
        every = list(jobs)
        yield from (Skipped(job=job, ends=3, why="killed") for job in every if self.lost(job))
        yield from self.inner.run(job for job in every if not self.lost(job))


@dataclass(frozen=True, kw_only=True)
class Skipping(ThisProcess):
    """Loses the jobs that `lost` says, as workers do that die of them."""

    lost: Callable[[Job], bool]

    def on(self, model_under_test: ModelUnderTest, *, batch: int) -> SkippingExecutor:  # type: ignore[override]
        return SkippingExecutor(inner=super().on(model_under_test, batch=batch), lost=self.lost)


def protected(job: Job) -> bool:
    """Whether it runs images 10 to 19 under a protection."""
    last = job.units[-1]
    return last.setting.protection is not None and last.start == 10


def test_what_is_skipped_is_left_out_of_both_sides_of_a_comparison() -> None:
    losses = {("row-check", 10), ("lb-abft", 20)}

    def lost(job: Job) -> bool:
        last = job.units[-1]
        said = "" if last.setting.protection is None else str(last.setting.protection.as_dict())
        return last.setting.ber > 0 and any(scheme in said and last.start == start for scheme, start in losses)

    verb, options = VERBS["compare"]
    found = verb(RunOptions(images=30, chunk=10, workers=Skipping(lost=lost), **options))
    assert [job.split(":")[0].rsplit(", ", 1)[1] for job in found.skipped] == ["images 20 to 29", "images 10 to 19"]
    n = {row["configuration"]: row["n"] for row in found.rows() if row["ber"]}
    assert n == {"unprotected": 30, "lb-abft": 20, "row-check": 20, "tmr": 30}
    pairs = found.to_dict()["pairs"]
    assert {pair["configuration"]: pair["n"] for pair in pairs} == {"row-check": 10, "tmr": 20}


def test_no_plan_is_made_where_jobs_were_skipped(tmp_path: Path) -> None:
    store = tmp_path / "run.db"
    with pytest.raises(WorkerError, match=r"\d+ job\(s\) ended their workers .*images 10 to 19"):
        plan(RunOptions(images=30, chunk=10, trials=1, store=store, workers=Skipping(lost=protected)))
    assert rows(store)
    assert plan(RunOptions(images=30, chunk=10, trials=1, store=store)).skipped == ()


@dataclass(frozen=True, kw_only=True)
class NotedExecutor:
    inner: Executor
    rounds: list[int]

    def run(self, jobs: Iterable[Job]) -> Iterator[Done | Skipped]:
        every = list(jobs)
        self.rounds.append(sum(job.units[-1].setting.protection is not None for job in every))
        yield from self.inner.run(every)


@dataclass(frozen=True, kw_only=True)
class Noting(ThisProcess):
    """Notes how many jobs with a protection are given to the workers at a time."""

    rounds: list[int]

    def on(self, model_under_test: ModelUnderTest, *, batch: int) -> NotedExecutor:  # type: ignore[override]
        return NotedExecutor(inner=super().on(model_under_test, batch=batch), rounds=self.rounds)


def test_the_steps_of_a_whole_frontier_are_given_to_workers_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, apart = Noting(rounds=[]), Noting(rounds=[])
    planned = plan(RunOptions(images=30, chunk=10, trials=1, store=tmp_path / "together.db", workers=together))
    assert max(together.rounds) == 3 * (len(planned.plan.frontier) - 1) > 3
    monkeypatch.setattr(Chooser, "run_together", lambda *_: None)
    again = plan(RunOptions(images=30, chunk=10, trials=1, store=tmp_path / "apart.db", workers=apart))
    assert max(apart.rounds) == 3
    assert sum(apart.rounds) == sum(together.rounds)
    assert again.plan == planned.plan
    assert rows(tmp_path / "apart.db") == rows(tmp_path / "together.db")


def test_workers_stay_open_between_verbs_and_end_after_them() -> None:
    with with_open_workers(RunOptions(workers=1)) as run:
        assert isinstance(run.workers, LocalWorkers)
        with open_workers(run) as again:
            assert again is run.workers
        (pid,) = run.workers.processes
    assert not Path(f"/proc/{pid}").exists()
    with with_open_workers(RunOptions()) as run:
        assert run.workers is None
