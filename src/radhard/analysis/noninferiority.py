"""The one-sided confidence limit of an accuracy loss between two runs on the same images.

Of n images, b are right in the first run alone and c in the second alone; the loss is (b - c) / n. A target "at most D
is lost" is met if the hypothesis "D or more is lost" is rejected: a test of non-inferiority with margin D on matched
pairs. Few answers differ, so normal limits are wrong just where it matters: of 117 images under a true loss of 2 points
none differs in one study of eleven, and a normal 95 % limit calls each of these studies a proof.

So the test is exact. Outcomes are ordered by the score statistic of Tango (Statistics in Medicine 17, 1998), and the
p-value is the greatest probability, over all shares of differing answers, of an outcome as favourable or more (Hsueh,
Liu and Chen, Biometrics 57, 2001). At 95 %, shares of differing answers are those of their 99.9 % interval, whose 0.1 %
is added (Berger and Boos, JASA 89, 1994). The limit is the least margin that is rejected. If nothing differs, it is
about 1 - 0.05^(1/n).

Images are the sample. In several trials an image counts by its effective number of answers, as for rates (`intervals`):
differences and n are scaled to it, rounded so that the limit can only rise.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from radhard.errors import InputError

LEVEL = 0.95
"""The confidence of a one-sided limit, unless another is asked for."""
MOST = 0.99999
"""The greatest confidence: beyond it, what is summed is no longer certain."""

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_APART = 0.02  # Berger and Boos: the shares of differing answers that are not looked at, as a part of the error
_GRID = 65
_CLOSE = 1e-5  # of a limit
_FAR = 1_000_000  # images: as good as infinitely many
_NEGLIGIBLE = 1e-10  # probability beyond the numbers of differing answers that are summed


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Of `n` independent pairs of answers, `lost` are right in the first run alone, `gained` in the second alone."""

    lost: int
    gained: int
    n: int

    def __post_init__(self) -> None:
        if min(self.lost, self.gained, self.n) < 0 or self.lost + self.gained > self.n:
            raise InputError(f"{self.lost} lost and {self.gained} gained of {self.n}: give counts of as many answers")

    @property
    def reversed(self) -> "Differences":
        """The two runs exchanged."""
        return Differences(lost=self.gained, gained=self.lost, n=self.n)


def differences(first: Counts, second: Counts, *, trials: Counts) -> Differences:
    """Right answers of two runs in as many `trials`, int64 [N] of each image -> what differs, at the effective size."""
    asked = trials > 0
    d, m = (first - second)[asked].astype(np.float64), trials[asked].astype(np.float64)
    images, answers = len(m), float(m.sum())
    if not images:
        return Differences(lost=0, gained=0, n=0)
    lost, gained = float(d[d > 0].sum()), float(-d[d < 0].sum())
    loss = (lost - gained) / answers
    independent = (lost + gained) / answers - loss**2  # the variance of an answer's difference, were all independent
    between = float(((d - loss * m) ** 2).sum())
    size = float(images) if between == 0 else min(max(independent * answers**2 / between, images), answers)
    share = size / answers
    n = math.floor(size + 1e-9)
    worse = min(n, math.ceil(lost * share - 1e-9))
    return Differences(lost=worse, gained=min(n - worse, math.floor(gained * share + 1e-9)), n=n)


@lru_cache(maxsize=1024)
def upper_limit(of: Differences, *, level: float = LEVEL) -> float:
    """The one-sided upper limit of the loss, in [-1, 1]: it is surely no more. 1 of no answer."""
    _check_level(level)
    if not of.n:
        return 1.0
    # the loss is below every margin that is rejected
    low, high = (of.lost - of.gained) / of.n, 1.0
    if low >= 1.0:
        return 1.0
    while high - low > _CLOSE:
        middle = (low + high) / 2
        if p_value(of, margin=middle, level=level) <= 1 - level:
            high = middle
        else:
            low = middle
    return high


def lower_limit(of: Differences, *, level: float = LEVEL) -> float:
    """The one-sided lower limit of the loss, in [-1, 1]: it is surely no less. -1 of no answer."""
    return -upper_limit(of.reversed, level=level)


def p_value(of: Differences, *, margin: float, level: float = LEVEL) -> float:
    """The greatest probability of an outcome as favourable as this or more, if `margin` in (-1, 1) is lost.

    It is compared with 1 - `level`.
    """
    from scipy.stats import beta, binom  # a second to import

    n, differing, apart = of.n, of.lost + of.gained, _APART * (1 - level)
    low = beta.ppf(apart / 2, differing, n - differing + 1) if differing else 0.0
    high = beta.ppf(1 - apart / 2, differing + 1, n - differing) if differing < n else 1.0
    low, high = max(low, abs(margin)), max(high, abs(margin))  # fewer cannot differ under this margin
    shares = np.linspace(low, high, _GRID)[:, None]
    s = np.arange(binom.ppf(_NEGLIGIBLE, n, low), binom.isf(_NEGLIGIBLE, n, high) + 1)
    most = _most_lost(s, n=n, margin=margin, at=float(_score(of.lost, of.gained, n=n, margin=margin)))
    with np.errstate(invalid="ignore"):
        of_differing = np.where(shares > 0, (shares + margin) / (2 * shares), 0.5).clip(0.0, 1.0)
    found = (binom.pmf(s, n, shares) * np.where(most >= 0, binom.cdf(most, s, of_differing), 0.0)).sum(axis=1)
    return min(1.0, float(found.max()) + apart + 2 * _NEGLIGIBLE)


def images_needed(margin: float, *, level: float = LEVEL, loss: float = 0.0, differing: float = 0.0) -> float:
    """How many images show that at most `margin` is lost, if `loss` is and a share `differing` of the answers differs.

    By the normal approximation, for an even chance; at least as many as it takes when no answer differs at all.
    Infinite where the loss is not below the margin.
    """
    _check_level(level)
    if not 0 < margin < 1:
        raise InputError(f"a margin of {margin:g} is not between 0 and 1")
    if loss >= margin:
        return math.inf
    least = math.log((1 - level) * (1 - _APART)) / math.log1p(-margin)
    z = NormalDist().inv_cdf(level)
    return math.ceil(max(least, z * z * max(0.0, max(differing, abs(loss)) - loss**2) / (margin - loss) ** 2))


def images_to_tell(of: Differences, *, margin: float, level: float = LEVEL) -> float:
    """How many images would show that less than `margin` is lost, if all goes on as on these; infinite if it is not."""
    if not of.n or (of.lost - of.gained) / of.n >= margin:
        return math.inf

    def shown(n: int) -> bool:
        lost, gained = math.ceil(of.lost * n / of.n), math.floor(of.gained * n / of.n)
        found = Differences(lost=lost, gained=gained, n=n)
        return (lost - gained) / n < margin and p_value(found, margin=margin, level=level) <= 1 - level

    low, high = 0, of.n
    while not shown(high):
        low, high = high, 2 * high
        if high > _FAR:
            return math.inf
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high


def _score(lost: Floats | int, gained: Floats | int, *, n: int, margin: float) -> Floats:
    """Tango's statistic of the hypothesis that `margin` is lost: low where less is."""
    b, c = np.asarray(lost, np.float64), np.asarray(gained, np.float64)
    # the share of the rarer kind of difference that is most likely under the margin
    size, rare, common = abs(margin), *((c, b) if margin >= 0 else (b, c))
    linear = -b - c + (2 * n - common + rare) * size
    share = (np.sqrt(linear**2 + 8 * n * rare * size * (1 - size)) - linear) / (4 * n)
    variance = n * (2 * share + size * (1 - size))
    excess = b - c - n * margin
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(excess) < 1e-12, 0.0, excess / np.sqrt(variance))


def _most_lost(s: Floats, *, n: int, margin: float, at: float) -> Floats:
    """Of `s` differing answers [S], how many are lost at most if the statistic is no greater than `at`; -1 if none."""
    low, high = np.full_like(s, -1.0), s.copy()
    while (open_ := low < high).any():  # the statistic rises with what is lost
        middle = np.ceil((low + high) / 2).clip(0)
        fits = _score(middle, s - middle, n=n, margin=margin) <= at + 1e-9
        low, high = np.where(open_ & fits, middle, low), np.where(open_ & ~fits, middle - 1, high)
    return low


def _check_level(level: float) -> None:
    if not 0.5 < level <= MOST:
        raise InputError(f"a level of {level:g} is not that of a limit; give one above 0.5, at most {MOST:g}")
