"""Every verb gives with workers what it gives in one process: the same store, the same result."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import radhard as rh
from radhard.campaign.workers.local import LocalWorkers
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
    return rh.plan(MODEL, DATA, ber=1e-3, scheme="tmr", max_loss=1, max_overhead=250, judge=30, run=run)


def evaluate(run: RunOptions) -> Result:
    return rh.evaluate(MODEL, DATA, plan=rh.plan(MODEL, DATA, ber=1e-3, max_overhead=250, run=run).plan, run=run)


VERBS: dict[str, tuple[Callable[[RunOptions], Result], dict[str, Any]]] = {
    "sweep": (lambda run: rh.sweep(MODEL, DATA, ber=[1e-4, 1e-3], run=run), {"trials": 3}),
    "sweep until": (lambda run: rh.sweep(MODEL, DATA, ber=1e-3, run=run), {"trials": 9, "until_width": 12.0}),
    "vulnerability": (lambda run: rh.vulnerability(MODEL, DATA, by="site", ber=1e-3, run=run), {"trials": 2}),
    "loss": (lambda run: rh.vulnerability(MODEL, DATA, by="kind", loss=25, run=run), {"trials": 1}),
    "plan": (plan, {"trials": 1}),
    "evaluate": (evaluate, {"trials": 1}),
    "compare": (
        lambda run: rh.compare(MODEL, DATA, schemes=["lb-abft", "row-check", "tmr"], ber=1e-3, run=run),
        {"trials": 1},
    ),
    "compare needed": (
        lambda run: rh.compare(MODEL, DATA, schemes=["row-abft"], ber=1e-3, extent="needed", max_loss=5, run=run),
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


def test_workers_stay_open_between_verbs_and_end_after_them() -> None:
    with with_open_workers(RunOptions(workers=1)) as run:
        assert isinstance(run.workers, LocalWorkers)
        with open_workers(run) as again:
            assert again is run.workers
        (pid,) = run.workers.processes
    assert not Path(f"/proc/{pid}").exists()
    with with_open_workers(RunOptions()) as run:
        assert run.workers is None
