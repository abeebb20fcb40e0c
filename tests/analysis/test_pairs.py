"""Pairs of schemes: differences image by image against a plain loop, equivalence against simulated studies."""

import csv
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from radhard.analysis.configurations import Configuration, Configurations, Trials
from radhard.analysis.factor import factor, simultaneous_z
from radhard.analysis.intervals import Interval
from radhard.analysis.overhead import Weights
from radhard.analysis.pairs import Pair, Pairing, pair
from radhard.campaign.execute import execute
from radhard.campaign.outcomes import Tally
from radhard.campaign.store import Store
from radhard.errors import InputError
from radhard.protection import Protection, Ranges
from radhard.report.configurations.figure import draw_configurations
from radhard.report.configurations.points import configurations_data
from radhard.report.configurations.record import compared_record, configurations_record, write_configurations
from radhard.report.configurations.table import pairs_table
from tests.analysis.test_curve import shown
from tests.support.campaigns import Toy, setting
from tests.support.guarded import model_under_test
from tests.support.outcomes import evaluation, outcomes, paired

Bits = npt.NDArray[np.bool_]
ONE, OTHER = (Protection.of({name: Ranges(low=0.0, high=1.0)}) for name in "ab")


def tally(right: Bits) -> Tally:
    """bool [images, trials] -> the sums of each image."""
    zero = np.zeros(len(right), np.int64)
    trials = np.full(len(right), right.shape[1])
    nothing = dict.fromkeys(("changed", "non_finite", "flips", "sdc", "due", "mistaken"), zero)
    return Tally(trials=trials, correct=right.sum(1), **nothing)


def told(one: Bits, other: Bits, *, pairs: int = 1, margin: float = 0.02) -> Pair:
    pairing = Pairing(reference="b", margin=margin)
    return pair(("a", tally(one)), ("b", tally(other)), setting=setting(1e-7), pairs=pairs, pairing=pairing)


def test_a_difference_is_that_of_the_same_images(tmp_path: Path) -> None:
    program = model_under_test().programs["int8"].digest
    configurations = Configurations(
        model_under_test=model_under_test(),
        on=Trials(images=70, trials=3, chunk=30),
        configurations=tuple(
            Configuration(name=name, setting=setting(1e-8, program=program, protection=protection))
            for name, protection in (("unprotected", None), ("one", ONE), ("other", OTHER))
        ),
    )
    with Store(tmp_path / "run.db") as store:
        list(execute(configurations.campaign, store, executor=Toy()))
        found = configurations.evaluation(store, weights=Weights(), pairing=Pairing(reference="one")).pairs
        right = {}
        for configuration in configurations.configurations[1:]:
            units = [u for trial in range(3) for u in configurations.campaign.units(configuration.setting, trial)]
            right[configuration.name] = sum(int(store.outcome(u).correct.sum()) for u in units)  # type: ignore[union-attr]
        nothing = configurations.evaluation(store, weights=Weights()).pairs
    (only,) = found
    assert (only.configuration, only.reference, only.n) == ("other", "one", 210)
    assert only.difference.rate == pytest.approx((right["other"] - right["one"]) / 210)
    assert nothing == ()


def test_intervals_widen_with_the_number_of_pairs() -> None:
    draw = np.random.default_rng(0)
    one, other = draw.random((200, 1)) < 0.9, draw.random((200, 1)) < 0.85
    alone, of_many = told(one, other), told(one, other, pairs=7)
    assert of_many.difference.low < alone.difference.low < alone.difference.high < of_many.difference.high
    assert of_many.level == pytest.approx(1 - 0.05 / 7)
    assert of_many.limits.low < alone.limits.low


def test_the_reference_can_be_exchanged() -> None:
    draw = np.random.default_rng(1)
    one, other = draw.random((150, 2)) < 0.9, draw.random((150, 2)) < 0.8
    there, back = told(one, other), told(other, one)
    assert there.difference.rate == -back.difference.rate
    assert there.limits.low == pytest.approx(-back.limits.high, abs=1e-9)


@pytest.mark.parametrize(
    ("loss", "differing", "n", "relation"),
    [(0, 0, 300, "equivalent"), (0, 0, 100, "cannot tell"), (0, 30, 300, "cannot tell"), (30, 30, 300, "worse")],
)
def test_what_is_not_told_apart_is_not_equivalent(loss: int, differing: int, n: int, relation: str) -> None:
    """`differing` images are right in one alone, all by the reference or as many by each."""
    one, other = np.ones((n, 1), bool), np.ones((n, 1), bool)
    one[: differing if loss else differing // 2] = False
    if not loss:
        other[differing // 2 : differing] = False
    assert told(one, other).relation == relation
    if relation == "worse":
        assert told(other, one).relation == "better"


def test_few_schemes_are_called_equivalent_that_are_not() -> None:
    """Simulated: one is worse by just the margin, in a tenth of the images that differ it is better."""
    draw, wrong, studies, margin = np.random.default_rng(3), 0, 200, 0.05
    for _ in range(studies):
        kind = draw.choice(3, 200, p=[0.0625, 0.0125, 0.925])
        one, other = (kind != 0)[:, None], (kind != 1)[:, None]
        wrong += told(one, other, margin=margin).relation == "equivalent"
    assert wrong <= 0.05 * studies + 3 * math.sqrt(0.05 * 0.95 * studies)


def test_a_margin_is_between_0_and_100_points() -> None:
    for margin in (0.0, 1.0, math.nan):
        with pytest.raises(InputError, match="a margin of"):
            Pairing(reference="a", margin=margin)


# --- shown ---

FOUND = evaluation(pairs=[paired(1e-7), paired(1e-8)])


def test_the_table_has_a_row_a_pair() -> None:
    lines = [" ".join(line.split()) for line in shown(pairs_table(FOUND)).splitlines()]
    assert "1e-08 500 products only 3.00 -2.00 to 8.00 -1.00 to 7.00 cannot tell" in lines
    assert "1e-07 500 products only 35.00 30.00 - 40.00 31.00 - 39.00 better" in lines
    assert any("accuracy minus that of ranges only" in line for line in lines)


def test_the_record_and_the_csv_have_the_pairs(tmp_path: Path) -> None:
    record = compared_record(FOUND)
    assert [p["relation"] for p in record["pairs"]] == ["better", "cannot tell"]
    assert record["pairs"][0]["difference"] == {"rate": 0.35, "low": pytest.approx(0.3), "high": pytest.approx(0.4)}
    assert "pairs" not in configurations_record(evaluation())
    write_configurations([FOUND], tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    told_ = {(r["configuration"], r["ber"]): (r["difference"], r["relation"]) for r in rows}
    assert told_["products only", "1e-07"] == ("0.35", "better")
    assert told_["ranges only", "1e-07"] == ("", "")


@pytest.mark.parametrize("rates", [1, 2])
def test_the_figure_has_a_panel_of_differences(tmp_path: Path, rates: int) -> None:
    found = outcomes() if rates == 2 else tuple(o for o in outcomes() if o.configuration.amount in (0.0, 1e-7))
    pairs = [paired(1e-7), paired(1e-8)][:rates]
    data = configurations_data([evaluation(found=found, pairs=pairs)])
    assert (data.baseline, data.margin) == ("ranges only", 0.02)
    (line,) = (line for line in data.panels[0].lines if line.configuration == "products only")
    assert line.relation == (("cannot tell", "better") if rates == 2 else ("better",))
    assert line.difference.rate == ((0.03, 0.35) if rates == 2 else (0.35,))
    (bare,) = (line for line in data.panels[0].lines if line.configuration == "unprotected")
    assert all(map(math.isnan, bare.difference.rate))
    draw_configurations(data, tmp_path / "x.svg")
    assert "points more than" in (tmp_path / "x.svg").read_text()


def test_without_pairs_the_baseline_is_no_protection() -> None:
    data = configurations_data([evaluation()])
    assert (data.baseline, data.margin) == ("unprotected", None)


@pytest.mark.parametrize("studies", [150, pytest.param(2000, marks=pytest.mark.slow)], ids=["fast", "large"])
@pytest.mark.parametrize("pairs", [1, 4])
def test_the_intervals_of_all_pairs_hold_together(studies: int, pairs: int) -> None:
    """Simulated: images differ in how hard they are, and the trials of an image go alike, so answers are clustered."""
    draw, images, trials, held = np.random.default_rng([studies, pairs]), 300, 3, 0
    shift = np.linspace(-0.06, 0.06, pairs) if pairs > 1 else np.array([-0.04])
    known = _true(shift)
    for _ in range(studies):
        hard = draw.beta(4.0, 1.0, images)[:, None]
        common = draw.random((images, 1)) < 0.5  # whether the trials of an image share their luck
        luck = np.where(common, draw.random((images, 1)), draw.random((images, trials)))
        reference = luck < 0.9 * hard + 0.06
        found = [told_apart(luck < 0.9 * hard + 0.06 + s, reference, pairs=pairs) for s in shift]
        held += all(one.low <= value <= one.high for one, value in zip(found, known, strict=True))
    last = told(luck < 0.9 * hard + 0.06 + shift[-1], reference, pairs=pairs)
    assert last.difference == found[-1]  # a pair has these intervals
    assert held >= studies * 0.95 - 3 * math.sqrt(0.05 * 0.95 * studies)


def told_apart(one: Bits, other: Bits, *, pairs: int) -> Interval:
    """The interval of a pair without the limits of equivalence, which take long."""
    a, b = tally(one), tally(other)
    return factor(a.correct, plain=b.correct, trials=a.trials, z=simultaneous_z(pairs))


def _true(shift: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The true differences: the shift, where right answers have probabilities between 0 and 1."""
    hard = np.random.default_rng(9).beta(4.0, 1.0, 1_000_000)
    base = 0.9 * hard + 0.06
    return np.array([float((np.clip(base + s, 0, 1) - np.clip(base, 0, 1)).mean()) for s in shift])
