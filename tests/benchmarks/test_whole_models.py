"""Hardware faults in whole models: a small run, what the committed data must agree in, and sentences by hand."""

import copy
from collections.abc import Sequence
from typing import Any

import pytest
from benchmarks.claims import whole_models as claims

import radhard as rh
from benchmarks import whole_models as run
from radhard.analysis.intervals import wilson
from radhard.hardware import fault_model_of


def bare(record: dict[str, Any]) -> dict[str, Any]:
    return claims.outcomes(record)[claims.BARE]


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    case = run.Case(faults="dead:array=2x40:copies=other", images=6, margin=2, schemes=("none", "tmr"))
    return run.measure("fashion-resnet18", case, store=None)


def test_a_small_run(small: dict[str, Any]) -> None:
    assert [row["configuration"] for row in small["rows"]] == ["unprotected", "none", "tmr"]
    assert [row["n"] for row in small["rows"]] == [6, 6, 6]
    assert [(pair["configuration"], pair["reference"]) for pair in small["pairs"]] == [("tmr", "none")]
    unprotected, _, voted = small["rows"]
    assert all(unprotected[name] is None for name in run._ACCOUNT)
    assert voted["sdc"] == 0  # the copies are sound, and two of three
    assert voted["residual"] == 0
    assert voted["alarms"] > 0
    assert small["duty"] is None


def test_cells_that_no_product_uses_reach_no_word() -> None:
    """Of an array with more columns than any product has: a cell is used if its row and its column are."""
    model, images, wide = "fashion-vit", 40, 600
    case = run.Case(faults=f"dead:array=1x{wide}", images=images, margin=2)
    rows = rh.trace(model, fault_model=case.faults, run=rh.RunOptions(images=images)).rows()
    columns = [int(str(row["column"])) for row in rows]
    widest = 3 * 96  # queries, keys and values of a token; every other product has fewer columns
    found = run.drawn(model, case)
    assert found == {"reached": sum(column < widest for column in columns), "duty": None}
    assert 0 < found["reached"] < images


def test_faults_that_are_drawn_and_the_duty_of_registers_agree() -> None:
    found = [one for one in claims.main_records() if one["duty"] is not None]
    assert len(found) == 2 * len(run.MODELS)
    for one in found:
        share = wilson(one["reached"] / one["images"], n=one["images"], z=3.5)
        assert share.low < one["duty"] < share.high


def test_the_cases_are_fault_models_and_their_texts_differ() -> None:
    assert len({case.faults for case in run.CASES}) == len(run.CASES)
    for case in run.CASES:
        fault_model = fault_model_of(case.faults)
        assert not fault_model.unprotected
        assert (getattr(fault_model, "copies", "same") == "other") == (case.schemes == ("tmr",))
        assert getattr(fault_model, "array", (16, 16)) == (16, 16)


def test_rates_are_counts_with_their_intervals() -> None:
    for one in claims.records():
        for row in one["rows"]:
            for name in ("sdc", "critical", "due"):
                count = row[name] * row["n"]
                assert count == pytest.approx(round(count), abs=1e-6)
                around = wilson(row[name], n=row["n"])
                assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx((around.low, around.high))
            assert row["critical"] <= row["sdc"]


def test_a_fault_that_reaches_no_word_is_no_sdc() -> None:
    for one in claims.main_records():
        assert claims.hits(bare(one)) <= one["reached"] <= one["images"]


def test_where_copies_run_changes_the_vote_alone() -> None:
    for one in claims.main_records(run.BROKEN):
        other = next(
            x for x in claims.records() if (x["model"], x["faults"]) == (one["model"], one["faults"] + claims.OTHER)
        )
        assert bare(other) == bare(one)
        assert other["reached"] == one["reached"]


def test_pairs_are_differences_of_the_accuracies() -> None:
    for one in claims.main_records():
        accuracy = {row["configuration"]: row["accuracy"] for row in one["rows"]}
        assert [pair["configuration"] for pair in one["pairs"]] == list(run.SCHEMES[1:])
        for pair in one["pairs"]:
            want = accuracy[pair["configuration"]] - accuracy[pair["reference"]]
            assert pair["difference"]["rate"] == pytest.approx(want, abs=1e-9)


def test_data_of_other_cases_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    claims.records.cache_clear()
    monkeypatch.setattr(run, "CASES", run.CASES[:-1])
    with pytest.raises(ValueError, match="run it again"):
        claims.records()
    monkeypatch.undo()
    assert len(claims.records()) == len(run.MODELS) * len(run.CASES)


def test_the_rate_of_those_that_reach_a_word_by_hand() -> None:
    row = {"configuration": "unprotected", "sdc": 3 / 40, "n": 40}
    record = {"model": "fashion-vit", "faults": "x", "reached": 12, "images": 40, "rows": [row]}
    assert claims.if_reached(record) == wilson(3 / 12, n=12)
    assert claims.if_reached(record | {"reached": 0, "rows": [row | {"sdc": 0.0}]}).high == 1.0


def test_relations_by_hand() -> None:
    def record(model: str, relations: Sequence[str]) -> dict[str, Any]:
        schemes = run.SCHEMES[1:]
        pairs = [{"configuration": s, "relation": r} for s, r in zip(schemes, relations, strict=True)]
        return {"model": model, "faults": "dead", "pairs": pairs}

    first = record("fashion-vit", ["better", "better", "equivalent", "cannot tell", "cannot tell"])
    second = record("fashion-resnet18", ["better", "cannot tell", "equivalent", "worse", "cannot tell"])
    assert claims._related([first, second]) == (
        "better `row-check` in all two rows and `row-abft` in one of two; worse `standard-abft` in one of two; "
        "equivalent `lb-abft` in all two rows; cannot tell `row-abft` in one of two, `standard-abft` in one of two and "
        "`tmr` in all two rows."
    )


def test_rates_are_lower_where_intervals_do_not_overlap() -> None:
    def record(high: float) -> dict[str, Any]:
        bare = {"configuration": "unprotected", "sdc_low": 0.1, "sdc_high": 0.3}
        schemes = [{"configuration": name, "sdc_low": 0.0, "sdc_high": 0.2} for name in run.SCHEMES]
        return {"model": "x", "faults": "dead", "rows": [bare, *schemes[:-1], schemes[-1] | {"sdc_high": high}]}

    assert "under `tmr` in one of two rows. Where" in claims._below([record(0.09), record(0.1)])
    assert "under no scheme." in claims._below([record(0.1)])


def spoiled(change: dict[str, Any], configuration: str) -> tuple[dict[str, Any], ...]:
    """The records with one value of each row of a configuration changed."""
    found = copy.deepcopy(claims.records())
    for one in found:
        for row in one["rows"]:
            if row["configuration"] == configuration:
                row |= change
    return found


@pytest.mark.parametrize(
    ("change", "configuration", "sentence", "message"),
    [
        ({"due": 0.1}, "unprotected", claims.told, "DUEs"),
        ({"sdc_without_faults": 0.1}, "row-abft", claims.told, "without a fault"),
        ({"gain": {"low": 0.0}}, "tmr", lambda: claims._of_copies(claims.main_records(run.BROKEN)), "nowhere surely"),
        ({"alarms": 5.0}, "row-check", claims._of_words, "beside those of ranges"),
        ({"left": 1.0}, "tmr", lambda: claims._of_accounts(claims.main_records(run.BROKEN)), "gives words up"),
    ],
)
def test_sentences_that_the_data_do_not_bear_are_refused(
    change: dict[str, Any], configuration: str, sentence: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = spoiled(change, configuration)
    monkeypatch.setattr(claims, "records", lambda: found)
    with pytest.raises(ValueError, match=message):
        sentence()
