"""Every verb gives with workers what it gives in one process: the same store, the same result."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import radhard as rh
from radhard.campaign.merge import merge
from radhard.campaign.workers.local import LocalWorkers
from radhard.errors import IncompleteError
from radhard.studies.open_workers import open_workers, with_open_workers
from radhard.studies.options import RunOptions
from radhard.studies.result import Result
from tests.support.driven import rows

torch.manual_seed(3)
MODEL = nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
IMAGES = torch.randn(160, 3, 2, 2, generator=torch.Generator().manual_seed(0))
DATA = IMAGES, MODEL(IMAGES).argmax(1)


@pytest.fixture(scope="module")
def two() -> Iterator[LocalWorkers]:
    with LocalWorkers(2) as workers:
        yield workers


def plan(run: RunOptions) -> Result:
    options = rh.PlanOptions(scheme="tmr", max_loss=1, max_overhead=250, judge=30)
    return rh.plan(MODEL, DATA, ber=1e-3, plan_options=options, run=run)


def evaluate(run: RunOptions) -> Result:
    planned = rh.plan(MODEL, DATA, ber=1e-3, plan_options=rh.PlanOptions(max_overhead=250), run=run)
    return rh.evaluate(MODEL, DATA, plan=planned.plan, run=run)


SCHEMES = rh.CompareOptions(schemes=("lb-abft", "row-check", "tmr"))
NEEDED = rh.CompareOptions(schemes=("row-abft",), extent="needed", max_loss=5)

VERBS: dict[str, tuple[Callable[[RunOptions], Result], dict[str, Any]]] = {
    "sweep": (lambda run: rh.sweep(MODEL, DATA, ber=[1e-4, 1e-3], run=run), {"trials": 3}),
    "sweep until": (lambda run: rh.sweep(MODEL, DATA, ber=1e-3, run=run), {"trials": 9, "until_width": 12.0}),
    "vulnerability": (lambda run: rh.vulnerability(MODEL, DATA, by="site", ber=1e-3, run=run), {"trials": 2}),
    "loss": (lambda run: rh.vulnerability(MODEL, DATA, by="kind", loss=25, run=run), {"trials": 1}),
    "plan": (plan, {"trials": 1}),
    "evaluate": (evaluate, {"trials": 1}),
    "compare": (
        lambda run: rh.compare(MODEL, DATA, ber=1e-3, compare_options=SCHEMES, run=run),
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


@pytest.mark.parametrize("name", ["vulnerability", "plan", "evaluate", "compare", "compare needed"])
def test_shards_of_a_verb_merge_into_the_whole(name: str, tmp_path: Path) -> None:
    verb, options = VERBS[name]
    alone = verb(RunOptions(images=30, chunk=10, store=tmp_path / "alone.db", **options))
    merged, rounds = tmp_path / "merged.db", 0
    for rounds in range(1, 40):
        stores = []
        for part in (1, 2):
            store = tmp_path / f"{rounds}-{part}.db"
            if merged.exists():
                shutil.copy(merged, store)
            with contextlib.suppress(IncompleteError):
                verb(RunOptions(images=30, chunk=10, store=store, shard=(part, 2), **options))
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
    assert verb(RunOptions(images=30, chunk=10, store=store, **options)).rows() == alone.rows()


def test_workers_stay_open_between_verbs_and_end_after_them() -> None:
    with with_open_workers(RunOptions(workers=1)) as run:
        assert isinstance(run.workers, LocalWorkers)
        with open_workers(run) as again:
            assert again is run.workers
        (pid,) = run.workers.processes
    assert not Path(f"/proc/{pid}").exists()
    with with_open_workers(RunOptions()) as run:
        assert run.workers is None
