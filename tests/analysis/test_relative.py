"""The interval of relative accuracy: by hand, by its definition, and by simulation."""

import math
from dataclasses import replace

import numpy as np
import pytest

from radhard.analysis.curve import point
from radhard.analysis.intervals import Z_95, clustered
from radhard.analysis.relative import Counts, relative
from radhard.campaign.counted import Counted
from radhard.campaign.outcomes import Tally
from tests.support.campaigns import setting


def test_the_ratio_by_hand() -> None:
    """Three of four images are right when clean, in 2 trials each: 5 right answers with faults over 6."""
    interval = relative(np.array([2, 1, 1, 1]), trials=np.full(4, 2), clean=np.array([1, 1, 1, 0]))
    assert interval.rate == pytest.approx(5 / 6)
    unequal = relative(np.array([3, 0, 1]), trials=np.array([3, 1, 1]), clean=np.array([1, 1, 0]))
    assert unequal.rate == pytest.approx(4 / 4)  # clean answers weigh as often as their images were run


def test_the_limits_are_where_the_definition_puts_them() -> None:
    """Where |T(R)| = z sqrt(V(R)), summed image by image over the data and the two images added."""
    generator = np.random.default_rng(3)
    clean = generator.binomial(1, 0.8, size=200)
    trials = np.where(np.arange(200) < 80, 3, 2)
    hits = generator.binomial(trials, np.where(clean == 1, 0.6, 0.1))
    interval = relative(hits, trials=trials, clean=clean)

    def distance(ratio: float) -> float:
        mean = sum(trials.tolist()) / 200
        pairs = [(y, m * c) for y, m, c in zip(hits, trials, clean, strict=True)] + [(mean, 0.0), (0.0, mean)]
        differences = [y - ratio * x for y, x in pairs]
        return abs(sum(differences)) / math.sqrt(sum(d * d for d in differences))

    assert distance(interval.low) == pytest.approx(Z_95)
    assert distance(interval.high) == pytest.approx(Z_95)
    assert interval.low < interval.rate < interval.high
    assert distance(interval.rate) < Z_95


def test_no_difference_seen_is_not_no_difference() -> None:
    clean = np.repeat([1, 0], [450, 50])
    interval = relative(5 * clean, trials=np.full(500, 5), clean=clean)
    assert interval.rate == 1.0
    # By hand at 450 images: R = 1 -+ h with (450 h)^2 = z^2 2, to first order
    assert interval.high - 1 == pytest.approx(Z_95 * math.sqrt(2) / 450, rel=0.02)
    assert 1 - interval.low == pytest.approx(Z_95 * math.sqrt(2) / 450, rel=0.02)


def test_what_cannot_be_known_is_told() -> None:
    nothing = relative(np.zeros(3, np.int64), trials=np.zeros(3, np.int64), clean=np.ones(3, np.int64))
    wrong = relative(np.ones(3, np.int64), trials=np.ones(3, np.int64), clean=np.zeros(3, np.int64))
    for interval in (nothing, wrong):
        assert math.isnan(interval.rate)
        assert (interval.low, interval.high) == (0.0, math.inf)
    few = relative(np.array([1, 0]), trials=np.array([1, 1]), clean=np.array([1, 0]))
    assert (few.rate, few.low, few.high) == (1.0, 0.0, math.inf)


@pytest.mark.parametrize(
    ("broken", "mended", "alike"),
    [
        (0.0005, 0.0005, 0.3),
        (0.005, 0.003, 0.3),
        (0.03, 0.05, 0.5),
        (0.5, 0.06, 1.0),
        (0.5, 0.06, 1e6),
        (0.89, 0.1, 5.0),
    ],
    ids=["intact", "nearly", "a little", "half", "half, images alike", "collapsed"],
)
def test_95_of_100_simulated_intervals_cover(broken: float, mended: float, alike: float) -> None:
    """1,000 sweeps of 400 images x 5 trials, 90 % right when clean. 4 standard errors are 0.028.

    Of right answers the share `broken` is lost, of wrong ones `mended` is right; each image has a share of its own.
    """
    generator = np.random.default_rng(22)
    truth = (0.9 * (1 - broken) + 0.1 * mended) / 0.9
    trials = np.full(400, 5)
    covered = blind = 0
    for _ in range(1000):
        clean = generator.binomial(1, 0.9, size=400)
        mean = np.where(clean == 1, 1 - broken, mended)
        hits = generator.binomial(5, generator.beta(alike * mean, alike * (1 - mean)))
        interval = relative(hits, trials=trials, clean=clean)
        covered += interval.low <= truth <= interval.high
        blind += _without_the_added_images_covers(hits, 5 * clean, truth)
    assert covered / 1000 >= 0.93
    if broken < 0.001:
        assert blind / 1000 < 0.5  # what the two images are for
    elif broken >= 0.03:
        assert covered / 1000 <= 0.98  # nor too wide, where some answers differ


def _without_the_added_images_covers(hits: Counts, right: Counts, truth: float) -> bool:
    d = hits - truth * right
    return bool(d.sum() ** 2 <= Z_95**2 * (d @ d))


def test_pairing_makes_it_narrow() -> None:
    """At a small loss both accuracies are uncertain by the choice of images, their ratio is not."""
    generator = np.random.default_rng(9)
    clean = generator.binomial(1, 0.8, size=500)
    trials = np.full(500, 5)
    hits = generator.binomial(5, np.where(clean == 1, 0.98, 0.02))
    paired = relative(hits, trials=trials, clean=clean)
    alone = clustered(hits, trials=trials)
    assert paired.width < 0.4 * alone.width / clean.mean()


def tally(hits: list[int], *, trials: list[int]) -> Tally:
    zeros = np.zeros(len(hits), np.int64)
    nothing = dict.fromkeys(("changed", "non_finite", "flips", "sdc", "due", "mistaken"), zeros)
    return Tally(trials=np.array(trials), correct=np.array(hits), **nothing)


def test_a_point_divides_by_the_clean_answers_of_its_own_images() -> None:
    counted = Counted(tally=tally([2, 0, 2, 1], trials=[2, 2, 2, 2]), trials=2, ended="trials")
    whole = point(setting(), counted, clean=tally([1, 1, 1, 0], trials=[1, 1, 1, 1]))
    assert whole.accuracy == pytest.approx(5 / 8)
    assert whole.relative == pytest.approx((5 / 8) / (3 / 4))
    assert whole.relative_low < whole.relative < whole.relative_high
    # The clean answer of the last image is not known: it does not count in the ratio, and does in the accuracy
    part = point(setting(), counted, clean=tally([1, 1, 1, 0], trials=[1, 1, 1, 0]))
    assert (part.accuracy, part.relative) == (whole.accuracy, pytest.approx(4 / 6))
    assert replace(whole, relative_high=math.inf).as_dict()["relative_high"] is None


def test_a_clean_setting_is_at_one() -> None:
    answers = tally([1, 0, 1], trials=[1, 1, 1])
    assert point(setting(0.0), Counted(tally=answers, trials=1, ended="trials"), clean=answers).relative == 1.0
