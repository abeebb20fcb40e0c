"""Evidence for and against a claim: one-sided p-values of an estimate with a normal error, combined.

`for_` is the p-value of "the claim is false", `against` that of "the claim is true": a small one decides. Claims are
combined as hypotheses are. A claim that says several things at once holds if each does: "one is false" is rejected only
if all are (an intersection-union test: Berger, Technometrics 24, 1982), so `for_` is the greatest and `against` the
least, times their number (Bonferroni). A claim that says one of several things is the reverse.

Records hold intervals, not answers an image. Where two estimates come from the same images, their difference is known
better than its parts, but how much better the intervals do not say. So their errors are added, as if they were as
unlike as can be: what this decides would be decided with the pairs, too. Estimates of two models are taken to be
independent: what an image is to both would only bring them together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

from radhard.analysis.intervals import Z_95, Interval

_NORMAL = NormalDist()


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """A `value` and its standard `error`, in the same unit; its distribution is Student's of so many `degrees`.

    >>> one, other = Statistic(value=0.3, error=0.02), Statistic(value=0.1, error=0.01)
    >>> (one - other).value, (one - other).error
    (0.19999999999999998, 0.03)
    """

    value: float
    error: float
    degrees: float = math.inf

    def __add__(self, other: "Statistic") -> "Statistic":
        return self - other.times(-1)

    def __sub__(self, other: "Statistic") -> "Statistic":
        degrees = min(self.degrees, other.degrees)
        return Statistic(value=self.value - other.value, error=self.error + other.error, degrees=degrees)

    def less_independent(self, other: "Statistic") -> "Statistic":
        """The difference to an estimate that is independent of this one, as that of another model is."""
        return replace(self - other, error=math.hypot(self.error, other.error))

    def times(self, factor: float) -> "Statistic":
        """Value and error in another unit."""
        return replace(self, value=factor * self.value, error=abs(factor) * self.error)

    @property
    def interval(self) -> Interval:
        """Of 95 %, for this one alone."""
        half = quantile(0.975, degrees=self.degrees) * self.error
        return Interval(rate=self.value, low=self.value - half, high=self.value + half)


def quantile(level: float, *, degrees: float) -> float:
    """Student's quantile; the normal one of infinitely many degrees."""
    if math.isinf(degrees):
        return _NORMAL.inv_cdf(level)
    from scipy.stats import t

    return float(t.ppf(level, degrees))


def estimate_of(rate: float | None, *, low: float | None, high: float | None, z: float = Z_95) -> Statistic:
    """A value and its interval at the quantile `z` -> the value and half the interval's width, in errors.

    A limit that there is not makes the error infinite, a value that is not known decides nothing.
    """
    if rate is None:
        return Statistic(value=math.nan, error=math.inf)
    if low is None or high is None:
        return Statistic(value=rate, error=math.inf)
    return Statistic(value=rate, error=(high - low) / (2 * z))


def estimate_in(record: Mapping[str, Any], *, z: float = Z_95) -> Statistic:
    """The same, of a record with `rate`, `low` and `high`."""
    return estimate_of(record["rate"], low=record["low"], high=record["high"], z=z)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The statistic that is `shown`, and the p-values that it gives: 0 and 1 where all is `counted`, not sampled.

    `margin`: that of a test of equivalence, in the unit of the statistic.
    """

    shown: Statistic
    for_: float
    against: float
    margin: float | None = None
    counted: bool = False

    @property
    def p(self) -> float:
        """Two-sided: twice the smaller one."""
        return min(1.0, 2 * min(self.for_, self.against))


def above(found: Statistic, limit: float = 0.0) -> Evidence:
    """The claim that the true value is greater than `limit`.

    >>> round(above(Statistic(value=1.96, error=1.0)).for_, 3)
    0.025
    """
    return Evidence(
        shown=found,
        for_=_chance(limit - found.value, of=found),
        against=_chance(found.value - limit, of=found),
    )


def below(found: Statistic, limit: float = 0.0) -> Evidence:
    """The claim that the true value is less than `limit`."""
    over = above(found, limit)
    return replace(over, for_=over.against, against=over.for_)


def within(found: Statistic, margin: float) -> Evidence:
    """The claim of equivalence: the true value is nearer to 0 than `margin`, by two one-sided tests (TOST).

    >>> round(within(Statistic(value=0.0, error=1.0), 1.644853627).for_, 3)
    0.05
    """
    both = all_of([above(found, -margin), below(found, margin)])
    return replace(both, shown=found, margin=margin)


def counted(value: float, *, holds: bool) -> Evidence:
    """A claim on numbers that are counted or follow from a formula: it holds or does not."""
    shown = Statistic(value=value, error=0.0)
    return Evidence(shown=shown, for_=0.0 if holds else 1.0, against=1.0 if holds else 0.0, counted=True)


def all_of(parts: Sequence[Evidence]) -> Evidence:
    """The claim that all of the `parts` hold; the least certain of them is shown."""
    weakest = max(parts, key=lambda part: (part.for_, -part.against))
    least = min(part.against for part in parts)
    return replace(
        weakest,
        against=min(1.0, len(parts) * least),
        counted=all(part.counted for part in parts),
    )


def any_of(parts: Sequence[Evidence]) -> Evidence:
    """The claim that one of the `parts` holds, or more; the most certain of them is shown."""
    strongest = min(parts, key=lambda part: (part.for_, -part.against))
    return replace(
        strongest,
        for_=min(1.0, len(parts) * strongest.for_),
        against=max(part.against for part in parts),
        counted=all(part.counted for part in parts),
    )


def _chance(distance: float, *, of: Statistic) -> float:
    """The probability of an estimate as far beyond a limit or more, which is `distance` ahead of it; 1 if not known."""
    if math.isnan(distance) or not math.isfinite(of.error):
        return 1.0
    if of.error == 0:
        return 0.0 if distance < 0 else 1.0
    if math.isinf(of.degrees):
        return _NORMAL.cdf(distance / of.error)
    from scipy.stats import t

    return float(t.cdf(distance / of.error, of.degrees))
