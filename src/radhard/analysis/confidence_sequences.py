"""Confidence sequences: intervals of 95 % that hold after every trial at once, so that a look may end the trials.

An interval for a number of trials that is fixed beforehand misses the truth in 5 % of studies. Who looks after each
trial and stops when he likes what he sees has many chances to be misled, and misses it in more. Here all intervals of
a study, after one trial, two, three ..., hold together in 95 % of studies, whatever ends the trials.

Image i was run in m trials, and z_i in [0, 1] is its share of hits, R the mean share over all images and faults. A
gambler who bets on each image that R is too low or too high, with a stake q in (0, 1), multiplies his money by

    q z_i / R + (1 - q) (1 - z_i) / (1 - R)

whose mean is 1 at the true R: the images are independent, whatever the trials of one image share. Given the shares
after more trials, those after fewer have the same mean, since the trials of an image are exchangeable. So the product
over the images is a martingale in the number of trials read backwards, and by Ville's inequality, with probability
95 %, it is below 20 after every number of trials (Manole and Ramdas, IEEE Transactions on Information Theory 69, 2023,
on reverse martingales; Waudby-Smith and Ramdas, JRSS B 86, 2024, on betting). So is a mean of such products over stakes
that are fixed beforehand. The stakes are the nodes of Chebyshev, all alike, whose mean is that over the arcsine
distribution: with one trial an image this is Robbins's beta-binomial mixture with a prior of Beta(1/2, 1/2) (Annals of
Mathematical Statistics 41, 1970). The interval is all R at which the product is below 20. Its logarithm is convex in R,
so that is an interval, which holds the share that was seen; its limits are searched, and taken from outside. Nothing is
approximated: it holds for any number of images.

Where not all trials of an image count, x_i is the share of those that do, and R = mean z / mean x; the factor is

    1 - x_i + q z_i / R + (1 - q) (x_i - z_i) / (1 - R).

Of accuracy relative to clean, x_i is 1 if the clean answer is right, else 0; z_i - R x_i is in [-R, 1], the factor is

    q (z_i / R + 1 - x_i) + (1 - q) (1 - z_i + R x_i),

and what is convex is the logarithm of the product in that of R. A difference of two accuracies is twice a share less 1.
"""

import math
from collections.abc import Callable

import numpy as np

from radhard.analysis.intervals import Interval
from radhard.analysis.relative import Counts, FloatSums

ALPHA = 0.05
"""How often a sequence misses the truth at most, at any of its looks."""

_CLOSE = 1e-8
"""Limits are outside the exact ones by so much at most."""


def share_at_any_look(
    hits: Counts | FloatSums, *, trials: Counts, drawn: int | None = None, alpha: float = ALPHA
) -> Interval:
    """`hits` of `trials` [N] of each image -> the share, and its interval of level 1 - `alpha` at any look.

    `drawn`: the trials of each image with those that do not count; by default the most that one has.

    >>> import numpy as np
    >>> found = share_at_any_look(np.array([2, 3, 0, 3]), trials=np.full(4, 3))
    >>> round(found.rate, 3), round(found.low, 3), round(found.high, 3)
    (0.667, 0.115, 0.979)
    """
    if not trials.sum():
        return Interval(rate=math.nan, low=0.0, high=1.0)
    z, x, images = _alike(hits, trials, drawn=drawn or int(trials.max()))
    rate = float(hits.sum() / trials.sum())

    q = _stakes(int(images.sum()))

    def money(share: float) -> float:
        return _log_mean(
            (1 - x) + np.outer(q, _over(z, share)) + np.outer(1 - q, _over(x - z, 1 - share)), images=images
        )

    low = _limit(money, inside=rate, outside=0.0, alpha=alpha) if rate > 0 else 0.0
    high = _limit(money, inside=rate, outside=1.0, alpha=alpha) if rate < 1 else 1.0
    return Interval(rate=rate, low=low, high=high)


def relative_at_any_look(hits: Counts, *, trials: Counts, clean: Counts, alpha: float = ALPHA) -> Interval:
    """`hits` of `trials`, and whether it is right when `clean` (1 or 0), int64 [N] of each image -> R, as `relative`.

    >>> import numpy as np
    >>> found = relative_at_any_look(np.full(200, 1), trials=np.full(200, 2), clean=np.ones(200, np.int64))
    >>> round(found.rate, 3), found.low < 0.5 < found.high
    (0.5, True)
    """
    right = trials * clean
    if not right.sum():
        return Interval(rate=math.nan, low=0.0, high=math.inf)
    z, x, images = _alike(hits, right, drawn=int(trials.max()))
    rate = float(hits.sum() / right.sum())

    q = _stakes(int(images.sum()))

    def money(ratio: float) -> float:
        return _log_mean(np.outer(q, _over(z, ratio) + 1 - x) + np.outer(1 - q, 1 - z + ratio * x), images=images)

    low = _limit(money, inside=rate, outside=0.0, alpha=alpha) if rate > 0 else 0.0
    beyond = max(2 * rate, 1.0)
    while money(beyond) < -math.log(alpha):
        beyond *= 2
    return Interval(rate=rate, low=low, high=_limit(money, inside=rate, outside=beyond, alpha=alpha))


def factor_at_any_look(protected: Counts, *, plain: Counts, trials: Counts, alpha: float = ALPHA) -> Interval:
    """Right answers `protected` and `plain` of `trials`, int64 [N] of each image -> their difference, as `factor`.

    >>> import numpy as np
    >>> found = factor_at_any_look(np.full(50, 3), plain=np.full(50, 2), trials=np.full(50, 4))
    >>> found.rate, found.low < 0.25 < found.high
    (0.25, True)
    """
    if not trials.sum():
        return Interval(rate=math.nan, low=-1.0, high=1.0)
    share = share_at_any_look((trials + protected - plain) / 2, trials=trials, alpha=alpha)
    rate = float((protected - plain).sum() / trials.sum())
    return Interval(rate=rate, low=min(rate, 2 * share.low - 1), high=max(rate, 2 * share.high - 1))


def _alike(hits: Counts | FloatSums, trials: Counts, *, drawn: int) -> tuple[FloatSums, FloatSums, FloatSums]:
    """Shares z and x of images that differ from each other, and how many images have them."""
    pairs, images = np.unique(np.stack([hits, trials], axis=1).astype(np.float64), axis=0, return_counts=True)
    return pairs[:, 0] / drawn, pairs[:, 1] / drawn, images.astype(np.float64)


def _over(values: FloatSums, share: float) -> FloatSums:
    """`values` over `share`; 0 where both are: the share that was seen is 0, and so is each image's."""
    return values / share if share else np.zeros_like(values)


def _log_mean(factors: FloatSums, *, images: FloatSums) -> float:
    """`factors` [stakes, images that differ] -> the logarithm of the mean over stakes of the product over images."""
    with np.errstate(divide="ignore"):  # a stake may lose all: the logarithm of 0
        logs = np.log(factors) @ images
    most = float(logs.max())
    return most + math.log(float(np.exp(logs - most).mean()))


def _stakes(images: int) -> FloatSums:
    """The nodes of Chebyshev in (0, 1): closer to each other than the product's peak for so many images is wide."""
    count = 8 + 4 * math.isqrt(images)
    nodes: FloatSums = (1 + np.cos((2 * np.arange(count) + 1) * math.pi / (2 * count))) / 2
    return nodes


def _limit(money: Callable[[float], float], *, inside: float, outside: float, alpha: float) -> float:
    """Where the logarithm of the money, below that of 1 / `alpha` `inside` and not `outside`, reaches it (Illinois)."""
    wanted = -math.log(alpha)
    below, above, last = money(inside) - wanted, math.inf, 0
    while abs(outside - inside) > _CLOSE * max(1.0, abs(outside)):
        middle = (inside + outside) / 2
        if math.isfinite(above):
            middle = outside - above * (outside - inside) / (above - below)
        if middle in (inside, outside):
            break
        found = money(middle) - wanted
        side = 1 if found >= 0 else -1
        if side > 0:
            outside, above, below = middle, found, below / 2 if last == side else below
        else:
            inside, below, above = middle, found, above / 2 if last == side else above
        last = side
    return outside
