"""Operating points: the bit error rates at which a model loses given percentage points of accuracy.

Faults at a lower rate are a subset of those at a higher one, on the same images and in the same trials, so the loss
over the rate is one coupled curve and hardly wavers. The rate is found by bisection of its logarithm until neighbours
are within a tenth, then by a line between the two. Its interval is made of all rates at which the target lies within
the 95 % interval of the loss there (the inversion of a test at each rate), read off the lines through the limits of the
intervals at the rates that were tried: the first rate at which the upper limit reaches the target, and the last at
which the lower one does.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from radhard.analysis.crossing import falls_to
from radhard.analysis.intervals import Interval
from radhard.errors import InputError

CLOSE = 1.1
"""Neighbouring rates between which the loss is read off a line."""


class TriedRecord(TypedDict):
    """A rate that was tried in the search for a loss, and the loss there, as a share of all answers."""

    ber: float
    loss: float
    low: float
    high: float


class OperatingPointRecord(TypedDict):
    """The rate that costs a loss, its 95 % interval (null: not bounded), and the rates that were tried."""

    loss: float
    ber: float
    low: float | None
    high: float | None
    tried: list[TriedRecord]


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """The `ber` that costs `loss` of accuracy, as a share of all answers, and its 95 % interval `low` ... `high`.

    A limit is None if no rate of the range that was searched bounds it. `tried`: each rate and the loss there.
    """

    loss: float
    ber: float
    low: float | None
    high: float | None
    tried: tuple[tuple[float, Interval], ...]

    def as_dict(self) -> OperatingPointRecord:
        """The point as JSON values."""
        tried: list[TriedRecord] = [
            {"ber": ber, "loss": lost.rate, "low": lost.low, "high": lost.high} for ber, lost in self.tried
        ]
        return {"loss": self.loss, "ber": self.ber, "low": self.low, "high": self.high, "tried": tried}


def operating_point(
    loss: float, *, lost_at: Callable[[float], Interval], lowest: float, highest: float
) -> OperatingPoint:
    """Find the rate between `lowest` and `highest` that costs `loss`, in (0, 1).

    `lost_at`: a rate -> the loss there and its 95 % interval, on the same images and trials.
    Raises InputError if the loss is not between those at the two ends.
    """
    if not 0 < loss < 1:
        raise InputError(f"a loss of {100 * loss:g} points is not between 0 and 100; give percentage points")
    tried: dict[float, Interval] = {}
    below, above = lowest, highest
    while above > CLOSE * below:
        middle = float(f"{math.sqrt(below * above):.4g}")
        tried[middle] = lost_at(middle)
        below, above = (middle, above) if tried[middle].rate < loss else (below, middle)
    for end in {below, above} - tried.keys():  # an end of the range, which bisection has not tried
        tried[end] = lost_at(end)
    for end, outside in ((lowest, tried[below].rate >= loss), (highest, tried[above].rate < loss)):
        if outside:
            raise InputError(
                f"a loss of {100 * loss:g} points is out of reach: at BER {end:.3g}, an end of the range that is "
                f"searched, it is {100 * tried[end].rate:.1f} points; ask for another loss, or give --ber"
            )
    share = (loss - tried[below].rate) / (tried[above].rate - tried[below].rate)
    found = math.exp((1 - share) * math.log(below) + share * math.log(above))
    if all(interval.low < loss for interval in tried.values()) and highest not in tried:
        tried[highest] = lost_at(highest)
    if all(interval.high > loss for interval in tried.values()) and lowest not in tried:
        tried[lowest] = lost_at(lowest)
    low, high = _limits(tried, loss=loss)
    return OperatingPoint(
        loss=loss, ber=float(f"{found:.3g}"), low=low, high=high, tried=tuple(sorted(tried.items(), key=lambda x: x[0]))
    )


def _limits(tried: dict[float, Interval], *, loss: float) -> tuple[float | None, float | None]:
    rates = sorted(tried)
    least = math.inf
    surely = []  # the least lower limit at this rate or a higher one: where it is reached, it stays reached
    for ber in reversed(rates):
        least = min(least, tried[ber].low)
        surely.append((ber, -least))
    return falls_to([(ber, -tried[ber].high) for ber in rates], level=-loss).ber, falls_to(surely, level=-loss).ber
