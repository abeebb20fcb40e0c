"""Confidence intervals for rates: Wilson's, with an effective sample size when trials share images.

A sweep asks the same N images in several trials. Whether an image is hard or easy it is so in every trial, so
N x trials answers are worth fewer independent ones. The images are the clusters of a survey (Kish, *Survey
Sampling*, 1965, section 5.4): with y_i right answers in m_i trials of image i and the rate p = sum y / sum m,

    variance of p    v = sum (y_i - p m_i)^2 / (sum m)^2        (the ratio estimator, between images)
    effective n        = p (1 - p) / v,   kept between N and sum m

and Wilson's interval at that n (Korn and Graubard, *Survey Methodology* 24, 1998, do so for Clopper-Pearson).
If images answer alike in all trials it is N, if an image's trials are independent of each other it is sum m.
Images are a sample of all images of their kind, and trials one of all faults: the interval is for both.
"""

import math
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from radhard.errors import InputError

Z_95 = 1.959963984540054
"""The normal quantile of a two-sided interval of 95 %."""


class Rates(TypedDict):
    """A rate and the limits of its interval."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A `rate` in [0, 1] and its interval `low` ... `high` (NaN, 0, 1 when nothing was counted).

    A ratio of two rates and its interval lie in [0, infinity] (NaN, 0, infinity when there is nothing to divide by),
    a difference of two rates in [-1, 1] (NaN, -1, 1).
    """

    rate: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """`high` - `low`."""
        return self.high - self.low


def wilson(rate: float, *, n: float, z: float = Z_95) -> Interval:
    """A rate in [0, 1] among n independent answers -> its score interval (Wilson, JASA 22, 1927)."""
    if n < 0 or not (n == 0 or 0 <= rate <= 1):
        raise InputError(f"rate {rate} of n={n}: a rate is in [0, 1] and n is not negative")
    if n == 0:
        return Interval(rate=math.nan, low=0.0, high=1.0)
    shrink = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    # At a rate of 0 or 1 that end of the interval is exact; rounding must not put the rate outside.
    return Interval(rate=rate, low=min(rate, max(0.0, centre - half)), high=max(rate, min(1.0, centre + half)))


def effective_size(hits: npt.NDArray[np.int64], *, trials: npt.NDArray[np.int64]) -> float:
    """`hits`, `trials` int64 [N], of each image -> how many independent answers they are worth."""
    asked = trials > 0
    images, answers = int(asked.sum()), int(trials.sum())
    if images == 0:
        return 0.0
    rate = hits.sum() / answers
    variance = float(((hits - rate * trials) ** 2).sum()) / answers**2
    if variance == 0:  # all answers alike, or every image exactly at the rate: the data do not say
        return float(images)
    return float(min(max(rate * (1 - rate) / variance, images), answers))


def clustered(hits: npt.NDArray[np.int64], *, trials: npt.NDArray[np.int64], z: float = Z_95) -> Interval:
    """`hits` of `trials` int64 [N] of each image -> the rate, and Wilson's interval at the effective size."""
    size = effective_size(hits, trials=trials)
    return wilson(float(hits.sum() / trials.sum()) if size else 0.0, n=size, z=z)
