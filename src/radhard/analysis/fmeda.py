"""Failure modes, effects and diagnostic analysis (FMEDA) of transient faults: from raw FIT to residual FIT and SPFM.

For each part c, with bits_c and a raw rate of upsets a bit,

    raw_c = bits_c x rate_c
    residual_c = raw_c x duty_c x AVF_c x (1 - coverage_c) x (1 - DC_c)
    SPFM = 1 - sum_c residual_c / sum_c raw_c

AVF_c is P(the answer is wrong | an upset of c while its word matters), so 1 - AVF_c is the safe share; DC_c is the
share of these wrong answers that a plan detects or corrects, coverage_c that of upsets that a memory's own code does.

**Intervals.** AVF_c and DC_c are measured, each with an interval. The k intervals of a table hold all at once at 95 %:
each is taken at 1 - 0.05 / k (Bonferroni). Where all hold, so do the limits of every residual, which is monotone in
both, those of their sum, and those of the SPFM: limits are put in for the rates and added up. That is conservative. No
independence is assumed. An upper limit is above 0 also where no answer was wrong.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from radhard.analysis.intervals import Interval
from radhard.errors import InputError

Ground = Literal["measured", "exact", "stated", "assumed", "none"]
"""What a number is from: this model's runs, a closed form, the hardware file, caution; or there is nothing."""

CONFIDENCE = 0.95
ASSUMED = Interval(rate=1.0, low=1.0, high=1.0)
"""The AVF of a part that was not measured."""
NO_PLAN = Interval(rate=0.0, low=0.0, high=0.0)
"""The DC without a plan."""


def simultaneous_z(intervals: int) -> float:
    """The normal quantile of each of so many intervals that are to hold at once (Bonferroni).

    >>> print(f"{simultaneous_z(1):.2f} {simultaneous_z(6):.2f}")
    1.96 2.64
    """
    if intervals < 1:
        raise InputError(f"intervals={intervals}: give at least 1")
    return NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / (2 * intervals))


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A failure rate in FIT: its estimate, and the limits `low` ... `high`."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class FmedaPart:
    """A part of `bits`, upset at `fit_per_mbit`: its duty, its AVF and the DC of the plan, and what each is from.

    `coverage` is the share of upsets that the part's own code, such as ECC, corrects or detects.
    `upsets` were injected, `wrong` of them made the answer wrong, `silent` did so although the plan was on; None: not
    measured.

    >>> from radhard.analysis.intervals import wilson
    >>> part = FmedaPart(name="sum", bits=524_288, fit_per_mbit=100, duty=0.5, avf=wilson(0.02, n=1000))
    >>> print(f"{part.raw:.1f} FIT raw, {part.residual.value:.2f} residual, at most {part.residual.high:.2f}")
    52.4 FIT raw, 0.52 residual, at most 0.80
    """

    name: str
    bits: int
    fit_per_mbit: float
    duty: float = 1.0
    duty_from: Ground = "assumed"
    avf: Interval = ASSUMED
    avf_from: Ground = "assumed"
    coverage: float = 0.0
    dc: Interval = NO_PLAN
    dc_from: Ground = "none"
    upsets: int | None = None
    wrong: int | None = None
    silent: int | None = None

    @property
    def raw(self) -> float:
        """FIT of all its upsets."""
        return self.bits / 1e6 * self.fit_per_mbit

    @property
    def residual(self) -> Fit:
        """FIT of the wrong answers that nothing detects."""
        exposed = self.raw * self.duty * (1 - self.coverage)
        missed = 0.0 if math.isnan(self.dc.rate) else 1 - self.dc.rate  # not a wrong answer was seen: nothing missed
        return Fit(
            value=exposed * self.avf.rate * missed,
            low=exposed * self.avf.low * (1 - self.dc.high),
            high=exposed * self.avf.high * (1 - self.dc.low),
        )


@dataclass(frozen=True, kw_only=True)
class Fmeda:
    """The parts of an accelerator, and what they add up to."""

    parts: tuple[FmedaPart, ...]

    @property
    def raw(self) -> float:
        """FIT of all upsets."""
        return sum(part.raw for part in self.parts)

    @property
    def residual(self) -> Fit:
        """FIT of the wrong answers that nothing detects."""
        return added(part.residual for part in self.parts)

    @property
    def spfm(self) -> Interval:
        """The single-point fault metric of ISO 26262, and the safe failure fraction of IEC 61508, of transient faults.

        NaN, between 0 and 1, where there is no raw rate.
        """
        if not self.raw:
            return Interval(rate=math.nan, low=0.0, high=1.0)
        residual = self.residual
        low, rate, high = (1 - each / self.raw for each in (residual.high, residual.value, residual.low))
        return Interval(rate=rate, low=low, high=high)


def added(rates: Iterable[Fit]) -> Fit:
    """Their sum; limits that hold all at once add up to limits of the sum."""
    every: Sequence[Fit] = list(rates)
    return Fit(
        value=sum(each.value for each in every),
        low=sum(each.low for each in every),
        high=sum(each.high for each in every),
    )
