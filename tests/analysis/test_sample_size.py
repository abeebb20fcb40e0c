"""Sample sizes: by hand, and against the interval that they promise."""

import numpy as np
import pytest

from radhard.analysis.neyman import allocate
from radhard.analysis.sample_size import Stratum, WantedInterval, strata_of
from radhard.errors import InputError


@pytest.mark.parametrize(
    ("population", "margin", "confidence", "rate", "injections"),
    [
        (10**12, 0.05, 0.95, 0.5, 385),  # 1.96^2 / 4 / 0.05^2 = 384.1
        (10**12, 0.01, 0.95, 0.5, 9604),  # 9603.6
        (10**12, 0.01, 0.99, 0.5, 16588),  # 2.5758^2 / 4 / 0.01^2 = 16587.2
        (1000, 0.05, 0.95, 0.5, 278),  # 1000 / (1 + 0.0025 x 999 / 0.96036) = 277.7
        (10000, 0.01, 0.95, 0.5, 4900),  # 10000 / (1 + 0.0001 x 9999 / 0.96036) = 4899.1
        (10**12, 0.01, 0.95, 0.1, 3458),  # 3.8415 x 0.09 / 0.0001 = 3457.3
        (1, 0.01, 0.95, 0.5, 1),
    ],
)
def test_leveugle_by_hand(population: int, margin: float, confidence: float, rate: float, injections: int) -> None:
    found = WantedInterval(margin=margin, confidence=confidence, rate=rate).injections(population)
    assert found == injections


def test_the_margin_holds_for_a_finite_population() -> None:
    """Without replacement from 3,000 faults, 900 of them harmful: 95 % of samples are within the margin."""
    wanted, draw = WantedInterval(margin=0.03, rate=0.3), np.random.default_rng(5)
    n = wanted.injections(3000)
    assert n < 900
    rates = draw.hypergeometric(900, 2100, n, 4000) / n
    assert 0.94 <= float((abs(rates - 0.3) <= 0.03).mean()) <= 0.96


def test_strata_take_fewer_and_keep_the_margin() -> None:
    strata = (Stratum(name="a", population=8000, deviation=0.05), Stratum(name="b", population=2000, deviation=0.5))
    wanted = WantedInterval(margin=0.01, rate=0.1)
    n = wanted.stratified(strata)
    assert n < wanted.injections(10000)
    a, b = allocate([0.8, 0.2], [0.05, 0.5], budget=n, least=1)
    variance = 0.8**2 * 0.05**2 / a * (1 - a / 8000) + 0.2**2 * 0.5**2 / b * (1 - b / 2000)
    assert wanted.t * variance**0.5 == pytest.approx(0.01, rel=0.01)


def test_strata_of_one_rate_save_nothing() -> None:
    strata = (Stratum(name="a", population=700, deviation=0.5), Stratum(name="b", population=300, deviation=0.5))
    assert WantedInterval(margin=0.05).stratified(strata) == pytest.approx(
        WantedInterval(margin=0.05).injections(1000), abs=1
    )
    assert strata_of({"a": 4}, seen={"a": (0, 98)})[0].deviation == pytest.approx((0.01 * 0.99) ** 0.5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"margin": 0.0}, "margin 0"), ({"confidence": 1.0}, "confidence 100"), ({"rate": -0.1}, "rate -10")],
)
def test_what_is_no_share_is_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        WantedInterval(**wrong)


def test_of_nothing_nothing_is_sampled() -> None:
    with pytest.raises(InputError, match="population 0"):
        WantedInterval().injections(0)
