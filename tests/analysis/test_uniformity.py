"""Uniformity of a patch grid: by hand, by slow definitions, by enumeration, and by simulation on known truths."""

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from radhard.analysis.gini import gini, half_difference
from radhard.analysis.intervals import Z_95, Interval
from radhard.analysis.relative import Counts
from radhard.analysis.uniformity import FEWEST, Uniformity, centre_and_edge, uniformity
from radhard.errors import InputError

Floats = npt.NDArray[np.float64]


def gini_by_pairs(factors: list[float]) -> float:
    apart = sum(abs(a - b) for a in factors for b in factors) / len(factors) ** 2
    return apart / (2 * sum(factors) / len(factors))


def study(differences: Counts, *, grid: tuple[int, int], trials: Counts | int = 3, seed: int = 1) -> Uniformity:
    """`differences` [N, P] -> as if none was right without protection."""
    images = len(differences)
    whole = np.full(images, 5)
    m = np.full(images, trials) if isinstance(trials, int) else trials
    return uniformity(differences.T + whole, whole=whole, trials=m, grid=grid, seed=seed)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Images whose answers are lost in a share `lost` of trials, each image in its own (`alike` small: of its own).

    A lost answer is regained by protecting the one patch that is guilty, patch p with the chance `shares[p]`; or, with
    `near`, one of the neighbours of a place that each image has for itself. In a tenth of the cases some patch takes
    a right answer away.
    """

    shares: Floats
    images: int
    trials: int
    lost: float
    alike: float = 1.0
    near: bool = False

    @property
    def side(self) -> int:
        return math.isqrt(len(self.shares))

    @property
    def factors(self) -> Floats:
        found: Floats = self.lost * (self.shares / self.shares.sum() - 0.1 / len(self.shares))
        return found

    def sample(self, generator: np.random.Generator) -> Counts:
        patches = len(self.shares)
        found = np.zeros((self.images, patches), np.int64)
        chance = generator.beta(self.alike * self.lost, self.alike * (1 - self.lost), size=self.images)
        place = generator.integers(0, patches, size=self.images)
        each = np.arange(self.images)
        for _ in range(self.trials):
            lost = generator.random(self.images) < chance
            if self.near:  # on a torus, so that all are equal
                row = (place // self.side + generator.integers(0, 2, size=self.images)) % self.side
                guilty = row * self.side + (place + generator.integers(0, 2, size=self.images)) % self.side
            else:
                guilty = generator.choice(patches, p=self.shares / self.shares.sum(), size=self.images)
            found[each[lost], guilty[lost]] += 1
            harmed = lost & (generator.random(self.images) < 0.1)
            found[each[harmed], generator.integers(0, patches, size=self.images)[harmed]] -= 1
        return found


def flat(side: int) -> Floats:
    return np.ones(side * side)


def mild(side: int) -> Floats:
    row, column = np.indices((side, side))
    waves: Floats = (1 + 0.4 * np.sin(row + column)).ravel()
    return waves


def central(side: int) -> Floats:
    row, column = np.indices((side, side)) - (side - 1) / 2
    hill: Floats = np.exp(-8 * (row**2 + column**2) / side**2).ravel()
    return hill


def two_valued(side: int) -> Floats:
    return np.where(centre_and_edge(side, side)[0].ravel(), 1.0, 0.05)


# --- definitions ---


def test_half_the_mean_difference_is_that_of_all_pairs() -> None:
    generator = np.random.default_rng(3)
    values = generator.normal(size=(5, 9))
    for row, found in zip(values, half_difference(values), strict=True):
        pairs = [abs(a - b) for a in row for b in row]
        assert found == pytest.approx(sum(pairs) / len(pairs) / 2)
    assert half_difference(np.array([0.0, 0.0, 0.0, 4.0])) == pytest.approx(1 - 1 / 4)  # of a mean of 1


@pytest.mark.parametrize("values", [[2, 1, 0, 3], [0, 0, 0, 1], [5, 5, 5, 5], [3, -1, 1, 1]])
def test_where_images_agree_there_is_no_noise_to_take_out(values: list[int]) -> None:
    """All images gain the same, so that any resample is the same, too."""
    found = gini(np.tile(values, (50, 1)), generator=np.random.default_rng(1))
    assert found.rate == pytest.approx(gini_by_pairs([float(v) for v in values]))
    assert found.width == pytest.approx(0.0, abs=1e-12)


def test_luck_that_all_patches_share_leaves_their_proportions_known() -> None:
    """Some images gain three times as much as others, each patch its part of it."""
    scale = np.random.default_rng(6).choice([1, 3], size=200)
    found = gini(scale[:, None] * np.array([2, 1, 0, 3]), generator=np.random.default_rng(1))
    assert found.rate == pytest.approx(gini_by_pairs([2.0, 1.0, 0.0, 3.0]), rel=0.01)
    assert found.width < 1e-9


def test_which_cells_are_the_centre_and_which_the_edge() -> None:
    for rows, columns in itertools.product(range(1, 10), repeat=2):
        centre, edge = centre_and_edge(rows, columns)
        for row, column in itertools.product(range(rows), range(columns)):
            outside = min(row, column, rows - 1 - row, columns - 1 - column) == 0
            middles = Fraction(2 * row + 1, 2 * rows), Fraction(2 * column + 1, 2 * columns)
            inside = all(Fraction(1, 4) < middle < Fraction(3, 4) for middle in middles)
            assert edge[row, column] == outside
            assert centre[row, column] == (inside and not outside)
    assert centre_and_edge(7, 7)[0].sum() == 9
    assert centre_and_edge(14, 14)[0].sum() == 36
    assert centre_and_edge(14, 14)[1].sum() == 52


def test_a_small_grid_by_hand() -> None:
    """3 x 3: patch 4 is the centre, the others the edge. Twelve images in 2 trials: 24 gained in the centre, 24 off."""
    differences = np.zeros((12, 9), np.int64)
    differences[:, 4] = 2
    differences[:, 0] = [1, 3] * 6
    found = study(differences, grid=(3, 3), trials=2)
    assert (found.grid, found.images) == ((3, 3), 12)
    assert found.mean.rate == pytest.approx(48 / (9 * 24))
    assert found.centre.rate == pytest.approx(1.0)
    assert found.edge.rate == pytest.approx(24 / (8 * 24))
    assert found.centre_to_edge.rate == pytest.approx(8.0)
    for interval in (found.mean, found.centre, found.edge, found.centre_to_edge):
        assert interval.low < interval.rate <= interval.high


def test_an_image_that_was_not_run_counts_for_nothing() -> None:
    differences = Truth(shares=central(4), images=400, trials=3, lost=0.3).sample(np.random.default_rng(4))
    more = np.concatenate([differences, np.zeros((100, 16), np.int64)])
    trials = np.concatenate([np.full(400, 3), np.zeros(100, np.int64)])
    assert study(more, grid=(4, 4), trials=trials) == study(differences, grid=(4, 4))


def test_the_limits_are_where_the_definition_puts_them() -> None:
    """Of the mean factor and of the ratio: where |T| = z sqrt(V) over the images and those added, summed one by one."""
    truth = Truth(shares=central(5), images=300, trials=3, lost=0.3)
    generator = np.random.default_rng(7)
    differences = truth.sample(generator)
    trials = np.where(np.arange(300) < 100, 3, 4)
    mean = sum(trials.tolist()) / 300
    found = study(differences, grid=(5, 5), trials=trials)
    at = {name: np.flatnonzero(cells) for name, cells in zip("ce", centre_and_edge(5, 5), strict=True)}

    def cells(places: npt.NDArray[np.int64]) -> tuple[list[float], float]:
        """Each image's mean over cells, and the size of an added image."""
        sums = [sum(int(row[p]) for p in places) for row in differences]
        seen = [s for s in sums if s]
        size = math.sqrt((sum(s * s for s in seen) + 2 * mean**2) / (len(seen) + 2))
        return [s / len(places) for s in sums], size / len(places)

    def distance(pairs: list[tuple[float, float]], limit: float) -> float:
        differing = [y - limit * x for y, x in pairs]
        return abs(sum(differing)) / math.sqrt(sum(d * d for d in differing))

    (c, more_c), (e, more_e) = cells(at["c"]), cells(at["e"])
    everything, more = cells(np.arange(25))
    means = [*zip(everything, trials.tolist(), strict=True), (more, mean), (-more, mean)]
    ratio = [*zip(c, e, strict=True), (more_c, 0.0), (-more_c, 0.0), (0.0, more_e), (0.0, -more_e)]
    for pairs, interval in ((means, found.mean), (ratio, found.centre_to_edge)):
        assert distance(pairs, interval.low) == pytest.approx(Z_95)
        assert distance(pairs, interval.high) == pytest.approx(Z_95)
        assert distance(pairs, interval.rate) < Z_95


def test_the_p_value_is_the_share_of_all_signs() -> None:
    """Ten images differ: all 1,024 ways to turn their signs, one by one. 4 standard errors of 4,999 draws are 0.028."""
    generator = np.random.default_rng(8)
    differences = generator.integers(-1, 3, size=(10, 4)) + np.array([0, 0, 0, 1])

    def apart(rows: list[tuple[int, ...]]) -> Fraction:
        sums = [sum(column) for column in zip(*rows, strict=True)]
        return Fraction(sum((s - Fraction(sum(sums), 4)) ** 2 for s in sums))

    rows = [tuple(row) for row in differences.tolist()]
    seen = apart(rows)
    as_far = [
        apart([tuple(sign * d for d in row) for sign, row in zip(signs, rows, strict=True)]) >= seen
        for signs in itertools.product((-1, 1), repeat=10)
    ]
    exact = sum(as_far) / len(as_far)
    assert 0.01 < exact < 0.6
    assert study(differences, grid=(2, 2)).equal == pytest.approx(exact, abs=0.028)


def test_a_seed_gives_the_same_and_another_nearly_so() -> None:
    differences = Truth(shares=mild(4), images=1000, trials=3, lost=0.2).sample(np.random.default_rng(5))
    one, again, other = (study(differences, grid=(4, 4), seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one.gini != other.gini
    assert one.gini.rate == pytest.approx(other.gini.rate, abs=0.02)
    assert one.gini.high == pytest.approx(other.gini.high, abs=0.04)


# --- what cannot be told ---


def reasons(found: Uniformity) -> str:
    return "\n".join(found.notes)


def test_nothing_gained_is_not_shared_out() -> None:
    found = study(np.zeros((300, 9), np.int64), grid=(3, 3))
    assert found.equal == 1.0
    assert found.mean.rate == 0.0
    assert found.mean.low < 0 < found.mean.high < 0.01
    assert math.isnan(found.gini.rate)
    assert (found.gini.low, found.gini.high) == (0.0, math.inf)
    assert math.isnan(found.centre_to_edge.rate)
    assert (found.centre_to_edge.low, found.centre_to_edge.high) == (-math.inf, math.inf)
    assert "not clearly above 0" in reasons(found)
    assert "neither factor" in reasons(found)


def test_a_mean_that_may_be_negative_has_no_gini() -> None:
    differences = np.zeros((400, 9), np.int64)
    differences[:60, 0], differences[60:110, 1] = 1, -1
    found = study(differences, grid=(3, 3))
    assert math.isnan(found.gini.rate)
    assert found.equal < 0.01  # and yet the patches are not all the same


def test_too_few_answers_have_no_gini() -> None:
    truth = Truth(shares=central(7), images=500, trials=2, lost=0.1)
    found = study(truth.sample(np.random.default_rng(2)), grid=(7, 7), trials=2)
    assert math.isnan(found.gini.rate)
    assert f"below {FEWEST} its bias is not known" in reasons(found)
    assert found.mean.low > 0


def test_an_edge_that_may_be_invulnerable_bounds_the_ratio_from_below() -> None:
    differences = np.zeros((500, 25), np.int64)
    differences[:150, 12] = 1
    found = study(differences, grid=(5, 5))
    assert math.isnan(found.centre_to_edge.rate)
    assert found.centre_to_edge.high == math.inf
    # Edge over centre at most z sqrt(2) added / gained: 3 trials in one of 16 cells, against 150 in one of 1
    centre = centre_and_edge(5, 5)[0].sum()
    most = Z_95 * math.sqrt(2) * (3 / 16) / (150 / centre)
    assert 1 / found.centre_to_edge.low == pytest.approx(most, rel=0.05)
    assert "a lower limit only" in reasons(found)


def test_an_edge_that_protection_harms_has_no_ratio() -> None:
    differences = np.zeros((500, 9), np.int64)
    differences[:200, 4], differences[200:300, 0] = 1, -1
    found = study(differences, grid=(3, 3))
    assert found.edge.high < 0
    assert (found.centre_to_edge.low, found.centre_to_edge.high) == (-math.inf, math.inf)
    assert "the edge's factor is below 0" in reasons(found)


@pytest.mark.parametrize("grid", [(1, 6), (2, 3), (6, 1)])
def test_a_grid_may_have_no_centre(grid: tuple[int, int]) -> None:
    found = study(np.ones((40, 6), np.int64), grid=grid)
    assert math.isnan(found.centre.rate)
    assert (found.centre.low, found.centre.high) == (-1.0, 1.0)
    assert math.isnan(found.centre_to_edge.rate)
    assert "no cell in the centre" in reasons(found)
    assert found.edge.rate == pytest.approx(1 / 3)


def test_what_is_not_known_is_null() -> None:
    record = json.loads(json.dumps(study(np.zeros((9, 4), np.int64), grid=(2, 2)).as_dict(), allow_nan=False))
    assert record["gini"] == {"rate": None, "low": 0.0, "high": None}
    assert record["centre"] == {"rate": None, "low": -1.0, "high": 1.0}
    assert (record["grid"], record["images"], record["equal"]) == ([2, 2], 9, 1.0)
    assert len(record["notes"]) == 2


def test_what_does_not_fit_is_refused() -> None:
    some = np.ones((6, 10), np.int64)
    trials = np.ones(10, np.int64)
    calls: list[Callable[[], Uniformity]] = [
        lambda: uniformity(some, whole=trials, trials=trials, grid=(2, 2), seed=1),
        lambda: uniformity(some, whole=trials[:9], trials=trials, grid=(2, 3), seed=1),
        lambda: uniformity(some, whole=trials, trials=trials[:9], grid=(2, 3), seed=1),
        lambda: uniformity(some[:1], whole=trials, trials=trials, grid=(1, 1), seed=1),
    ]
    for call in calls:
        with pytest.raises(InputError, match="do not fit each other"):
            call()
    with pytest.raises(InputError, match="none of 10 images was run"):
        uniformity(some, whole=trials, trials=np.zeros(10, np.int64), grid=(2, 3), seed=1)


# --- simulation ---


def simulated(truth: Truth, *, studies: int, seed: int) -> list[tuple[Counts, Uniformity]]:
    generator = np.random.default_rng(seed)
    samples = [truth.sample(generator) for _ in range(studies)]
    side = truth.side
    return [(d, study(d, grid=(side, side), trials=truth.trials, seed=n)) for n, d in enumerate(samples)]


def test_equal_patches_are_found_equal() -> None:
    """100 studies of 16 equal patches, about 20 answers each. 3 standard errors of a share of 5 % are 6.5 %."""
    found = simulated(Truth(shares=flat(4), images=600, trials=3, lost=0.2), studies=100, seed=11)
    plain = [gini_by_pairs([float(d) for d in differences.sum(axis=0)]) for differences, _ in found]
    assert np.mean([e.equal <= 0.05 for _, e in found]) <= 0.115
    assert np.mean([e.equal <= 0.5 for _, e in found]) > 0.3  # nor is the test blind
    assert np.mean(plain) > 0.12  # what the correction is for
    assert np.mean([e.gini.rate for _, e in found]) < 0.05
    assert np.mean([e.gini.low == 0 for _, e in found]) >= 0.885
    within = [differing_by_luck_alone(differences) for differences, _ in found]
    assert 20 < sum(within) < 80
    assert all(e.gini.rate == 0 for (_, e), luck in zip(found, within, strict=True) if luck)


def differing_by_luck_alone(differences: Counts) -> bool:
    """Whether sums are no further from each other than the variance between images makes them."""
    contrasts = [[d - sum(row) / len(row) for d in row] for row in differences.tolist()]
    columns = list(zip(*contrasts, strict=True))
    noise = sum(len(column) * float(np.var(column)) for column in columns)
    return sum(sum(column) ** 2 for column in columns) <= noise


def test_the_limits_of_gini_agree_with_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patches that may be equal are not said to be uneven, whatever the interval by itself would say."""
    said = Interval(rate=0.2, low=0.1, high=0.3)
    monkeypatch.setattr("radhard.analysis.uniformity.gini", lambda *_, **__: said)
    for shares, low in ((flat(5), 0.0), (central(5), 0.1)):
        truth = Truth(shares=shares, images=800, trials=3, lost=0.2)
        found = study(truth.sample(np.random.default_rng(1)), grid=(5, 5))
        assert (found.equal > 0.05) == (low == 0)
        assert found.gini == Interval(rate=0.2, low=low, high=0.3)


@pytest.mark.parametrize("shares", [central, two_valued], ids=["central", "two-valued"])
def test_uneven_patches_are_found_as_uneven_as_they_are(shares: Callable[[int], Floats]) -> None:
    """50 studies of 25 patches."""
    truth = Truth(shares=shares(5), images=1200, trials=3, lost=0.2)
    found = [e for _, e in simulated(truth, studies=50, seed=12)]
    known = gini_by_pairs(truth.factors.tolist())
    assert np.mean([e.gini.rate for e in found]) == pytest.approx(known, abs=0.04)
    assert np.mean([e.gini.low <= known <= e.gini.high for e in found]) >= 0.88
    assert np.mean([e.gini.width for e in found]) < 0.3
    assert np.mean([e.equal <= 0.05 for e in found]) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("near", [False, True], ids=["apart", "in clumps"])
@pytest.mark.parametrize("side", [4, 7, 14])
@pytest.mark.parametrize(
    ("images", "lost", "alike"), [(300, 0.03, 1e4), (500, 0.1, 0.5), (2000, 0.15, 1.0)], ids=["few", "some", "many"]
)
def test_the_level_of_the_test_of_all_equal(near: bool, side: int, images: int, lost: float, alike: float) -> None:
    """200 studies. 3 standard errors of a share of 5 % are 4.6 %."""
    truth = Truth(shares=flat(side), images=images, trials=3, lost=lost, alike=alike, near=near)
    rejected = np.mean([e.equal <= 0.05 for _, e in simulated(truth, studies=200, seed=13)])
    assert rejected <= 0.096


@pytest.mark.slow
@pytest.mark.parametrize("side", [4, 7])
@pytest.mark.parametrize("shares", [flat, mild, central, two_valued])
def test_the_intervals_cover(shares: Callable[[int], Floats], side: int) -> None:
    """200 studies. 3 standard errors of a share of 95 % are 4.6 %."""
    truth = Truth(shares=shares(side), images=1500, trials=3, lost=0.15)
    found = [e for _, e in simulated(truth, studies=200, seed=14)]
    factors = truth.factors
    known = gini_by_pairs(factors.tolist())
    centre, edge = (factors[cells.ravel()].mean() for cells in centre_and_edge(side, side))
    assert abs(np.mean([e.gini.rate for e in found]) - known) < 0.04
    assert np.mean([e.gini.low <= known + 1e-9 and known <= e.gini.high for e in found]) >= 0.88
    assert np.mean([e.mean.low <= factors.mean() <= e.mean.high for e in found]) >= 0.904
    assert np.mean([e.centre.low <= centre <= e.centre.high for e in found]) >= 0.904
    assert np.mean([e.edge.low <= edge <= e.edge.high for e in found]) >= 0.904
    assert np.mean([e.centre_to_edge.low <= centre / edge <= e.centre_to_edge.high for e in found]) >= 0.904
