"""FlipTimes against a real shuffle in plain Python, and against the laws that they must follow.

Every statistical test has a fixed seed, so it passes always or never; its false-alarm probability ALARM is
the chance that a correct generator would have failed at the seed that was written down.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from radhard.errors import InputError
from radhard.faults.sampler import FlipTimes, flip_times
from radhard.kernels.philox import stream_key
from tests.reference.flip_times import flip_times as reference
from tests.reference.philox import philox

ALARM = 1e-6


def draw(
    population: list[int] | np.ndarray,
    rate: float,
    *,
    seed: int = 7,
    trial: int = 0,
    image: list[int] | np.ndarray | None = None,
    site: list[int] | np.ndarray | None = None,
    kind: list[int] | np.ndarray | None = None,
) -> FlipTimes:
    streams = len(population)

    def column(values: list[int] | np.ndarray | None, default: np.ndarray) -> np.ndarray:
        return default if values is None else np.asarray(values, dtype=np.int64)

    return flip_times(
        seed=seed,
        trial=trial,
        image=column(image, np.arange(streams)),
        site=column(site, np.zeros(streams, dtype=np.int64)),
        kind=column(kind, np.zeros(streams, dtype=np.int64)),
        population=np.asarray(population, dtype=np.int64),
        rate=rate,
    )


def of_stream(found: FlipTimes, stream: int) -> tuple[list[int], list[float]]:
    here = found.stream == stream
    return found.position[here].tolist(), found.time[here].tolist()


STREAM = st.tuples(
    st.integers(0, 2**53 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 7),
    st.one_of(st.integers(0, 5), st.integers(0, 400), st.integers(0, 2**50)),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(STREAM, max_size=6),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.one_of(st.sampled_from([0.0, 1.0, 0.5]), st.floats(0, 1)),
)
def test_equals_the_reference(streams: list[tuple], seed: int, trial: int, rate: float) -> None:
    large = max([population for *_, population in streams], default=0)
    if large * rate > 300 and large > 400:
        rate = 300 / large
    image, site, kind, population = (list(c) for c in zip(*streams, strict=True)) if streams else ([],) * 4
    found = draw(population, rate, seed=seed, trial=trial, image=image, site=site, kind=kind)
    assert (np.diff(found.stream) >= 0).all()
    assert found.stream.dtype == found.position.dtype == np.int64
    for index, stream in enumerate(streams):
        expected = reference(seed, trial, *stream, rate)
        position, time = of_stream(found, index)
        assert position == [p for p, _ in expected]
        np.testing.assert_allclose(time, [t for _, t in expected], rtol=1e-12, atol=0)


def test_every_coordinate_counts() -> None:
    base = {"seed": 7, "trial": 0, "image": 5, "site": 6, "kind": 1}
    changes = [{}, {"seed": 8}, {"seed": 7 + 2**32}, {"seed": 7 + 2**63}, {"trial": 1}, {"image": 6}]
    changes += [{"image": 5 + 2**32}, {"image": 5 + 2**52}, {"site": 7}, {"site": 6 + 2**31}, {"kind": 2}]
    seen = set()
    for change in changes:
        at = base | change
        found = draw(
            [1000],
            0.05,
            seed=at["seed"],
            trial=at["trial"],
            image=[at["image"]],
            site=[at["site"]],
            kind=[at["kind"]],
        )
        seen.add(tuple(found.position))
    assert len(seen) == len(changes)


def test_the_key_is_one_philox_call() -> None:
    seed, trial = 0x0123456789ABCDEF, 99
    assert stream_key(seed=seed, trial=trial) == philox((0x89ABCDEF, 0x01234567, 99, 0), (0x5EED, 0))[:2]


@pytest.mark.parametrize(("population", "rate"), [(1, 0.3), (2, 0.7), (3, 0.5), (20, 0.1), (1000, 0.004)])
def test_counts_are_binomial(population: int, rate: float) -> None:
    streams = 50_000
    found = draw([population] * streams, rate)
    counts = np.bincount(found.stream, minlength=streams)
    law = stats.binom(population, rate).pmf(np.arange(population + 1)) * streams
    observed = np.bincount(counts, minlength=population + 1).astype(float)
    usual = law >= 10
    observed = np.append(observed[usual], observed[~usual].sum())
    expected = np.append(law[usual], law[~usual].sum())
    if expected[-1] < 1:
        assert observed[-1] < 20
        observed, expected = observed[:-1], expected[:-1]
        expected *= observed.sum() / expected.sum()
    assert stats.chisquare(observed, expected).pvalue > ALARM


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_every_subset_of_three_bits_has_its_probability(rate: float) -> None:
    streams = 100_000
    found = draw([3] * streams, rate)
    subset = np.zeros(streams, dtype=np.int64)
    np.add.at(subset, found.stream, 2**found.position)
    law = [rate ** bin(s).count("1") * (1 - rate) ** (3 - bin(s).count("1")) for s in range(8)]
    observed = np.bincount(subset, minlength=8)
    assert stats.chisquare(observed, np.array(law) * streams).pvalue > ALARM


def test_orders_of_three_bits_are_equally_likely() -> None:
    streams = 60_000
    order = draw([3] * streams, 1.0).position.reshape(streams, 3) @ np.array([9, 3, 1])
    values, observed = np.unique(order, return_counts=True)
    assert len(values) == 6
    assert stats.chisquare(observed).pvalue > ALARM


def test_times_are_uniform_up_to_the_rate() -> None:
    found = draw([500] * 2000, 0.1)
    assert stats.kstest(found.time / 0.1, "uniform").pvalue > ALARM
    assert found.time.max() <= 0.1 * (1 + 1e-12)


@pytest.mark.parametrize("population", [64, 10**6, 2**40])
def test_positions_are_uniform(population: int) -> None:
    found = draw([population] * 4000, 20 / population)
    assert found.position.min() >= 0
    assert found.position.max() < population
    observed = np.bincount(found.position * 64 // population, minlength=64)
    assert stats.chisquare(observed).pvalue > ALARM


@pytest.mark.parametrize(("population", "rate"), [(1, 0.9), (17, 0.8), (5000, 0.3), (5000, 1.0), (10**6, 0.01)])
def test_bits_are_distinct(population: int, rate: float) -> None:
    found = draw([population] * 5, rate)
    for stream in range(5):
        position, time = of_stream(found, stream)
        assert len(set(position)) == len(position)
        assert time == sorted(time)


@given(st.integers(0, 2**64 - 1), st.floats(0, 1), st.floats(0, 1), st.sampled_from([1, 2, 3, 50, 3000]))
@settings(max_examples=60, deadline=None)
def test_nested_over_rates(seed: int, one: float, other: float, population: int) -> None:
    fewer, more = (draw([population] * 3, rate, seed=seed) for rate in sorted([one, other]))
    for stream in range(3):
        few, many = of_stream(fewer, stream), of_stream(more, stream)
        assert few == (many[0][: len(few[0])], many[1][: len(few[0])])


def test_a_stream_does_not_depend_on_its_company() -> None:
    generator = np.random.default_rng(3)
    columns = {
        "image": generator.integers(0, 2**53, 40),
        "site": generator.integers(0, 2**32, 40),
        "kind": generator.integers(0, 8, 40),
    }
    population = generator.integers(0, 2000, 40)
    together = draw(population, 0.02, **columns)
    order = generator.permutation(40)[:25]
    apart = draw(population[order], 0.02, **{name: values[order] for name, values in columns.items()})
    for place, stream in enumerate(order):
        assert of_stream(apart, place) == of_stream(together, int(stream))


def test_threads_do_not_change_the_result() -> None:
    population = np.append(np.full(300, 10**6), [3 * 10**8, 0, 5])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = draw(population, 1e-3)
        torch.set_num_threads(3)
        three = draw(population, 1e-3)
    finally:
        torch.set_num_threads(before)
    assert len(one.stream) > 500_000
    for name in ("stream", "position", "time"):
        np.testing.assert_array_equal(getattr(one, name), getattr(three, name))


def test_ends_of_the_scale() -> None:
    assert len(draw([5, 10**9, 2**50], 0.0).stream) == 0
    assert len(draw([], 0.5).stream) == 0
    assert len(draw([0, 0], 1.0).stream) == 0
    every = draw([1, 2, 3, 0, 4000], 1.0)
    assert np.bincount(every.stream).tolist() == [1, 2, 3, 0, 4000]
    for stream, population in enumerate([1, 2, 3, 0, 4000]):
        assert sorted(of_stream(every, stream)[0]) == list(range(population))
    assert (every.time <= 1).all()
    rare = draw([2**50] * 200, 2.0**-50)
    assert 100 < len(rare.stream) < 320


def test_growing_buffers_lose_nothing() -> None:
    """One bit a stream at a rate that asks for far less room than this seed fills."""
    images = [i for i in range(2000) if reference(7, 0, i, 0, 0, 1, 0.05)]
    found = draw([1] * len(images), 0.05, image=images)
    assert len(images) > 80
    assert found.stream.tolist() == list(range(len(images)))
    assert found.time.tolist() == pytest.approx([reference(7, 0, i, 0, 0, 1, 0.05)[0][1] for i in images])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": 1.5}, r"rate=1\.5: a probability per bit"),
        ({"rate": math.nan}, "rate=nan"),
        ({"seed": 2**64}, "seed=18446744073709551616: give an integer from 0 to 2\\*\\*64"),
        ({"seed": -1}, "seed=-1"),
        ({"trial": 2**32}, "trial=4294967296"),
        ({"image": [3, 2**53]}, r"image\[1\]=9007199254740992: give an integer from 0 to"),
        ({"site": [-1, 0]}, r"site\[0\]=-1"),
        ({"kind": [0, 8]}, r"kind\[1\]=8: give an integer from 0 to 7"),
        ({"population": [0, 2**50 + 1]}, r"population\[1\]=1125899906842625"),
        ({"population": [2**50, 2**50]}, "asks for 1.13e\\+15 flips at once"),
        ({"site": [1]}, r"site has dtype int64, shape \(1,\); int64 \[2\] is needed"),
    ],
)
def test_errors_name_value_and_place(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw(**({"population": [5, 6], "rate": 0.5, "image": [0, 1]} | arguments))


def test_other_dtypes_are_refused() -> None:
    column = np.zeros(1, dtype=np.int64)
    with pytest.raises(InputError, match="population has dtype float64"):
        flip_times(seed=0, trial=0, image=column, site=column, kind=column, population=column * 1.0, rate=0.1)
