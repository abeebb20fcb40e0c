"""How many injections of one fault each a wanted interval takes, of a finite population of faults.

By Leveugle, Calvez, Maistri and Vanhauwaert (*Statistical fault injection: quantified error and confidence*, DATE
2009): of N possible faults, an expected rate p, a margin e (half of the interval) and t, the normal quantile of the
confidence,

    n = N / (1 + e^2 (N - 1) / (t^2 p (1 - p)))

for simple random sampling without replacement. p = 1/2 asks for the most. With strata of N_c faults, N together, whose
rates p_c are known from a first measurement, Neyman's allocation gives stratum c in proportion to N_c s_c, and the
total rate has the same margin after (Cochran, *Sampling Techniques*, 1977, section 5.9)

    n = (sum_c N_c s_c)^2 / (N^2 e^2 / t^2 + sum_c N_c s_c^2),    s_c^2 = p_c (1 - p_c)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from radhard.analysis.neyman import deviation
from radhard.errors import InputError


@dataclass(frozen=True, kw_only=True)
class WantedInterval:
    """An interval of a rate: `margin` on either side of it at `confidence`, where a `rate` is expected; all in (0, 1).

    >>> WantedInterval(margin=0.01).injections(10**9)
    9604
    """

    margin: float = 0.01
    confidence: float = 0.95
    rate: float = 0.5

    def __post_init__(self) -> None:
        for name, such_as in (("margin", "1"), ("confidence", "95"), ("rate", "50")):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise InputError(
                    f"--{name} {100 * value:g}: give percentage points above 0 and below 100, such as {such_as}"
                )

    @property
    def t(self) -> float:
        """The normal quantile of the confidence, both tails."""
        return NormalDist().inv_cdf(0.5 + self.confidence / 2)

    def injections(self, population: int) -> int:
        """Of so many faults, how many are injected; never more than there are."""
        if population < 1:
            raise InputError(f"--population {population}: give the number of faults that can happen, at least 1")
        spread = self.t**2 * self.rate * (1 - self.rate)
        return _whole(population / (1 + self.margin**2 * (population - 1) / spread), most=population)

    def stratified(self, strata: Sequence["Stratum"]) -> int:
        """How many injections the total rate takes in strata, shared out by Neyman's allocation."""
        population = sum(stratum.population for stratum in strata)
        first = sum(stratum.population * stratum.deviation for stratum in strata)
        second = sum(stratum.population * stratum.deviation**2 for stratum in strata)
        wanted = (population * self.margin / self.t) ** 2
        return _whole(first**2 / (wanted + second), most=population)


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """A component with so many faults, and the `deviation` of one answer in it."""

    name: str
    population: int
    deviation: float


def strata_of(populations: Mapping[str, int], *, seen: Mapping[str, tuple[int, int]]) -> tuple[Stratum, ...]:
    """Faults of each component; what was `seen` of each, (hits, n), with one hit and one miss added as in a pilot."""
    return tuple(
        Stratum(name=name, population=own, deviation=deviation(*seen[name])) for name, own in populations.items()
    )


def _whole(n: float, *, most: int) -> int:
    """Rounded up, but for what rounding of the numbers themselves has put above a whole one."""
    return min(most, max(1, math.ceil(n - 1e-6 * max(1.0, n))))
