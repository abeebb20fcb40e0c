"""The simulations of repairs: what they predict against an enumeration, and small runs of each part."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch

from benchmarks import better, float_checks, repairs
from radhard.faults import Faulty
from radhard.machine import Clean
from radhard.operators import Linear
from radhard.protection import Exact, ExactRows, Shape, boxes, cubes, optimal_block
from radhard.words import Int, Words

# --- repairs ---


def test_two_flips_cancel_as_counted_one_by_one() -> None:
    """All pairs of addresses of one output with bits that are as often 0 as 1: products of 2 bits, sums of 3, k = 3."""
    k, p, s = 3, 2, 3
    bits = [b for _ in range(k) for b in range(p)] + [b for _ in range(k - 1) for b in range(s)]
    found: Counter[bool] = Counter()
    for one, two in itertools.product(bits, repeat=2):
        for up, down in itertools.product((1, -1), repeat=2):
            found[(up * 2**one + down * 2**two) % 2**s == 0] += 1
    assert repairs.predicted(k=k, words=Words(product=Int(p), accumulator=Int(s))) == pytest.approx(
        found[True] / found.total()
    )
    assert repairs.predicted(k=1, words=Words(product=Int(16), accumulator=Int(32))) == pytest.approx(1 / 32)


def test_two_flips_of_words_cancel_as_counted_pair_by_pair() -> None:
    words = np.random.default_rng(0).integers(-(2**31), 2**31, (2, 4))
    pairs = cancel = 0
    for block in words:
        addresses = list(itertools.product(range(4), range(32)))
        for (i, b), (j, c) in itertools.combinations(addresses, 2):
            deltas = [-(2**x) if int(block[w]) >> x & 1 else 2**x for w, x in ((i, b), (j, c))]
            pairs += 1
            cancel += sum(deltas) % 2**32 == 0
    assert repairs.of_words(words) == pytest.approx(cancel / pairs, rel=1e-9)


def test_flips_are_of_the_words_that_they_should_be() -> None:
    inputs, clean = repairs.blocks(3)
    flips = repairs.flips_of_outputs(np.array([1, 0, 2]), seed=1)
    out = Faulty(Clean(), flips).apply(Linear(), inputs, repairs.SITE)
    off = (out ^ clean).flatten(1)
    assert [int((row != 0).sum()) for row in off] == [1, 0, 2]
    masks = sorted(int(off[i, index // 31]) & 0xFFFFFFFF for i, index in zip(flips.image, flips.index, strict=True))
    assert masks == sorted((1 << flips.bit).tolist())
    both = repairs.flips_of_all(50, seed=2)
    assert len(both) == 100
    assert set(both.kind.tolist()) == {0, 1}


@pytest.mark.parametrize("part", ["corrected", "cancelled", "missed"])
def test_a_small_run(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repairs, "BLOCKS", 40)
    monkeypatch.setattr(repairs, "PAIRS", 300)
    monkeypatch.setattr(repairs, "LAMBDAS", (0.5,))
    if part == "corrected":
        found = {one.scheme: one for one in repairs.corrected()}
        assert found["leave"].hits < found["RowAbft"].hits >= 38
        assert found["RowAbft"].multiplications < found["leave"].multiplications <= 2048  # type: ignore[operator]
    elif part == "cancelled":
        for one in repairs.cancelled():
            assert one.expected is not None
            assert abs(one.rate - one.expected) < 4 * (one.expected / one.n) ** 0.5
    else:
        rates = repairs.missed(repairs.SMALL, repairs.SCHEMES | repairs.SMALL_SCHEMES, hits=(0.5,), products=15)
        assert {one.n for one in rates} == {15}
        wrong = {one.scheme: one.hits for one in rates if (one.part, one.setting) == ("wrong", "small 0.5 immune")}
        assert wrong["LbAbft"] <= wrong["StandardAbft"]
        assert wrong["StandardAbft"] == wrong["IntensityGuided"]


# --- row-located ABFT against LB-ABFT ---


@pytest.mark.parametrize("ber", [1e-8, 1e-7])
@pytest.mark.parametrize("shape", [Shape(m=9, k=24, n=10, bias=True), Shape(m=10, k=8, n=10, stored=False)], ids=str)
def test_the_cheapest_blocks_are_the_optimal_ones(shape: Shape, ber: float) -> None:
    lb, rows = better.choices(shape, 100 * ber)
    want = optimal_block(shape, ber=100 * ber, model=Exact(), most_flips=1.0, candidates=cubes(shape))
    assert lb == want
    most = want.overhead.flips * (1 + 1e-9)
    some = optimal_block(shape, ber=100 * ber, model=ExactRows(), most_flips=most, candidates=boxes(shape))
    assert rows.overhead.flips <= most
    assert rows.overhead.total.arithmetic == pytest.approx(some.overhead.total.arithmetic)
    assert better.floor(shape) <= rows.overhead.total.arithmetic


def test_both_schemes_repair_what_is_simulated() -> None:
    none, lb, rows = better.simulate("toy", Shape(m=30, k=40, n=30, bias=True), products=6, ber=1e-6)
    assert none.wrong_words > 0
    assert lb.wrong_words <= none.wrong_words >= rows.wrong_words
    assert 0.0 == none.executed < rows.executed < lb.executed


# --- float checks ---


def test_no_false_alarm_and_the_upper_bits_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(float_checks, "IMAGES", 10)
    monkeypatch.setattr(float_checks, "FLIPPED", {"toy": (32, 40, None)})
    for dtype in float_checks.TYPES:
        found = float_checks.false_alarms(words="normal", dtype=dtype, lanes=1, products=10)
        assert found.alarms == 0
        assert found.largest < 6
        seen, bound = float_checks.detection("toy", words="normal", dtype=dtype, lanes=1)
        assert len(seen) == torch.finfo(float_checks.TYPES[dtype]).bits
        assert 0 < bound["low"] <= bound["median"] <= bound["high"]
        assert seen[0].seen == 0
        # by size: what is missed lies below the bound of its row, what is seen near it or above
        assert all(one.largest_missed < 1.5 * bound["high"] for one in seen)
        assert all(one.smallest_seen < 0 or one.smallest_seen > bound["low"] / 1.5 for one in seen)


def test_an_alarm_in_a_row_of_equal_words() -> None:
    """What the model of independent errors leaves out; nothing is changed by it."""
    found = float_checks.false_alarms(words="rows alike", dtype="bfloat16", lanes=1, products=60)
    assert found.alarms > 0
