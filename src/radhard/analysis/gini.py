"""The Gini coefficient of many vulnerability factors, with its bias from sampling noise removed.

    G = mean over all pairs of |F_p - F_q| / (2 mean F)

is 0 for equal factors and 1 - 1/P where one of P patches has it all; above 1 only where factors are negative. In it
the trials cancel: F_p is proportional to D_p = sum over images of the differences d_pi.

Estimates of equal factors differ, so G of the estimates is too large: at ten answers a patch 0.2 where the truth is 0.
How much noise there is, the images tell: E is the deviation of a bootstrap over images (all patches of an image
together, since they share its unprotected runs) from D. There are two ways to take it out.

1. By the variance. Between patches the D_p have the sum of squares S, and noise alone has the expected sum

       N = sum over images of (sum over patches of (d_pi - mean over patches)^2) - S / images

   so that S - N is unbiased for the truth. Shrinking the D_p towards their mean by sqrt(1 - N / S) gives an ensemble of
   the right variance (Louis, JASA 79, 1984), and multiplies G by as much. Right if truth and noise have like shapes;
   too large where a few patches have all: most of the noise is theirs, but most pairs are of others.
2. By extrapolation (Cook and Stefanski, JASA 89, 1994). More noise is added, of v = 1 and 3 times the variance, and
   G(v) = a + b sqrt(1 + v) + c (1 + v) is followed back to v = -1, where it is a. Pairs that are truly equal
   contribute to b, pairs far apart to a, in between to c. Right where patches are equal or far apart; too small where
   all differ by less than their noise.

The reliability 1 - N / S says which: it weighs 2, and the rest weighs 1. Simulated on flat, mildly uneven, smoothly
central and two-valued factors of 16 to 196 patches, 8 or more answers in each, the bias is at most 0.04 either way.

The interval is normal, with the standard deviation of 2 (the wider) over bootstrapped images. The truth in their world
is G of the estimates themselves, which are as far apart as the truth and its noise: near equality, too much. It covers
in 90 to 100 % of the studies simulated, least where mild unevenness drowns in noise.
"""

import numpy as np

from radhard.analysis.intervals import Z_95, Interval
from radhard.analysis.relative import Counts, FloatSums

_RESAMPLES = 400
_ADDITIONS = 40
# a of G(v) = a + b sqrt(1 + v) + c (1 + v) from G(0), G(1), G(3)
_BACK = np.linalg.inv(np.sqrt([[1.0, 1.0, 1.0], [1.0, 2.0, 4.0], [1.0, 4.0, 16.0]]))[0]


def gini(differences: Counts, *, generator: np.random.Generator) -> Interval:
    """`differences` int64 [N, P] of images and patches, whose sum is positive -> G and its 95 % interval."""
    images = len(differences)
    unequal = differences[differences.any(axis=1)].astype(np.float64)
    total = unequal.sum(axis=0)
    plain, scale = half_difference(total) / total.mean(), total.mean()
    again = _resampled(unequal, images=images, generator=generator)
    noise = again - total

    rows = np.broadcast_to(total, noise.shape)
    apart = plain + float(_extrapolated(rows, noise=noise, additions=1, plain=plain).mean()) / scale
    reliability = _reliability(unequal, images=images)
    rate = max(0.0, float((1 - reliability) * np.sqrt(reliability) * plain + reliability * apart))
    moved = _extrapolated(again, noise=noise, additions=_ADDITIONS, plain=plain) / scale
    half = Z_95 * float(moved.std())
    return Interval(rate=rate, low=max(0.0, rate - half), high=rate + half)


def half_difference(values: FloatSums) -> FloatSums:
    """float64 [..., P] -> [...], half the mean of |x_p - x_q| over all P^2 pairs."""
    patches = values.shape[-1]
    weights = 2 * np.arange(1, patches + 1) - patches - 1  # in how many pairs it is the larger, less the smaller
    found: FloatSums = np.sort(values, axis=-1) @ weights / patches**2
    return found


def _resampled(unequal: FloatSums, *, images: int, generator: np.random.Generator) -> FloatSums:
    """Sums over images drawn with replacement, [resamples, P]; those in which nothing differs are drawn as one."""
    chances = np.full(len(unequal) + 1, 1 / images)
    chances[-1] = 1 - len(unequal) / images
    drawn = generator.multinomial(images, chances.clip(0.0), size=_RESAMPLES)
    return drawn[:, :-1].astype(np.float64) @ unequal


def _reliability(unequal: FloatSums, *, images: int) -> float:
    """The share of the variance between patches that is not noise, in [0, 1]."""
    contrasts = unequal - unequal.mean(axis=1, keepdims=True)
    between = float((contrasts.sum(axis=0) ** 2).sum())
    if between == 0:
        return 0.0
    return max(0.0, 1 - (float((contrasts**2).sum()) - between / images) / between)


def _extrapolated(values: FloatSums, *, noise: FloatSums, additions: int, plain: float) -> FloatSums:
    """[resamples, P] -> how much further apart than `plain` they are without the noise of which `noise` are samples.

    To each row the noise of other rows is added, so many times. [resamples], in the units of the values: G - `plain`
    times the mean, to first order, so that a resample whose mean is near 0 does no harm.
    """

    def further(values: FloatSums) -> FloatSums:
        found: FloatSums = half_difference(values) - plain * values.mean(axis=-1)
        return found

    once, thrice = np.zeros(len(values)), np.zeros(len(values))
    for turn in range(1, additions + 1):
        first, second, third = (np.roll(noise, 3 * turn - place, axis=0) for place in range(3))
        once += further(values + first)
        thrice += further(values + first + second + third)
    found: FloatSums = _BACK @ np.stack([further(values), once / additions, thrice / additions])
    return found
