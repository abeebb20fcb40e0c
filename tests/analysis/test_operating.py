"""Operating points on curves whose crossing is known."""

import math

import numpy as np
import pytest

from radhard.analysis.factor import factor
from radhard.analysis.intervals import Interval
from radhard.analysis.operating import operating_point
from radhard.errors import InputError


def curve(ber: float, *, half: float = 0.02) -> Interval:
    """A loss of 0.9 / (1 + (1e-7 / ber)^1.5), known to +- half."""
    lost = 0.9 / (1 + (1e-7 / ber) ** 1.5)
    return Interval(rate=lost, low=lost - half, high=lost + half)


def inverse(lost: float) -> float:
    return 1e-7 * (0.9 / lost - 1) ** (-1 / 1.5)


@pytest.mark.parametrize("loss", [0.1, 0.2, 0.3, 0.6])
def test_the_rate_is_found(loss: float) -> None:
    asked: list[float] = []

    def lost_at(ber: float) -> Interval:
        asked.append(ber)
        return curve(ber)

    found = operating_point(loss, lost_at=lost_at, lowest=1e-9, highest=1e-5)
    assert found.ber == pytest.approx(inverse(loss), rel=0.01)
    assert found.low == pytest.approx(inverse(loss - 0.02), rel=0.05)  # the loss is surely less below
    assert found.high == pytest.approx(inverse(loss + 0.02), rel=0.05)
    assert len(asked) == len(set(asked)) <= 9
    assert [ber for ber, _ in found.tried] == sorted(asked)
    assert found.as_dict()["tried"][0]["ber"] == min(asked)


def test_a_limit_that_nothing_bounds_is_none() -> None:
    found = operating_point(0.1, lost_at=lambda ber: curve(ber, half=0.85), lowest=1e-9, highest=1e-5)
    assert found.high is None
    assert found.low is None


@pytest.mark.parametrize(
    ("loss", "says"),
    [(0.95, "at BER 1e-05"), (0.0005, "at BER 1e-09"), (0.0, "between 0 and 100"), (1.0, "between 0 and 100")],
)
def test_a_loss_out_of_reach_is_told(loss: float, says: str) -> None:
    with pytest.raises(InputError, match=says):
        operating_point(loss, lost_at=curve, lowest=1e-9, highest=1e-5)


def test_95_of_100_intervals_cover_the_rate() -> None:
    """300 searches on images that each break at a rate of their own: the rate at which 10 % are lost is known."""
    generator = np.random.default_rng(53)
    truth = inverse(0.1)
    covered = 0
    for _ in range(300):
        # an image that was right breaks when the rate passes its threshold: P(threshold < ber) is the curve's loss
        u = generator.random(400)
        with np.errstate(divide="ignore", invalid="ignore"):
            threshold = np.where(u < 0.9, 1e-7 * (0.9 / u - 1) ** (-1 / 1.5), math.inf)

        def lost_at(ber: float, threshold: np.ndarray = threshold) -> Interval:
            ones = np.ones(400, np.int64)
            return factor(ones, plain=(threshold > ber).astype(np.int64), trials=ones)

        found = operating_point(0.1, lost_at=lost_at, lowest=1e-9, highest=1e-5)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert 0.92 <= covered / 300 <= 0.985
