"""Simulated products under LB-ABFT in blocks of one size: their errors and overheads, means with intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from radhard.errors import InputError


@dataclass(frozen=True, kw_only=True)
class MeanInterval:
    """A mean of numbers that are not negative, and its interval `low` ... `high`."""

    mean: float
    low: float
    high: float


def mean_of(values: Sequence[float]) -> MeanInterval:
    """Independent values -> their mean and Student's 95 % interval, cut off at 0. InputError for fewer than two."""
    from scipy.stats import t  # a second to import

    n = len(values)
    if n < 2:
        raise InputError(f"{n} values have no interval: give two or more")
    mean = math.fsum(values) / n
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(t.ppf(0.975, n - 1)) * deviation / math.sqrt(n)
    return MeanInterval(mean=mean, low=max(0.0, mean - half), high=mean + half)


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """`n` products of `gemm` at `ber`, protected by LB-ABFT in cubes of `edge` with `policy`; edge 0 is unprotected.

    `mse` is of the written-back words, `wrong` their share that is not as without faults. `executed` is the overhead
    that the run had, `exact` and `volume` what the models expect, as shares of the product's own operations.
    """

    gemm: str
    ber: float
    edge: int
    policy: str
    n: int
    mse: MeanInterval
    wrong: MeanInterval
    executed: MeanInterval
    exact: float
    volume: float
