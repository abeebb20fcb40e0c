"""Flips drawn by the kernel are those that the host draws, or their image is marked."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from radhard.faults import Faults, Where
from radhard.faults.device.sampled import draw_on_device
from radhard.faults.device.streams import streams_of
from radhard.faults.locate import locate
from radhard.faults.sample import draw_all, draw_at
from radhard.faults.sampler import flip_times
from radhard.kernels.philox import stream_key
from radhard.machine import Cost, CostStep, Kind, Site
from radhard.words import Int, Words
from tests.reference.philox import philox

cuda = pytest.importorskip("radhard.kernels.cuda")
NONE = (1 << 63) - 1


def product(*, units: int, k: int, bias: bool = False) -> Cost:
    steps = (
        CostStep(kind="mul", per_unit=k, dtype=torch.int16),
        CostStep(kind="add", per_unit=k if bias else k - 1, dtype=torch.int32),
        CostStep(kind="scale", per_unit=1, dtype=torch.float32),
    )
    return Cost(grid=(units,), steps=steps)


def site(name: str = "fc", *, rows: int, blocks: int = 1) -> Site:
    return Site(name=name, operator="linear", batch_axis=0, rows_per_image=rows, blocks=blocks)


def on_host(cost: Cost, at: Site, faults: Faults, ids: np.ndarray) -> list[list[int]]:
    """The keys of each slot of a batch, written from what the host draws and locates."""
    hits = locate(draw_all({at: cost}, faults, ids), cost, at, ids)
    unit = hits.units[hits.place]
    rest = np.where(hits.step == 0, 2 * hits.within, 2 * (hits.within + 1) + 1)
    if cost.steps[0].dtype != torch.int16:
        rest = hits.step << 16 | hits.within
    rows = at.rows_per_image // at.blocks
    slot = unit // rows % len(ids)
    keys = unit << 27 | rest << 6 | hits.bit
    return [sorted(keys[slot == place].tolist()) for place in range(len(ids))]


def compare(costs: dict[Site, Cost], faults: Faults, ids: np.ndarray, device: torch.device) -> int:
    """The number of flips, all of them where the host has them."""
    drawn = draw_on_device(costs, faults, ids, device)
    assert drawn is not None
    unsure = drawn.unsure.cpu().tolist()
    flips = [0] * len(ids)
    for at, keys in drawn.keys.items():
        for slot, (row, expected) in enumerate(
            zip(keys.cpu().tolist(), on_host(costs[at], at, faults, ids), strict=True)
        ):
            found = [key for key in row if key != NONE]
            assert row == sorted(row)
            flips[slot] += len(found)
            assert unsure[slot] or found == expected
    assert drawn.flips.cpu().tolist() == flips
    assert not any(unsure)
    return sum(flips)


@pytest.mark.parametrize(
    ("units", "k", "ber", "seed"),
    [(48, 7, 1e-4, 0), (48, 7, 1.1e-3, 1), (6, 1, 0.01, 2), (1 << 20, 768, 1.1e-10, 2**64 - 1), (12, 2, 1e-12, 4)],
)
def test_the_flips_of_the_host(units: int, k: int, ber: float, seed: int, device: torch.device) -> None:
    ids = np.array([3, 2**53 - 1, 0])
    for bias in (False, True):
        costs = {site(rows=units): product(units=units, k=k, bias=bias)}
        compare(costs, Faults(ber=ber, seed=seed, trial=seed % 2**32), ids, device)


def test_sites_of_many_flips_and_of_few(device: torch.device) -> None:
    costs = {
        site("many", rows=48, blocks=4): product(units=48, k=9),
        site("few", rows=2): product(units=2, k=3),
        site("none", rows=4): product(units=4, k=1),
    }
    faults = Faults(ber=3e-3, words=Words(product=Int(16, exposed=8)))
    assert compare(costs, faults, np.array([5, 6]), device) > 50
    assert compare(costs, replace(faults, kinds=frozenset({"add"})), np.array([5]), device) > 20
    assert compare(costs, replace(faults, kinds=frozenset({"mul"})), np.array([5]), device) > 5


def test_a_room_that_is_not_right_is_replaced_by_a_larger_one(device: torch.device) -> None:
    costs = {site(rows=6): product(units=6, k=3)}
    for right, room in ((0, 32), (100, 128), (9000, None)):
        streams = streams_of(
            costs,
            Faults(ber=1e-3),
            images=2,
            rooms=tuple(cuda.ROOMS),
            proven=lambda room, right=right: room >= right,  # type: ignore[misc]
            device=device,
        )
        assert list(streams.rooms) == ([] if room is None else [room])
        assert bool(streams.rest) == (room is None)


def test_texts_of_several_steps(device: torch.device) -> None:
    """Some of them without an operation, or of a kind that is not drawn, beside a chain."""
    counts: list[tuple[Kind, int]] = [("add", 5), ("mul", 6), ("special", 1), ("mul", 0), ("add", 1), ("mul", 3)]
    steps = tuple(CostStep(kind=kind, per_unit=count, dtype=torch.float32) for kind, count in counts)
    text = replace(site("norm", rows=12), operator="layer_norm")
    costs = {text: Cost(grid=(12,), steps=steps), site(rows=6): product(units=6, k=3)}
    for kinds in ({"mul", "add"}, {"add"}):
        drawn = draw_on_device(costs, Faults(ber=0.01), np.arange(2), device)
        assert drawn is not None
        assert list(drawn.keys) == list(costs)
        assert compare(costs, Faults(ber=0.01, kinds=frozenset(kinds)), np.arange(2), device) > 30
    other = {replace(text, operator="einsum"): costs[text]}
    assert draw_on_device(other, Faults(ber=0.01), np.arange(2), device) is None


def test_partners_that_repeat_are_followed(device: torch.device) -> None:
    """So many draws of so few bits that most streams have some; of three that meet the host is asked."""
    at, cost, ids = site(rows=8), product(units=8, k=4), np.arange(16)
    drawn = draw_on_device({at: cost}, Faults(ber=0.05), ids, device)
    assert drawn is not None
    unsure = drawn.unsure.cpu()
    expected = on_host(cost, at, Faults(ber=0.05), ids)
    repeats = 0
    for slot in range(len(ids)):
        for kind, population in enumerate((cost.exposed_bits("mul", Words()), cost.exposed_bits("add", Words()))):
            draws = _partners(at.key, kind, population, int(ids[slot]))
            repeats += len(draws) - len(set(draws))
        if not unsure[slot]:
            assert [key for key in drawn.keys[at][slot].tolist() if key != NONE] == expected[slot]
    assert repeats > 12
    assert int(unsure.sum()) < 8


def _partners(key: int, kind: int, population: int, image: int) -> list[int]:
    """With whom the draws up to a rate of 0.05 swap."""
    found: list[int] = []
    total = 0.0
    for draw in range(population):
        w0, w1, w2, w3 = philox((image, key, draw, kind << 29), stream_key(seed=0, trial=0))
        total -= math.log((((w1 << 32 | w0) >> 11) + 1) * 2.0**-53) / (population - draw)
        if total > -math.log1p(-0.05):
            break
        found.append(draw + (w3 << 32 | w2) % (population - draw))
    return found


def test_a_sum_at_the_threshold_is_marked(device: torch.device) -> None:
    """The rate at which a bit begins to flip: whether it does is a matter of the last bits."""
    at, cost = site(rows=64), product(units=64, k=8)
    population = np.array([cost.exposed_bits("mul", Words())])
    key = np.array([at.key])
    found = flip_times(
        seed=0, trial=0, image=np.array([1]), site=key, kind=np.array([0]), population=population, rate=1e-3
    )
    rate = float(found.time[3])
    for ber, marked in ((rate, True), (rate * (1 + 1e-9), False), (rate * (1 - 1e-9), False)):
        drawn = draw_on_device({at: cost}, Faults(ber=ber, kinds=frozenset({"mul"})), np.array([1]), device)
        assert drawn is not None
        assert drawn.unsure.tolist() == [marked]


def test_a_stream_without_room_is_marked(device: torch.device) -> None:
    threshold = np.float64(-math.log1p(-0.05)).view(np.int64)
    row = [77, 64, 64, int(threshold), 2, 64 * 8 * 16, 16, 0, 0, 8, 0, 0, 1, 1, 0, 1, 3]
    header = [*stream_key(seed=0, trial=0), 1]
    _, flips, unsure = cuda.drawn(torch.tensor([row], device=device), torch.tensor(header, device=device), room=32)
    assert flips.tolist() == [[32]]
    assert unsure.tolist() == [[1]]


def test_flips_at_a_lower_rate_are_among_those_at_a_higher(device: torch.device) -> None:
    at, cost, ids = site(rows=16), product(units=16, k=5), np.arange(3)
    sets = []
    for ber in (1e-3, 4e-3, 1e-2):
        drawn = draw_on_device({at: cost}, Faults(ber=ber), ids, device)
        assert drawn is not None
        sets.append(set(drawn.keys[at].flatten().tolist()) - {NONE})
    assert sets[0] < sets[1] < sets[2]


def test_what_the_host_draws(device: torch.device) -> None:
    at, other = site("fc", rows=4), site("other", rows=4)
    costs, ids = {at: product(units=4, k=5), other: product(units=4, k=5)}, np.arange(2)
    chosen = Faults(ber=0.01, where=Where(sites=("fc",)))
    drawn = draw_on_device(costs, chosen, ids, device)
    assert drawn is not None
    assert list(drawn.keys) == [at]
    assert drawn.flips.tolist() == draw_at(costs, chosen, ids).per_image(ids).tolist()
    assert draw_on_device(costs, Faults(ber=0.01, where=Where(bits=("mul:int16:15",))), ids, device) is None
    assert draw_on_device(costs, Faults(ber=0.01, kinds=frozenset({"mul", "scale"})), ids, device) is None
    assert draw_on_device(costs, Faults(ber=0.0), ids, device) is None
    assert draw_on_device(costs, Faults(ber=1.0), ids, device) is None
    whole = {replace(at, batch_axis=None): product(units=4, k=5)}
    assert draw_on_device(whole, Faults(ber=0.01), ids, device) is None
    assert draw_on_device(whole, Faults(ber=0.01), ids[:1], device) is not None
