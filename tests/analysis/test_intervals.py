"""Intervals against published values, against simulation, and against what a naive interval gets wrong."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from radhard.analysis.intervals import clustered, effective_size, wilson
from radhard.errors import InputError


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_newcombes_published_values(hits: int, n: int, low: float, high: float) -> None:
    interval = wilson(hits / n, n=n)
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_wilson_is_scipys(hits: int, n: int) -> None:
    hits = min(hits, n)
    interval = wilson(hits / n, n=n)
    theirs = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert interval.low == pytest.approx(theirs.low, abs=1e-12)
    assert interval.high == pytest.approx(theirs.high, abs=1e-12)
    assert 0 <= interval.low <= interval.rate <= interval.high <= 1


def test_no_answer_is_no_knowledge() -> None:
    interval = wilson(0.0, n=0)
    assert math.isnan(interval.rate)
    assert (interval.low, interval.high) == (0.0, 1.0)
    with pytest.raises(InputError, match=r"rate 1\.5"):
        wilson(1.5, n=3)


def test_effective_size_at_its_two_ends() -> None:
    trials = np.full(300, 4)
    alike = np.where(np.arange(300) < 200, 4, 0)  # each image answers alike in all trials: 300 answers
    assert effective_size(alike, trials=trials) == pytest.approx(300)
    spread = np.full(300, 2)  # every image exactly at the rate: the data do not say, so the images count
    assert effective_size(spread, trials=trials) == 300
    generator = np.random.default_rng(5)  # no image is harder than another: 1,200 answers, about
    independent = generator.binomial(4, 0.7, size=300)
    assert effective_size(independent, trials=trials) == pytest.approx(1200, rel=0.2)
    assert effective_size(independent, trials=trials) <= 1200


def test_images_without_a_trial_do_not_count() -> None:
    hits, trials = np.array([2, 0, 3, 1]), np.array([3, 3, 3, 3])
    more_hits, more_trials = np.append(hits, [0, 0]), np.append(trials, [0, 0])
    assert clustered(more_hits, trials=more_trials) == clustered(hits, trials=trials)
    assert clustered(np.zeros(3, np.int64), trials=np.zeros(3, np.int64)).high == 1.0


@pytest.mark.parametrize(
    ("alpha", "beta"),
    [(0.3, 0.1), (4.0, 2.0), (0.05, 0.05), (1e6, 1e6)],
    ids=["mostly hard or easy", "mixed", "hard or easy", "all alike"],
)
def test_95_of_100_simulated_intervals_cover(alpha: float, beta: float) -> None:
    """2,000 sweeps of 250 images x 5 trials; coverage lies in 0.93 ... 0.97 (4 standard errors are 0.0195)."""
    generator = np.random.default_rng(20)
    truth, trials = alpha / (alpha + beta), np.full(250, 5)
    covered = naive = 0
    for _ in range(2000):
        hits = generator.binomial(5, generator.beta(alpha, beta, size=250))
        interval = clustered(hits, trials=trials)
        covered += interval.low <= truth <= interval.high
        blind = wilson(hits.sum() / 1250, n=1250)
        naive += blind.low <= truth <= blind.high
    assert 0.93 <= covered / 2000 <= 0.97
    if alpha < 1:  # all answers taken for independent ones: wrong, and this test sees it
        assert naive / 2000 < 0.80


def test_unequal_numbers_of_trials_are_covered_too() -> None:
    """As while a sweep runs: the first 100 of 250 images have a trial more."""
    generator = np.random.default_rng(21)
    trials = np.where(np.arange(250) < 100, 3, 2)
    covered = 0
    for _ in range(2000):
        hits = generator.binomial(trials, generator.beta(0.6, 0.2, size=250))
        interval = clustered(hits, trials=trials)
        covered += interval.low <= 0.75 <= interval.high
    assert 0.93 <= covered / 2000 <= 0.97
