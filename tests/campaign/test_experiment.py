"""Campaigns: identity of settings, resuming, shards, stop rules, and the curve that comes out."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import pytest

from radhard.analysis.curve import curve
from radhard.analysis.stopping import UntilWidth
from radhard.campaign.counted import count
from radhard.campaign.execute import WHOLE, Progress, Shard, execute
from radhard.campaign.experiment import Campaign, canonical_json
from radhard.campaign.merge import merge
from radhard.campaign.outcomes import Tally
from radhard.campaign.rates import even_in_logarithm, whole_curve
from radhard.campaign.store import Store
from radhard.errors import InputError
from radhard.program import Recipe
from radhard.program.program import digested, recipe_digested
from tests.support.campaigns import Toy, outcome, setting

SETTINGS = (setting(0.0), setting(1e-9), setting(1e-8))
CAMPAIGN = Campaign(settings=SETTINGS, images=250, trials=3, chunk=100)


def test_a_setting_of_the_symmetric_recipe_is_that_of_older_stores() -> None:
    """When they were written it was called int8, which is another recipe by now."""
    older = json.loads(setting(recipe="int8-symmetric").text)
    assert older["recipe"] == "int8"
    assert json.loads(setting(recipe="int8").text)["recipe"] == "int8-unsigned"
    assert {recipe_digested(digested(recipe)) for recipe in get_args(Recipe)} == set(get_args(Recipe))


def run(campaign: Campaign, path: Path, *, executor: Toy | None = None, shard: Shard = WHOLE) -> list[Progress]:
    with Store(path) as store:
        return list(execute(campaign, store, executor=executor or Toy(), shard=shard))


def rows(path: Path) -> list[object]:
    with Store(path, mode="read") as store:
        return list(store.rows())


# --- identity ---


def test_canonical_json_has_one_text_for_one_value() -> None:
    assert canonical_json({"b": 1e-9, "a": [1, None, "é"]}) == r'{"a":[1,null,"\u00e9"],"b":1e-09}'
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(math.nan)


def test_whatever_changes_an_outcome_changes_the_digest() -> None:
    changed = [
        setting(2e-8), setting(kinds=frozenset({"mul"})), setting(seed=1), setting(recipe="int8-float"),
        setting(program="ef" * 32), setting(data_digest="ef" * 32), setting(model="other"),
        setting(normalisation=((0.5,), (1.0,))), setting(), setting(0.0),
    ]  # fmt: skip
    assert len({one.digest for one in changed}) == len(changed)
    assert setting(kinds=frozenset(["add", "mul"])).digest == setting(kinds=frozenset(["mul", "add"])).digest


def test_without_faults_nothing_about_faults_matters() -> None:
    assert setting(0.0, seed=1).digest == setting(0.0, seed=2, kinds=frozenset({"add"})).digest
    assert setting(1e-8).without_faults().digest == setting(0.0).digest
    assert json.loads(setting(0.0).text)["faults"] is None
    with pytest.raises(InputError, match="BER 0"):
        setting(0.0).faults(1)


def test_a_campaign_is_checked() -> None:
    with pytest.raises(InputError, match="images is 0"):
        Campaign(settings=SETTINGS, images=0)
    with pytest.raises(InputError, match="twice"):
        Campaign(settings=(setting(), setting()), images=1)


# --- execution ---


def test_all_units_run_once_clean_ones_first(tmp_path: Path) -> None:
    toy = Toy()
    states = run(CAMPAIGN, tmp_path / "run.db", executor=toy)
    assert len(toy.given) == len({(u.setting.digest, u.trial, u.start) for u in toy.given}) == 3 + 2 * 3 * 3
    assert [u.setting.clean for u in toy.given] == [True] * 3 + [False] * 18
    assert [(u.start, u.stop) for u in toy.given[:3]] == [(0, 100), (100, 200), (200, 250)]
    assert [u.trial for u in toy.given[3:]] == [0] * 6 + [1] * 6 + [2] * 6
    assert [(s.done, s.total) for s in states] == [(k, 21) for k in range(1, 22)]
    assert states[-1].seconds_left == 0
    assert states[-1].tally.n == 750


def test_clean_outcomes_are_measured_even_if_nobody_asks_for_their_point(tmp_path: Path) -> None:
    toy = Toy()
    run(replace(CAMPAIGN, settings=SETTINGS[1:]), tmp_path / "run.db", executor=toy)
    assert sum(u.setting.clean for u in toy.given) == 3


def test_a_finished_campaign_has_nothing_to_do(tmp_path: Path) -> None:
    run(CAMPAIGN, tmp_path / "run.db")
    assert run(CAMPAIGN, tmp_path / "run.db", executor=Toy(life=0)) == []


@pytest.mark.parametrize("life", [0, 1, 2, 3, 4, 11, 20])
def test_a_broken_run_resumed_holds_the_rows_of_an_undisturbed_one(tmp_path: Path, life: int) -> None:
    run(CAMPAIGN, tmp_path / "whole.db")
    with pytest.raises(KeyboardInterrupt):
        run(CAMPAIGN, tmp_path / "run.db", executor=Toy(life=life))
    assert len(rows(tmp_path / "run.db")) == life
    toy = Toy()
    states = run(CAMPAIGN, tmp_path / "run.db", executor=toy)
    assert len(toy.given) == 21 - life
    assert states[0].done == life + 1 if life < 3 else states[0].done > life
    assert rows(tmp_path / "run.db") == rows(tmp_path / "whole.db")


def test_other_settings_in_the_same_store_do_not_mix(tmp_path: Path) -> None:
    other = Campaign(settings=(setting(1e-9, seed=7), setting(1e-8, seed=7)), images=250, trials=3, chunk=100)
    path = tmp_path / "run.db"
    run(CAMPAIGN, path)
    run(other, path)
    run(CAMPAIGN, tmp_path / "a.db")
    run(other, tmp_path / "b.db")
    with Store(path) as both, Store(tmp_path / "a.db") as a, Store(tmp_path / "b.db") as b:
        assert curve(CAMPAIGN, store=both) == curve(CAMPAIGN, store=a)
        assert curve(other, store=both) == curve(other, store=b)
        assert curve(other, store=both) != curve(CAMPAIGN, store=both)


def test_more_trials_and_images_later_add_to_what_is_there(tmp_path: Path) -> None:
    path, more = tmp_path / "run.db", replace(CAMPAIGN, trials=4, images=300)
    run(CAMPAIGN, path)
    toy = Toy()
    run(more, path, executor=toy)
    assert len(toy.given) == 1 + 2 * 3 * 1 + 2 * 3  # the third range is a new one in 1 + 6 units; a new trial
    run(more, tmp_path / "fresh.db")
    with Store(path) as old, Store(tmp_path / "fresh.db") as fresh:
        assert curve(more, store=old) == curve(more, store=fresh)
        assert [p.n for p in curve(CAMPAIGN, store=old)] == [250, 750, 750]


@pytest.mark.parametrize("of", [2, 3, 16])
def test_shards_merged_are_the_whole(tmp_path: Path, of: int) -> None:
    run(CAMPAIGN, tmp_path / "whole.db")
    parts = [tmp_path / f"{k}.db" for k in range(1, of + 1)]
    faulty = 0
    for k, part in enumerate(parts, 1):
        toy = Toy()
        run(CAMPAIGN, part, executor=toy, shard=Shard(index=k, of=of))
        faulty += sum(not u.setting.clean for u in toy.given)
    assert faulty == 18  # no unit with faults was measured twice
    merge(tmp_path / "merged.db", parts)
    assert rows(tmp_path / "merged.db") == rows(tmp_path / "whole.db")


def test_a_shard_is_a_part(tmp_path: Path) -> None:
    for index, of in ((0, 3), (4, 3)):
        with pytest.raises(InputError, match=f"shard {index}/{of}"):
            Shard(index=index, of=of)
    run(CAMPAIGN, tmp_path / "run.db", shard=Shard(index=1, of=3))
    with Store(tmp_path / "run.db") as store:
        counted = count(CAMPAIGN, SETTINGS[1], store=store)
    assert counted.ended == "incomplete"
    assert 0 < counted.tally.n < 750


# --- stop rules ---


@dataclass(frozen=True, kw_only=True)
class Enough:
    """Stop once `n` answers are there."""

    n: int
    name: str = "enough"

    def reached(self, tally: Tally) -> bool:
        return tally.n >= self.n


def test_a_stop_rule_is_asked_after_whole_trials_only(tmp_path: Path) -> None:
    campaign = replace(CAMPAIGN, stop=Enough(n=260))  # reached within the second trial
    toy = Toy()
    states = run(campaign, tmp_path / "run.db", executor=toy)
    assert max(u.trial for u in toy.given) == 1
    assert states[-1].done == 3 + 2 * 2 * 3
    with Store(tmp_path / "run.db") as store:
        assert [(p.trials, p.n, p.ended) for p in curve(campaign, store=store)] == [
            (1, 250, "trials"), (2, 500, "enough"), (2, 500, "enough"),
        ]  # fmt: skip


def test_a_stopped_campaign_resumed_or_widened_ends_at_the_same_trial(tmp_path: Path) -> None:
    campaign = replace(CAMPAIGN, stop=Enough(n=260))
    run(campaign, tmp_path / "whole.db")
    with pytest.raises(KeyboardInterrupt):
        run(campaign, tmp_path / "run.db", executor=Toy(life=8))
    run(campaign, tmp_path / "run.db")
    assert rows(tmp_path / "run.db") == rows(tmp_path / "whole.db")
    run(CAMPAIGN, tmp_path / "run.db")  # the third trial is there now, and must not count for the rule
    with Store(tmp_path / "run.db") as store, Store(tmp_path / "whole.db") as whole:
        assert curve(campaign, store=store) == curve(campaign, store=whole)


def test_the_width_rule(tmp_path: Path) -> None:
    rule = UntilWidth(width=0.09)
    campaign = Campaign(settings=(setting(),), images=250, trials=30, chunk=100, stop=rule)
    run(campaign, tmp_path / "run.db")
    with Store(tmp_path / "run.db") as store:
        (point,) = curve(campaign, store=store)
        shorter = replace(campaign, trials=point.trials - 1, stop=UntilWidth(width=1e-6))
        (before,) = curve(shorter, store=store)
    assert point.ended == "width 9 points"
    assert 1 < point.trials < 30
    assert point.high - point.low <= 0.09 < before.high - before.low
    for width in (0.0, 1.5, math.nan):
        with pytest.raises(InputError, match="width"):
            UntilWidth(width=width)


def test_a_shard_cannot_have_a_stop_rule(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="shard 1/2 together with the stop rule enough"):
        run(replace(CAMPAIGN, stop=Enough(n=1)), tmp_path / "run.db", shard=Shard(index=1, of=2))


# --- the curve ---


def test_a_point_is_what_a_loop_over_the_outcomes_counts(tmp_path: Path) -> None:
    run(CAMPAIGN, tmp_path / "run.db")
    with Store(tmp_path / "run.db") as store:
        clean, *points = curve(CAMPAIGN, store=store)
    assert (clean.ber, clean.trials, clean.n, clean.accuracy) == (0.0, 1, 250, 1.0)
    for one, point in zip(SETTINGS[1:], points, strict=True):
        right = changed = strange = flips = 0
        for trial in range(3):
            for unit in CAMPAIGN.units(one, trial):
                found = outcome(unit)
                for image in range(len(unit)):
                    right += bool(found.correct[image])
                    changed += bool(found.changed[image])
                    strange += found.non_finite[image] > 0
                    flips += int(found.flips[image])
        assert point.n == 750
        assert point.trials == 3
        assert point.accuracy == pytest.approx(right / 750)
        assert point.changed == pytest.approx(changed / 750)
        assert point.non_finite == pytest.approx(strange / 750)
        assert point.flips == pytest.approx(flips / 750)
        assert point.flips_expected == pytest.approx(1e7 * one.ber)
        assert point.low < point.accuracy < point.high


def test_rates_of_a_range() -> None:
    assert even_in_logarithm(1e-9, 1e-5, points=5) == (1e-9, 1e-8, 1e-7, 1e-6, 1e-5)
    assert even_in_logarithm(1e-9, 1e-8, points=3) == (1e-9, 3.162e-9, 1e-8)
    with pytest.raises(InputError, match="ask for fewer"):
        even_in_logarithm(1e-9, 1.001e-9, points=9)
    rates = whole_curve(2 * 10**9, recipe="int8-float")
    assert len(rates) == 9
    assert rates[0] * 2e9 == pytest.approx(0.5)
    assert rates[-1] * 2e9 == pytest.approx(5000)
    assert all(len(whole_curve(10**9, recipe=each)) == 9 for each in get_args(Recipe))
    assert whole_curve(100, recipe="int8")[-1] == 1.0  # a probability, however few the bits
    with pytest.raises(InputError, match="no bit"):
        whole_curve(0, recipe="int8")
