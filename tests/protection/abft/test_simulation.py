"""Blocks with many flips: how many are seen, and how many of them each policy puts right."""

import numpy as np
import pytest
import torch

from radhard.faults import Faulty, Flips
from radhard.machine import KINDS, Clean
from radhard.operators import Linear
from radhard.protection import Account, Block, LbAbft, Protected, RowAbft, Scheme
from tests.support.protections import here, int8s

EDGE, K, IMAGES = 32, 2, 1500
INPUTS = (int8s(IMAGES, EDGE, K), int8s(EDGE, K, seed=1), None)
CLEAN = Clean().apply(Linear(), INPUTS, here())
WHOLE = Block(m=EDGE, k=K, n=EDGE)


def flips_of_sums(counts: np.ndarray, *, seed: int) -> Flips:
    """So many flips of distinct words of each image's block, of any bit: of the last running sum, the output itself."""
    draw = np.random.default_rng(seed)
    image = np.repeat(np.arange(len(counts)), counts)
    index = np.concatenate([draw.choice(EDGE * EDGE, count, replace=False) for count in counts])
    zero = np.zeros(len(image), np.int64)
    kind = zero + KINDS.index("add")
    return Flips(sites=("here",), image=image, site=zero, kind=kind, index=index, bit=draw.integers(0, 32, len(image)))


def run(scheme: Scheme, flips: Flips) -> tuple[torch.Tensor, Account]:
    machine = Protected(Faulty(Clean(), flips), {"here": scheme})
    out = machine.apply(Linear(), INPUTS, here())
    return (out == CLEAN).flatten(1).all(1), machine.accounts["here"]


def test_two_flips_cancel_at_the_predicted_rate() -> None:
    """Two flips of one bit in opposite directions, 1 in 64; of the top bit any two, as 2^32 is 0."""
    flips = flips_of_sums(np.full(IMAGES, 2), seed=1)
    words = CLEAN.flatten(1).numpy().astype(np.int64)[flips.image, flips.index]
    down = words >> flips.bit & 1
    delta = np.where(down == 1, -1, 1) * (np.int64(1) << flips.bit)
    unseen = (delta.reshape(-1, 2).sum(1) % 2**32 == 0).sum()
    assert 10 <= unseen <= 40  # 1.6 % of 1,500
    for scheme in (LbAbft(block=WHOLE), RowAbft(block=WHOLE)):
        right, account = run(scheme, flips)
        assert account.alarms == account.flagged == IMAGES - unseen
        assert int((~right).sum()) >= unseen


@pytest.mark.parametrize(
    ("rate", "leave", "intersect", "rows"), [(0.1, 0.948, 0.9994, 0.9994), (1, 0.573, 0.994, 0.994)]
)
def test_share_of_faulty_blocks_that_are_put_right(rate: float, leave: float, intersect: float, rows: float) -> None:
    """Poisson flips a block; the shares that an independent simulation found."""
    counts = np.random.default_rng(3).poisson(rate, IMAGES)
    flips = flips_of_sums(counts, seed=2)
    faulty = torch.from_numpy(counts > 0)
    found = {}
    for name, scheme in (
        ("leave", LbAbft(block=WHOLE, policy="leave", retries=0)),
        ("intersect", LbAbft(block=WHOLE, policy="intersect")),
        ("rows", RowAbft(block=WHOLE)),
    ):
        right, account = run(scheme, flips)
        assert bool(right[~faulty].all())
        assert account.alarms <= int(faulty.sum())
        found[name] = float(right[faulty].double().mean())
    n = int(faulty.sum())
    for name, share in (("leave", leave), ("intersect", intersect), ("rows", rows)):
        deviation = max((share * (1 - share) / n) ** 0.5, 1.5 / n)
        assert abs(found[name] - share) < 4 * deviation, (name, found[name])
    assert found["rows"] >= found["intersect"] - 0.005 > found["leave"]
