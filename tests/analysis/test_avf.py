"""AVFs: the total of strata, its interval's coverage, and the allocation of trials."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from radhard.analysis.avf import avf, stratified
from radhard.analysis.intervals import clustered
from radhard.analysis.neyman import allocate, deviation
from radhard.campaign.effects import Effects
from radhard.campaign.single_flips import FlipTarget
from tests.support.avfs import effects_of, study_of


def test_a_total_weights_its_strata() -> None:
    """Three images: shares 3/4 and 1/4, rates of the images by hand."""
    hits = [np.array([1, 0, 2]), np.array([1, 1, 0])]
    trials = [np.array([2, 2, 2]), np.array([1, 1, 1])]
    found = stratified(hits, trials=trials, shares=[0.75, 0.25])
    own = [0.75 * 1 / 2 + 0.25, 0.25, 0.75]
    assert found.rate == pytest.approx(sum(own) / 3)
    assert found.low < found.rate < found.high


def test_one_stratum_is_a_clustered_rate_where_images_differ() -> None:
    draw = np.random.default_rng(2)
    hits, trials = draw.binomial(4, draw.beta(0.5, 0.5, 200)), np.full(200, 4)
    found, known = stratified([hits], trials=[trials], shares=[1.0]), clustered(hits, trials=trials)
    assert found.rate == pytest.approx(known.rate)
    assert found.low == pytest.approx(known.low, abs=0.002)
    assert found.high == pytest.approx(known.high, abs=0.002)


def test_images_that_lack_a_stratum_count_in_the_others() -> None:
    """Rates 2/3 and 1/2, each over the images that have trials."""
    found = stratified(
        [np.array([1, 0, 1]), np.array([0, 1, 0])], trials=[np.array([1, 1, 1]), np.array([1, 1, 0])], shares=[0.5, 0.5]
    )
    assert found.rate == pytest.approx((2 / 3 + 1 / 2) / 2)
    nothing = stratified([np.array([0])], trials=[np.array([0])], shares=[1.0])
    assert math.isnan(nothing.rate)
    assert (nothing.low, nothing.high) == (0.0, 1.0)


RATES = [(0.2, 0.01, 0.05), (0.01, 0.0, 0.002), (0.5, 0.5, 0.5), (0.0005, 0.003, 0.3)]


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("spread", [0.0, 0.8])
def test_intervals_of_totals_cover(rates: tuple[float, ...], spread: float) -> None:
    """600 studies of 150 images, whose rates differ by a factor between images: at least 93 % of intervals cover."""
    draw, shares, images, trials = np.random.default_rng(7), [0.6, 0.3, 0.1], 150, (3, 1, 6)
    truth, covered, studies = sum(s * r for s, r in zip(shares, rates, strict=True)), 0, 600
    for _ in range(studies):
        factor = np.where(draw.random(images) < 0.5, 1 - spread, 1 + spread)
        own = [np.minimum(1.0, rate * factor) for rate in rates]
        hits = [draw.binomial(t, p) for t, p in zip(trials, own, strict=True)]
        found = stratified(hits, trials=[np.full(images, t) for t in trials], shares=shares)
        covered += found.low <= truth <= found.high
    assert covered / studies >= 0.93


def test_trials_go_where_they_lower_the_variance_most() -> None:
    """Against all ways of spending the budget."""
    draw = np.random.default_rng(4)
    for _ in range(30):
        strata = int(draw.integers(1, 5))
        weights, deviations = draw.random(strata), draw.random(strata)
        least, budget = int(draw.integers(1, 3)), int(draw.integers(4, 13))
        found = allocate(list(weights), list(deviations), budget=budget, least=least)

        def variance(trials: tuple[int, ...], own: np.ndarray = weights * deviations) -> float:
            return float((own**2 / np.array(trials)).sum())

        ways = [way for way in itertools.product(range(least, budget + 1), repeat=strata) if sum(way) == budget]
        if ways:
            assert sum(found) == budget
            assert variance(found) == pytest.approx(min(map(variance, ways)))
        else:
            assert found == (least,) * strata


def test_a_stratum_without_hits_has_a_variance() -> None:
    assert deviation(0, 98) == pytest.approx(math.sqrt(0.01 * 0.99))
    assert deviation(0, 0) == pytest.approx(0.5)


def test_components_and_the_whole_of_them() -> None:
    """Two components of 30 and 10 bits of 80 exposed; a part of the first counts once."""
    study = study_of(
        bits={"one": 30, "one: softmax": 12, "two": 10}, whole=80, parts={"one: softmax"}, trials=(2, 1, 1)
    )
    measured = [
        effects_of(trials=[2, 2], sdc=[2, 1], critical=[1, 0], due=[0, 0]),
        effects_of(trials=[1, 1], sdc=[1, 1], critical=[0, 0], due=[0, 0]),
        effects_of(trials=[1, 1], sdc=[0, 0], critical=[0, 0], due=[1, 0]),
    ]
    found = avf(study, measured, passes=1.5)
    assert [one.sdc.rate for one in found.components] == [0.75, 1.0, 0.0]
    assert [one.n for one in found.components] == [4, 2, 2]
    assert [one.bits_share for one in found.components] == [30 / 80, 12 / 80, 10 / 80]
    assert found.sdc.rate == pytest.approx(0.75 * 0.75)
    assert found.shares["critical"].rate == pytest.approx(0.75 * 0.25)
    assert found.shares["due"].rate == pytest.approx(0.25 * 0.5)
    assert found.bits_share == 0.5
    for one in found.components:
        for share in (one.shares["sdc"], one.shares["due"], one.shares["critical"]):
            assert share.all_at_once.low <= share.own.low <= share.own.high <= share.all_at_once.high
            assert share.all_at_once.width > share.own.width


def test_without_labels_nothing_is_critical() -> None:
    study = study_of(bits={"one": 5}, whole=5, trials=(1,), labelled=False)
    found = avf(study, [effects_of(trials=[1], sdc=[1], critical=[0], due=[0])], passes=0.0)
    assert found.sdc.rate == 1.0
    assert math.isnan(found.shares["critical"].rate)
    assert math.isnan(found.components[0].shares["critical"].own.rate)


def test_targets_and_effects_belong_together() -> None:
    study = study_of(bits={"one": 5}, whole=5, trials=(1,))
    assert isinstance(study.targets[0], FlipTarget)
    with pytest.raises(ValueError, match="zip"):
        avf(study, list[Effects](), passes=0.0)


def test_the_split_makes_up_all_flips() -> None:
    """Of 8 flips: 3 masked, 2 benign, 2 SDCs, one of them beyond the five leading classes, 1 NaN."""
    study = study_of(bits={"one": 5}, whole=5, trials=(4,))
    more = {"masked": [2, 1], "benign": [1, 1], "sdc5": [0, 1]}
    seen = effects_of(trials=[4, 4], sdc=[1, 1], critical=[1, 0], due=[0, 1], **more)
    (one,) = avf(study, [seen], passes=0.0).components
    rates = {effect: share.own.rate for effect, share in one.shares.items()}
    assert rates == {"masked": 3 / 8, "benign": 2 / 8, "sdc": 2 / 8, "sdc5": 1 / 8, "critical": 1 / 8, "due": 1 / 8}
    assert sum(rates[effect] for effect in ("masked", "benign", "sdc", "due")) == 1
    assert all(share.own.low <= share.own.rate <= share.own.high for share in one.shares.values())


def test_what_one_stratum_does_not_say_the_whole_does_not_know() -> None:
    study = study_of(bits={"one": 5, "two": 5}, whole=10, trials=(1, 1))
    told = effects_of(trials=[1], sdc=[1], critical=[0], due=[0], masked=[0], benign=[0], sdc5=[1])
    found = avf(study, [told, effects_of(trials=[1], sdc=[1], critical=[0], due=[0])], passes=0.0)
    assert math.isnan(found.shares["masked"].rate)
    assert found.components[0].shares["sdc5"].own.rate == 1.0
    assert math.isnan(found.components[1].shares["sdc5"].own.rate)
    assert found.shares["sdc"].rate == 1.0


def test_what_was_counted_needs_no_sample() -> None:
    """Of 10 bits 6 are masked, as counted; of 8 flips 5 were among these, of the other 3 one is an SDC, one masked."""
    study = study_of(bits={"one": 10}, whole=10, trials=(4,))
    seen = effects_of(
        trials=[4, 4],
        sdc=[1, 0],
        critical=[0, 0],
        due=[0, 0],
        masked=[2, 4],
        benign=[1, 0],
        sdc5=[0, 0],
        counted=[2, 3],
    )
    found = avf(study, [seen], passes=0.0, masked=[np.array([5, 7])])
    (one,) = found.components
    assert (one.n, one.counted) == (8, 0.6)
    assert one.sdc.rate == pytest.approx(0.4 / 3)
    assert one.shares["masked"].own.rate == pytest.approx(0.6 + 0.4 / 3)
    assert one.shares["masked"].own.low >= 0.6
    assert one.sdc.high <= 0.4
    assert found.sdc.rate == pytest.approx(0.4 / 3)
    assert found.shares["masked"].rate == pytest.approx(0.6 + 0.4 / 3)


def test_where_all_that_was_drawn_is_counted_the_rest_is_not_known_but_small() -> None:
    study = study_of(bits={"one": 10}, whole=10, trials=(1,))
    seen = effects_of(trials=[1, 1], sdc=[0, 0], critical=[0, 0], due=[0, 0], masked=[1, 1], counted=[1, 1])
    found = avf(study, [seen], passes=0.0, masked=[np.array([9, 9])])
    assert (found.components[0].sdc.rate, found.components[0].sdc.high) == (0.0, pytest.approx(0.1))


@pytest.mark.parametrize("rates", [(0.3, 0.02), (0.01, 0.0)])
def test_intervals_cover_beside_counted_flips(rates: tuple[float, ...]) -> None:
    """500 studies of 120 images, of whose flips a share that differs by image is masked and counted."""
    draw, images, trials, covered, studies = np.random.default_rng(3), 120, (2, 4), 0, 500
    study = study_of(bits={"one": 700, "two": 300}, whole=1000, trials=trials, images=images)
    for _ in range(studies):
        share = draw.uniform(0.3, 0.8, (2, images))
        bits = [np.round(share[0] * 700).astype(np.int64), np.round(share[1] * 300).astype(np.int64)]
        truth, seen = 0.0, []
        for c, (size, rate) in enumerate(zip((700, 300), rates, strict=True)):
            truth += float((size - bits[c]).mean()) * rate / 1000
            counted = draw.binomial(trials[c], bits[c] / size)
            sdc = draw.binomial(trials[c] - counted, rate)
            nothing = [0] * images
            seen.append(
                effects_of(
                    trials=[trials[c]] * images, sdc=sdc, critical=nothing, due=nothing, masked=counted, counted=counted
                )
            )
        found = avf(study, seen, passes=0.0, masked=bits).sdc
        covered += found.low <= truth <= found.high
    assert covered / studies >= 0.93


def test_where_looks_end_trials_intervals_hold_at_any_look_and_the_whole_is_their_sum() -> None:
    images = 60
    fixed = study_of(bits={"a": 300, "b": 100}, whole=400, trials=(4, 2), images=images)
    looked = replace(fixed, until_width=0.05)
    none = [0] * images
    measured = [
        effects_of(trials=[own] * images, sdc=[k % own for k in range(images)], critical=none, due=none)
        for own in (4, 2)
    ]
    before, after = avf(fixed, measured, passes=0.0), avf(looked, measured, passes=0.0)
    for one, other in zip(before.components, after.components, strict=True):
        assert one.sdc.rate == other.sdc.rate
        assert other.sdc.low < one.sdc.low
        assert one.sdc.high < other.sdc.high
    each = [component.shares["sdc"].all_at_once for component in after.components]
    assert after.sdc.rate == pytest.approx(before.sdc.rate)
    assert after.sdc.low == pytest.approx(0.75 * each[0].low + 0.25 * each[1].low)
    assert after.sdc.high == pytest.approx(0.75 * each[0].high + 0.25 * each[1].high)
