"""Neyman's allocation of trials to strata: more where a stratum is large and its answers vary.

The total over strata, sum_c w_c p_c, is estimated with the least variance if stratum c has trials in proportion to
w_c sigma_c (Neyman, *Journal of the Royal Statistical Society* 97, 1934). sigma_c is not known: it is taken from a
pilot, with one hit and one miss added, so that a stratum in which nothing was seen is not taken to be without variance.
"""

import math
from collections.abc import Sequence


def deviation(hits: int, n: int) -> float:
    """The standard deviation of one answer, of `hits` in `n`, with one hit and one miss added."""
    rate = (hits + 1) / (n + 2)
    return math.sqrt(rate * (1 - rate))


def allocate(weights: Sequence[float], deviations: Sequence[float], *, budget: int, least: int) -> tuple[int, ...]:
    """Trials of each stratum: at least `least`, `budget` in all, or `least` each if that is more.

    What is above `least` goes to the strata whose trials are fewest against w_c sigma_c.

    >>> allocate([0.5, 0.5], [0.1, 0.3], budget=8, least=1)
    (2, 6)
    >>> allocate([0.9, 0.1], [0.2, 0.2], budget=10, least=2)
    (8, 2)
    """
    wanted = [weight * deviation for weight, deviation in zip(weights, deviations, strict=True)]
    trials = [least] * len(wanted)
    for _ in range(budget - sum(trials)):
        # one trial more lowers the variance (w sigma)^2 / t by (w sigma)^2 / (t (t + 1))
        gains = [want * want / (t * (t + 1)) for want, t in zip(wanted, trials, strict=True)]
        trials[gains.index(max(gains))] += 1
    return tuple(trials)
