"""Uniformity of vulnerability factors: Gini coefficient, test of equality, centre against edge of the image.

In image i protecting patch p gained d_pi right answers in m_i trials, the factor is F_p = sum d_pi / sum m_i. All
patches of an image share its unprotected runs and its trials each other's luck, so the images are the sample, as in
`factor`, and all that is said of them here holds whatever the patches and trials of one image share.

*All equal.* If all F_p are the same, the contrasts e_pi = d_pi - mean over patches have expectation 0 in each image,
and turning the signs of whole images changes nothing but luck. The statistic is the sum of squares of the F_p about
their mean, and p the share of random signs under which it is as large (the data themselves counted as one). Permuting
the patches within images would test more: that they are exchangeable, also in how they vary and go together. A Wald
test divides by a covariance matrix that has no inverse where few answers differ.

*Centre and edge.* The edge is the outermost ring of cells; the centre are the cells off that ring whose middle lies
inside the central half of height and width: 3 x 3 of 7 x 7, 6 x 6 of 14 x 14. The limits of a mean factor and of the
ratio of two are Fieller's (`relative`). As in `factor`, two images are added, one for either sign, of the size of those
that were seen to differ, among which count two in which a single patch makes the difference in all trials.
"""

from dataclasses import dataclass, replace
from typing import TypedDict, cast

import numpy as np
import numpy.typing as npt

from radhard.analysis.gini import gini
from radhard.analysis.intervals import Z_95, Interval
from radhard.analysis.relative import Counts, FloatSums, fieller
from radhard.errors import InputError

FEWEST = 5
"""How many images, on average over patches, must differ for a Gini coefficient to be told."""

_SIGNS = 4999
_CHUNK = 250


class BoundedRecord(TypedDict):
    """A value and its interval as JSON values; what is not known, or has no limit, is null."""

    rate: float | None
    low: float | None
    high: float | None


class UniformityRecord(TypedDict):
    """A `Uniformity` as JSON values; what is not known is null."""

    grid: list[int] | None
    images: int
    mean: BoundedRecord
    gini: BoundedRecord
    equal: float | None
    centre: BoundedRecord | None
    edge: BoundedRecord | None
    centre_to_edge: BoundedRecord | None
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class Uniformity:
    """Of the factors of several patches or layers, measured on `images`; intervals are of 95 %.

    `mean`, `centre`, `edge`: the mean factor of all, and of those patches of a `grid` (rows, columns), if it is one;
    `centre_to_edge`: the ratio of the latter.
    `gini`: 0 if all are equal; its `low` is 0 unless that is rejected at 5 %. `equal`: the p-value of "all equal".
    What cannot be told is NaN, a limit that there is not infinite; `notes` say why. Where it is not known that the edge
    is vulnerable at all, `centre_to_edge` has a lower limit, on the reading that no protection of the edge does harm.
    """

    grid: tuple[int, int] | None
    images: int
    mean: Interval
    gini: Interval
    equal: float
    centre: Interval | None
    edge: Interval | None
    centre_to_edge: Interval | None
    notes: tuple[str, ...]

    def as_dict(self) -> UniformityRecord:
        """The values as JSON; what is not known or has no limit is null."""
        found = {k: vars(v) if isinstance(v, Interval) else v for k, v in vars(self).items()}
        values = {k: {a: _json(b) for a, b in v.items()} if isinstance(v, dict) else _json(v) for k, v in found.items()}
        return cast("UniformityRecord", values)


def uniformity(
    part: Counts, *, whole: Counts, trials: Counts, seed: int, grid: tuple[int, int] | None = None
) -> Uniformity:
    """Right answers with a patch protected (`part` int64 [P, N], row by row) and with none (`whole` [N]) of `trials`.

    `grid`: rows, columns, of which P is the product; None for layers and other patches than those of a whole grid.
    InputError if it is not, or if no image was run.
    """
    count = len(part) if grid is None else grid[0] * grid[1]
    if count < 2 or part.shape != (count, len(trials)) or whole.shape != trials.shape:
        raise InputError(
            f"part {part.shape}, whole {whole.shape}, trials {trials.shape} do not fit each other"
            f"{'' if grid is None else f' and a grid of {grid[0]} x {grid[1]}'}: give two patches or more, "
            "[patches, images], [images] and [images]"
        )
    asked = trials > 0
    if not asked.any():
        raise InputError(f"none of {len(trials)} images was run in any trial: run some before asking for evenness")
    differences, m = (part - whole).T[asked], trials[asked]
    generator = np.random.Generator(np.random.Philox(seed))
    equal = _p_value(differences, generator=generator)
    mean = _mean(_group(differences, np.ones(count, np.bool_), m), m)
    uneven, why = _gini(differences, mean=mean, equal=equal, generator=generator)
    found = Uniformity(
        grid=grid,
        images=len(m),
        mean=mean,
        gini=uneven,
        equal=equal,
        centre=None,
        edge=None,
        centre_to_edge=None,
        notes=tuple(filter(None, (why,))),
    )
    if grid is None:
        return found
    centre, edge = (_group(differences, cells.ravel(), m) for cells in centre_and_edge(*grid))
    ratio, why_not = _ratio(centre, edge, trials=m)
    return replace(
        found,
        centre=_mean(centre, m),
        edge=_mean(edge, m),
        centre_to_edge=ratio,
        notes=tuple(filter(None, (why, why_not))),
    )


def centre_and_edge(rows: int, columns: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which cells are the centre and which the edge, bool [rows, columns] each."""
    # of n cells the middle of cell k is at (2 k + 1) / 2 n, inside the central half if |2 (2 k + 1) - 2 n| < n
    row, column = np.arange(rows)[:, None], np.arange(columns)
    inner = (abs(4 * row + 2 - 2 * rows) < rows) & (abs(4 * column + 2 - 2 * columns) < columns)
    edge = (row == 0) | (row == rows - 1) | (column == 0) | (column == columns - 1)
    return inner & ~edge, edge


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Of each image `gained`, float64 [N], the mean over cells of the difference; `added`: of the two images more."""

    gained: FloatSums
    added: float

    @property
    def sums(self) -> FloatSums:
        return np.concatenate([self.gained, [self.added, -self.added]])


def _group(differences: Counts, cells: npt.NDArray[np.bool_], trials: Counts) -> _Group:
    """`differences` [N, P] of the `cells` [P]."""
    y, size = differences[:, cells].sum(axis=1), max(1, int(cells.sum()))
    added = np.sqrt(((y**2).sum() + 2 * trials.mean() ** 2) / (np.count_nonzero(y) + 2))
    return _Group(gained=y / size if cells.any() else np.full(len(y), np.nan), added=float(added) / size)


def _mean(group: _Group, trials: Counts) -> Interval:
    """The mean factor of a group of cells; NaN, -1, 1 if it has none."""
    rate = float(group.gained.sum() / trials.sum())
    if np.isnan(rate):
        return Interval(rate=rate, low=-1.0, high=1.0)
    low, high = fieller(group.sums, np.concatenate([trials, np.full(2, trials.mean())]), z=Z_95)
    return Interval(rate=rate, low=min(rate, max(-1.0, low)), high=max(rate, min(1.0, high)))


def _p_value(differences: Counts, *, generator: np.random.Generator) -> float:
    """`differences` [N, P] -> how often images of random signs are as far from equal."""
    unequal = differences[differences.any(axis=1)].astype(np.float64)
    seen, as_far, done = _apart(unequal.sum(axis=0)), 1, 0
    while done < _SIGNS:
        more = min(_CHUNK, _SIGNS - done)
        signs = 2.0 * generator.integers(0, 2, size=(more, len(unequal)), dtype=np.int8) - 1.0
        as_far += int((_apart(signs @ unequal) >= seen).sum())
        done += more
    return as_far / (1 + _SIGNS)


def _apart(sums: FloatSums) -> FloatSums:
    """Whole numbers [..., P] -> P times their sum of squares about their mean, exactly."""
    found: FloatSums = sums.shape[-1] * (sums**2).sum(axis=-1) - sums.sum(axis=-1) ** 2
    return found


def _gini(
    differences: Counts, *, mean: Interval, equal: float, generator: np.random.Generator
) -> tuple[Interval, str | None]:
    unknown = Interval(rate=np.nan, low=0.0, high=np.inf)
    if mean.low <= 0:
        return unknown, "Gini: the mean factor is not clearly above 0, and nothing is there to be shared out"
    differ = np.count_nonzero(differences) / differences.shape[1]
    if differ < FEWEST:
        return unknown, f"Gini: {differ:.1f} images differ a patch, and below {FEWEST} its bias is not known"
    found = gini(differences, generator=generator)
    return (found if equal <= 0.05 else Interval(rate=found.rate, low=0.0, high=found.high)), None


def _ratio(centre: _Group, edge: _Group, *, trials: Counts) -> tuple[Interval, str | None]:
    unknown = Interval(rate=np.nan, low=-np.inf, high=np.inf)
    if np.isnan(centre.gained).any():
        return unknown, "centre to edge: the grid has no cell in the centre that is off the edge"
    # each varies in images of its own, too: those added to one are none to the other
    y = np.concatenate([centre.sums, [0.0, 0.0]])
    x = np.concatenate([edge.gained, [0.0, 0.0, edge.added, -edge.added]])
    if _mean(edge, trials).low > 0:
        low, high = fieller(y, x, z=Z_95)
        return Interval(rate=float(centre.gained.sum() / edge.gained.sum()), low=low, high=high), None
    if _mean(edge, trials).high < 0:
        return unknown, "centre to edge: the edge's factor is below 0"
    if _mean(centre, trials).low > 0:
        _, most = fieller(x, y, z=Z_95)  # edge over centre
        lowest = Interval(rate=np.nan, low=1 / most, high=np.inf)
        return lowest, "centre to edge: a lower limit only, since the edge's factor is not clearly above 0"
    return unknown, "centre to edge: neither factor is clearly above 0"


def _json(value: object) -> object:
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else None
    return list(value) if isinstance(value, tuple) else value
