"""The interval of a vulnerability factor: by hand, by its definition, and by simulation on known truths."""

import math

import numpy as np
import pytest

from radhard.analysis.factor import factor, simultaneous_z, unpaired_ratio
from radhard.analysis.intervals import Z_95
from radhard.analysis.relative import Counts


def counts(*values: int) -> Counts:
    return np.array(values, dtype=np.int64)


def test_the_factor_by_hand() -> None:
    """Four images in 2 trials each: 6 right when protected, 3 when not, of 8."""
    found = factor(counts(2, 2, 1, 1), plain=counts(1, 0, 2, 0), trials=np.full(4, 2))
    assert found.rate == pytest.approx(3 / 8)
    assert -1 <= found.low < 3 / 8 < found.high <= 1
    unequal = factor(counts(3, 0, 1), plain=counts(1, 0, 0), trials=counts(3, 0, 1))
    assert unequal.rate == pytest.approx(3 / 4)  # an image that was not run counts for nothing


def test_the_limits_are_where_the_definition_puts_them() -> None:
    generator = np.random.default_rng(5)
    trials = np.where(np.arange(150) < 60, 3, 2)
    plain = generator.binomial(trials, 0.6)
    protected = np.minimum(trials, plain + generator.binomial(1, 0.2, size=150))
    found = factor(protected, plain=plain, trials=trials)

    def distance(truth: float) -> float:
        mean = sum(trials.tolist()) / 150
        seen = [int(a - b) for a, b in zip(protected, plain, strict=True) if a != b]
        size = math.sqrt((sum(d * d for d in seen) + 2 * mean**2) / (len(seen) + 2))
        sums = [(a - b, m) for a, b, m in zip(protected, plain, trials, strict=True)] + [(size, mean), (-size, mean)]
        differences = [d - truth * m for d, m in sums]
        return abs(sum(differences)) / math.sqrt(sum(d * d for d in differences))

    assert distance(found.low) == pytest.approx(Z_95)
    assert distance(found.high) == pytest.approx(Z_95)
    assert found.low < found.rate < found.high


def test_no_difference_seen_is_not_no_difference() -> None:
    same = np.repeat([3, 0], [300, 200])
    found = factor(same, plain=same, trials=np.full(500, 3))
    assert found.rate == 0.0
    # By hand: over 502 images, of which two differ, one each way, |502 F| = z sqrt(2) to first order
    assert found.high == pytest.approx(Z_95 * math.sqrt(2) / 502, rel=0.02)
    assert found.low == pytest.approx(-found.high)


def test_what_cannot_be_known_is_told() -> None:
    nothing = factor(counts(0, 0), plain=counts(0, 0), trials=counts(0, 0))
    assert math.isnan(nothing.rate)
    assert (nothing.low, nothing.high) == (-1.0, 1.0)
    assert math.isnan(unpaired_ratio(counts(0), plain=counts(0), trials=counts(0)))
    one = factor(counts(1), plain=counts(0), trials=counts(1))
    assert (one.rate, one.low, one.high) == (1.0, -1.0, 1.0)


def differences(
    generator: np.random.Generator, *, gained: float, lost: float, alike: float, images: int, trials: int
) -> tuple[Counts, Counts]:
    """(protected, plain) of images that differ in how often protection mends (`gained`) or breaks (`lost`) an answer.

    `alike` small: an image's trials are nearly all the same; large: independent. On average gained - lost is the truth.
    """
    both = (1 - gained - lost) * 0.7  # right in either
    chances = generator.dirichlet(alike * np.array([gained, lost, both, 1 - gained - lost - both]), size=images)
    cells = generator.multinomial(trials, chances)
    return cells[:, 0] + cells[:, 2], cells[:, 1] + cells[:, 2]


@pytest.mark.parametrize(
    ("gained", "lost", "alike"),
    [
        (0.001, 0.0005, 0.3),
        (0.008, 0.004, 0.3),
        (0.03, 0.01, 0.5),
        (0.03, 0.01, 1e4),
        (0.1, 0.02, 1.0),
        (0.3, 0.05, 5.0),
    ],
    ids=["none", "few", "some, alike", "some", "a tenth", "a third"],
)
def test_95_of_100_simulated_intervals_cover(gained: float, lost: float, alike: float) -> None:
    """1,000 studies of 300 images x 4 trials. The standard error of a share of 95 % is 0.7 %."""
    generator = np.random.default_rng(41)
    trials, truth = np.full(300, 4), gained - lost
    covered = blind = naive = 0
    for _ in range(1000):
        protected, plain = differences(generator, gained=gained, lost=lost, alike=alike, images=300, trials=4)
        found = factor(protected, plain=plain, trials=trials)
        covered += found.low <= truth <= found.high
        d = protected - plain - truth * trials
        blind += bool(d.sum() ** 2 <= Z_95**2 * (d @ d))  # without the two images
        rates = (np.abs(protected - plain).sum() / 1200, (protected - plain).sum() / 1200)
        naive += abs(rates[1] - truth) <= Z_95 * math.sqrt(max(0.0, rates[0] - rates[1] ** 2) / 1200)
    assert covered / 1000 >= 0.93
    if gained >= 0.03:
        assert covered / 1000 <= 0.975  # nor too wide, where some answers differ
    if gained < 0.002:
        assert blind / 1000 < 0.8  # what the two images are for
    if gained >= 0.03 and alike <= 1:
        assert naive / 1000 < 0.92  # what the clusters are for


def test_simultaneous_intervals_cover_all_at_once() -> None:
    """400 studies of 12 components that share the unprotected runs: all 12 covered in 95 % or more."""
    generator = np.random.default_rng(43)
    z, gains = simultaneous_z(12), np.linspace(0.005, 0.12, 12)
    together = alone = 0
    for _ in range(400):
        chance = generator.beta(3.0, 2.0, size=300)  # of the unprotected answer to be right
        trials = np.full(300, 3)
        plain = generator.binomial(3, chance)
        inside = []
        for gain in gains:  # each mends an own share of the wrong answers: gain = share x mean of 1 - chance
            protected = plain + generator.binomial(3 - plain, gain / 0.4)
            found = factor(protected, plain=plain, trials=trials, z=z)
            narrow = factor(protected, plain=plain, trials=trials)
            assert found.low <= narrow.low <= narrow.high <= found.high
            inside.append((found.low <= gain <= found.high, narrow.low <= gain <= narrow.high))
        together += all(wide for wide, _ in inside)
        alone += all(each for _, each in inside)
    assert together / 400 >= 0.92
    assert alone / 400 < 0.9  # what the correction is for


def test_simultaneous_quantiles() -> None:
    assert simultaneous_z(1) == pytest.approx(Z_95)
    assert simultaneous_z(10) == pytest.approx(2.807034, abs=1e-6)  # the quantile at 0.9975


def test_an_unpaired_design_needs_as_many_more_as_its_intervals_are_wider() -> None:
    """Its spread, seen: protected and plain answers of 1,000 independent pairs of studies."""
    generator = np.random.default_rng(47)
    paired, unpaired, told = [], [], []
    for _ in range(1000):
        here = differences(generator, gained=0.06, lost=0.02, alike=2.0, images=200, trials=3)
        there = differences(generator, gained=0.06, lost=0.02, alike=2.0, images=200, trials=3)
        paired.append((here[0] - here[1]).sum() / 600)
        unpaired.append((here[0] - there[1]).sum() / 600)
        told.append(unpaired_ratio(here[0], plain=here[1], trials=np.full(200, 3)))
    assert np.median(told) == pytest.approx(np.var(unpaired) / np.var(paired), rel=0.2)
    assert np.median(told) > 3
