"""Flips of a check that is executed in part: drawn in one call, and those of the sampler placed by `locate`."""

import numpy as np
import pytest
import torch

from radhard.faults import Faults
from radhard.faults.check_flips import draw_part
from radhard.faults.locate import locate
from radhard.faults.sample import draw_all
from radhard.machine import Cost, CostStep, Part, Site

STEPS = {
    "sum": (CostStep(kind="add", per_unit=6, dtype=torch.int64),),
    "dot": (
        CostStep(kind="mul", per_unit=7, dtype=torch.int32),
        CostStep(kind="add", per_unit=6, dtype=torch.int32),
    ),
}


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("grid", [(), (3,), (1, 4)])
@pytest.mark.parametrize("order", ["ascending", "any"])
@pytest.mark.parametrize("ber", [0.0, 1e-4, 3e-3])
def test_as_the_sampler_draws_and_places_them(steps: str, grid: tuple[int, ...], order: str, ber: float) -> None:
    ids, pieces, draw = np.array([40, 7, 1 << 40, 8]), 9, np.random.default_rng(1)
    chosen = draw.choice(4 * pieces, 15, replace=False)
    chosen = np.sort(chosen[chosen // pieces != 2]) if order == "ascending" else chosen  # nothing of one image
    part = Part(slot=chosen // pieces, piece=chosen % pieces, pieces=pieces)
    site = Site(name="here/check/x", of="here", part=part)
    cost = Cost(grid=(pieces, *grid), steps=STEPS[steps])
    faults = Faults(ber=ber, seed=4, trial=2)
    got = draw_part(cost, faults, site, ids)
    assert got is not None
    want = locate(draw_all({site: cost}, faults, ids), cost, site, ids)
    for name in ("units", "place", "step", "within", "bit"):
        assert np.array_equal(getattr(got, name), getattr(want, name)), name
    assert bool(len(got.units)) == (ber > 0.0) or ber == 1e-4
