"""Intervals at any look: simulated with a look after each trial, by hand, and as the beta-binomial mixture."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, special

from radhard.analysis.confidence_sequences import factor_at_any_look, relative_at_any_look, share_at_any_look
from radhard.analysis.intervals import Interval

STREAMS, IMAGES, TRIALS = 200, 20, 10


def covers(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


@pytest.mark.parametrize("truth", [0.04, 0.5, 0.9])
def test_a_look_after_each_trial_misses_in_5_of_100_streams_at_most(truth: float) -> None:
    """Missing at any look, and missing where the interval was first narrow enough; images are alike: the worst case."""
    generator = np.random.default_rng(1)
    ever, at_stop, stopped = 0, 0, 0
    for _ in range(STREAMS):
        hits = (generator.random((TRIALS, IMAGES)) < truth).cumsum(0)
        found = [share_at_any_look(own, trials=np.full(IMAGES, k)) for k, own in enumerate(hits, start=1)]
        ever += not all(covers(one, truth) for one in found)
        narrow = [one for one in found if one.width <= 0.28]
        stopped += bool(narrow)
        at_stop += not covers((narrow or found[-1:])[0], truth)
    assert at_stop <= ever <= 0.05 * STREAMS
    assert stopped > 0.9 * STREAMS  # so the rule was at work


def test_factors_and_ratios_under_looks() -> None:
    """Images of which some are hard in all their trials: the truth is that of all images, of which 20 are a sample."""
    generator = np.random.default_rng(2)
    missed = dict.fromkeys(("factor", "relative"), 0)
    trials = 6
    for _ in range(STREAMS):
        hard = generator.random(IMAGES) < 0.3  # lost in half of their trials, and never with the component protected
        clean = (generator.random(IMAGES) < 0.8).astype(np.int64)
        plain = (clean * (~hard | (generator.random((trials, IMAGES)) < 0.5))).cumsum(0)
        part = clean * np.arange(1, trials + 1)[:, None]
        pairs = [(plain[k], part[k], np.full(IMAGES, k + 1)) for k in range(trials)]
        gains = [factor_at_any_look(b, plain=a, trials=m) for a, b, m in pairs]
        ratios = [relative_at_any_look(a, trials=m, clean=clean) for a, _, m in pairs]
        missed["factor"] += not all(covers(one, 0.8 * 0.15) for one in gains)
        missed["relative"] += not all(covers(one, 0.85) for one in ratios)
    assert max(missed.values()) <= 0.05 * STREAMS


def mixture(hits: int, n: int) -> tuple[float, float]:
    """Robbins's interval: where the beta-binomial mixture, divided by the likelihood, is below 20."""

    def log_ratio(p: float) -> float:
        inside = special.betaln(hits + 0.5, n - hits + 0.5) - special.betaln(0.5, 0.5)
        return float(inside - special.xlogy(hits, p) - special.xlog1py(n - hits, -p)) - math.log(20)

    rate, near = hits / n, 1e-12
    low = 0.0 if hits == 0 else optimize.brentq(log_ratio, near, rate)
    return low, 1.0 if hits == n else optimize.brentq(log_ratio, rate, 1 - near)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.floats(0, 1))
def test_with_one_trial_it_is_the_beta_binomial_mixture(n: int, share: float) -> None:
    hits = round(share * n)
    found = share_at_any_look((np.arange(n) < hits).astype(np.int64), trials=np.ones(n, np.int64))
    assert (found.low, found.high) == pytest.approx(mixture(hits, n), abs=2e-5)


def test_shares_of_images_by_the_integral() -> None:
    """Shares of 0.25 and 0.75: the product's mean over the arcsine distribution, by quadrature."""
    hits, trials = np.array([1] * 6 + [3] * 9), np.full(15, 4)
    found = share_at_any_look(hits, trials=trials)
    z = hits / 4

    def money(share: float) -> float:
        def bet(angle: float) -> float:
            q = (1 + math.cos(angle)) / 2
            return float(np.prod(q * z / share + (1 - q) * (1 - z) / (1 - share)))

        return float(integrate.quad(bet, 0, math.pi)[0]) / math.pi

    assert money(found.low) == pytest.approx(20, rel=1e-6)
    assert money(found.high) == pytest.approx(20, rel=1e-6)
    assert money(found.rate) < 1


def test_trials_that_do_not_count_say_nothing() -> None:
    """Of 3 trials of each image 2 count: the share is of these; all that count being hits, it is 1."""
    found = share_at_any_look(np.full(40, 2), trials=np.full(40, 2), drawn=3)
    assert (found.rate, found.high) == (1.0, 1.0)
    assert found.low < share_at_any_look(np.full(40, 2), trials=np.full(40, 2)).low < 1
    with_images_of_none = share_at_any_look(np.array([1, 2, 0, 0]), trials=np.array([2, 2, 0, 0]))
    assert with_images_of_none.rate == 0.75


def test_nothing_is_known_of_nothing() -> None:
    none = np.zeros(3, np.int64)
    assert (share_at_any_look(none, trials=none).low, share_at_any_look(none, trials=none).high) == (0.0, 1.0)
    assert factor_at_any_look(none, plain=none, trials=none).low == -1.0
    nothing_right = relative_at_any_look(none, trials=np.ones(3, np.int64), clean=none)
    assert math.isnan(nothing_right.rate)
    assert nothing_right.high == math.inf
    lost = relative_at_any_look(np.zeros(50, np.int64), trials=np.full(50, 2), clean=np.ones(50, np.int64))
    assert (lost.rate, lost.low) == (0.0, 0.0)
    assert 0 < lost.high < 0.2


def test_more_images_and_more_trials_narrow_it_and_a_smaller_level_widens_it() -> None:
    one = share_at_any_look(np.tile([1, 2, 3, 2], 25), trials=np.full(100, 4))
    more = share_at_any_look(np.tile([1, 2, 3, 2], 250), trials=np.full(1000, 4))
    sure = share_at_any_look(np.tile([1, 2, 3, 2], 25), trials=np.full(100, 4), alpha=0.01)
    assert more.width < one.width < sure.width
    factor = factor_at_any_look(np.full(100, 4), plain=np.tile([4, 4, 4, 0], 25), trials=np.full(100, 4))
    assert factor.rate == 0.25
    assert 0 < factor.low < 0.25 < factor.high < 0.5
