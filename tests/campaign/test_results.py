"""Results beside the outcomes of a store: kept once, merged, saved from damage, and none in older stores."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from radhard.campaign.experiment import Unit
from radhard.campaign.merge import merge
from radhard.campaign.results import KeptResult, keep_result, latest, results
from radhard.campaign.salvage import salvage
from radhard.campaign.store import SCHEMA, Provenance, Store
from radhard.errors import StoreError
from tests.support.campaigns import outcome, setting, without_checksums, without_effects

UNIT = Unit(setting=setting(), trial=2, start=200, stop=333)
SWEEP = KeptResult(
    verb="sweep",
    model="<b>toy</b>",
    settings={"ber": [1e-8], "seed": 0},
    record={"points": [{"ber": 1e-8, "accuracy": None}]},
    command="radhard sweep '<b>toy</b>'",
    device="cpu",
    made="2026-01-01T00:00:00.000+00:00",
)
PLAN = replace(SWEEP, verb="plan", made="2026-01-02T00:00:00.000+00:00")


def filled(path: Path, *found: KeptResult) -> Path:
    with Store(path) as store:
        store.write(UNIT, outcome(UNIT), provenance=Provenance(seconds=0.5, passes=1.0, made_by="{}"))
        for one in found:
            keep_result(store, one)
    return path


def held(path: Path) -> tuple[KeptResult, ...]:
    with Store(path, mode="read") as store:
        return results(store)


def test_what_is_kept_is_read_back_the_oldest_first(tmp_path: Path) -> None:
    assert held(filled(tmp_path / "run.db", PLAN, SWEEP)) == (SWEEP, PLAN)


def test_of_equal_results_the_last_stays(tmp_path: Path) -> None:
    again = replace(SWEEP, made="2026-02-01T00:00:00.000+00:00", command="radhard sweep again")
    assert again.digest == SWEEP.digest
    assert held(filled(tmp_path / "run.db", SWEEP, again, SWEEP)) == (again,)
    other = replace(again, record={"points": []})
    assert held(filled(tmp_path / "other.db", SWEEP, other)) == (SWEEP, other)


def test_the_last_answer_of_each_question() -> None:
    other = replace(SWEEP, record={"points": []}, made="2026-02-01T00:00:00.000+00:00")
    elsewhere = replace(SWEEP, settings={"ber": [1e-7], "seed": 0})
    assert latest([other, SWEEP, elsewhere, PLAN]) == (elsewhere, PLAN, other)


def test_a_result_at_more_rates_takes_the_place_of_one_at_fewer() -> None:
    def at(*rates: float, made: str, **settings: object) -> KeptResult:
        return replace(SWEEP, settings={"ber": list(rates), "images": 9, **settings}, made=made)

    few, more = at(1e-9, 1e-8, made="2026-01-01"), at(1e-9, 1e-8, 1e-7, made="2026-01-02")
    assert latest([more, few]) == (more,)
    others = (
        at(1e-9, 1e-8, made="2026-01-01", images=8),
        at(1e-9, 1e-6, made="2026-01-01"),
        replace(few, model="other"),
        replace(few, verb="vulnerability"),
        replace(few, made="2026-01-03"),
    )
    for other in others:
        assert set(map(id, latest([other, more]))) == {id(other), id(more)}


def test_merging_carries_results(tmp_path: Path) -> None:
    one, two = filled(tmp_path / "1.db", SWEEP), filled(tmp_path / "2.db", SWEEP, PLAN)
    merge(tmp_path / "all.db", [one, two])
    assert held(tmp_path / "all.db") == (SWEEP, PLAN)


@pytest.mark.parametrize("change", ["record = '{}'", "made = '2027'", "settings = x'ff'", "checksum = x''"])
def test_a_damaged_result_is_named_and_the_rest_saved(tmp_path: Path, change: str) -> None:
    path = filled(tmp_path / "run.db", SWEEP, PLAN)
    file = sqlite3.connect(path)
    file.execute(f"UPDATE result SET {change} WHERE verb = 'plan'")
    file.commit()
    file.close()
    with pytest.raises(StoreError, match=r"run\.db: the result plan of <b>toy</b>, made 202. *.* is damaged: .*drop-d"):
        held(path)
    assert salvage(path).results == (SWEEP,)
    with pytest.raises(StoreError, match="the result plan"):
        merge(tmp_path / "new.db", [path])
    merged = merge(tmp_path / "new.db", [path], damaged="drop")
    assert ("the result plan of" in merged.damaged[0], len(merged.damaged), merged.units) == (True, 1, 1)
    assert held(tmp_path / "new.db") == (SWEEP,)


def without_results(path: Path) -> Path:
    """The same store as schema 4 has it."""
    file = sqlite3.connect(path)
    without_effects(file)
    file.execute("DROP TABLE result")
    file.execute("PRAGMA user_version = 4")
    file.commit()
    file.close()
    return path


@pytest.mark.parametrize("older", [without_results, without_checksums])
def test_an_older_store_has_no_results_until_it_is_written(tmp_path: Path, older) -> None:  # type: ignore[no-untyped-def]
    path = older(filled(tmp_path / "run.db", SWEEP))
    before = path.read_bytes()
    assert held(path) == ()
    assert salvage(path).results == ()
    assert path.read_bytes() == before
    merge(tmp_path / "new.db", [path])
    with Store(path) as store:
        assert store.schema == SCHEMA
        assert [("checksums" in remark) for remark in store.remarks] == [True] * (older is without_checksums)
        keep_result(store, SWEEP)
    assert held(path) == (SWEEP,)
    with Store(path, mode="read") as store, Store(tmp_path / "new.db", mode="read") as new:
        assert list(store.rows()) == list(new.rows())
        assert store.provenance(UNIT.key) == new.provenance(UNIT.key)
