"""Residual rates, their limits and the SPFM, by hand."""

import math

import pytest

from radhard.analysis.fmeda import Fmeda, FmedaPart, simultaneous_z
from radhard.analysis.intervals import Interval, wilson
from radhard.errors import InputError


def test_a_residual_is_a_product_of_its_factors() -> None:
    """2 Mbit at 50 FIT, half the time useful, a tenth wrong, 80 % of these covered, half by ECC: 0.5 of 100 FIT."""
    part = FmedaPart(
        name="sum",
        bits=2_000_000,
        fit_per_mbit=50,
        duty=0.5,
        avf=Interval(rate=0.1, low=0.05, high=0.2),
        coverage=0.5,
        dc=Interval(rate=0.8, low=0.6, high=0.9),
    )
    assert part.raw == 100
    assert part.residual.value == pytest.approx(100 * 0.5 * 0.5 * 0.1 * 0.2)
    assert part.residual.low == pytest.approx(25 * 0.05 * 0.1)
    assert part.residual.high == pytest.approx(25 * 0.2 * 0.4)


def test_no_failure_leaves_an_upper_limit() -> None:
    never = wilson(0.0, n=1000, z=simultaneous_z(3))
    unknown = Interval(rate=math.nan, low=0.0, high=1.0)  # nothing was wrong, so nothing was there to be detected
    part = FmedaPart(name="a", bits=10**6, fit_per_mbit=100, avf=never, dc=unknown)
    assert part.residual.value == part.residual.low == 0
    assert part.residual.high == pytest.approx(100 * never.high)
    assert 0.5 < part.residual.high < 0.6


def test_parts_add_up_and_what_is_not_measured_counts_as_wrong() -> None:
    parts = (
        FmedaPart(name="a", bits=10**6, fit_per_mbit=90, avf=Interval(rate=0.0, low=0.0, high=0.01)),
        FmedaPart(name="buffer", bits=10**5, fit_per_mbit=100),
    )
    found = Fmeda(parts=parts)
    assert found.raw == 100
    assert (found.residual.value, found.residual.low) == (10, 10)
    assert found.residual.high == pytest.approx(10.9)
    assert (found.spfm.rate, found.spfm.high) == (0.9, 0.9)
    assert found.spfm.low == pytest.approx(0.891)
    nothing = Fmeda(parts=(FmedaPart(name="a", bits=8, fit_per_mbit=0),))
    assert math.isnan(nothing.spfm.rate)


def test_limits_that_hold_at_once_are_wider() -> None:
    """Two-sided 5 % of one, 1 % of each of five; quantiles from a table."""
    assert simultaneous_z(1) == pytest.approx(1.959964, abs=1e-6)
    assert simultaneous_z(5) == pytest.approx(2.575829, abs=1e-6)
    with pytest.raises(InputError, match="intervals=0"):
        simultaneous_z(0)
