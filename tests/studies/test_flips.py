"""A number of flips an inference in place of a rate: sweep, evaluate, compare and trace, and what they tell."""

import json
from pathlib import Path

import pytest
import torch

import radhard as rh
from radhard.campaign.store import Store
from radhard.errors import InputError
from radhard.report.saved import drawing_of
from tests.support.verbs import network, pictures

RUN = rh.RunOptions(images=30, trials=3, chunk=10)


def test_a_sweep_over_numbers_of_flips(tmp_path: Path) -> None:
    found = rh.sweep(network(), pictures(), flips=[1, 40], run=RUN)
    one, many = found.rows()
    assert (one["ber"], one["flips_an_inference"], one["flips"]) == (None, 1, 1.0)
    assert (many["ber"], many["flips_an_inference"], many["flips"]) == (None, 40, 40.0)
    assert many["sdc"] > one["sdc"]
    for row in (one, many):
        assert row["changed"] == pytest.approx(row["sdc"] + row["due"])
        assert row["critical"] <= row["sdc"]
        assert row["sdc_low"] <= row["sdc"] <= row["sdc_high"]
    assert found.to_dict()["loses_10_points"]["ber"] is None
    assert "2 numbers of flips" in repr(found)
    assert "BER" not in repr(found)
    found.plot(tmp_path / "curve.svg")
    drawn, told = (tmp_path / "curve.svg").read_text(), (tmp_path / "curve.caption.txt").read_text()
    assert "flips an inference" in drawn
    assert "at 1 flip an inference" in told
    assert "BER" not in told
    assert "bit error rate" not in drawn


def test_a_flip_that_is_traced_gives_the_same_answer_alone(tmp_path: Path) -> None:
    """Each image's flip, replayed by itself: what the sweep stored of that image."""
    images, store = pictures(), tmp_path / "run.db"
    rh.sweep(network(), images, flips=1, run=rh.RunOptions(images=30, trials=2, chunk=30, store=store))
    traced = rh.trace(network(), images, flips=1, trial=1, run=rh.RunOptions(images=30))
    assert "1 flip an inference, trial 1: 30 flips in 30 images" in repr(traced)
    rows = traced.rows()
    ids = traced.model_under_test.data.ids[:30].tolist()
    assert sorted(row["image"] for row in rows) == sorted(ids)
    with Store(store, mode="read") as opened:
        units = {key: packed for key, packed in opened.rows() if key[1] == 1}
    ((_, packed),) = units.items()
    stored = torch.frombuffer(bytearray(packed[0]), dtype=torch.int32).tolist()
    replayed = {row["image"]: row["prediction"] for row in rh.replay(network(), images, trace=traced).rows()}
    assert [replayed[image] for image in ids] == stored
    for row in rows[::7]:
        (alone,) = rh.replay(network(), images, trace=[row]).rows()
        assert (alone["flips"], alone["prediction"]) == (1, stored[ids.index(row["image"])])


def test_schemes_are_compared_under_a_number_of_flips(tmp_path: Path) -> None:
    options = rh.CompareOptions(schemes=("row-check", "tmr"))
    run = rh.RunOptions(images=20, trials=2, chunk=10)
    found = rh.compare(network(), pictures(160), flips=[1, 3], compare_options=options, run=run)
    rows = [row for row in found.rows() if row["flips_an_inference"]]
    assert {row["flips_an_inference"] for row in rows} == {1, 3}
    assert all(row["ber"] is None for row in rows)
    assert all(row["flips"] == row["flips_an_inference"] for row in rows)
    record = found.to_dict()
    assert {(pair["ber"], pair["flips_an_inference"]) for pair in record["pairs"]} == {(None, 1), (None, 3)}
    assert "2 numbers of flips an inference" in repr(found)
    found.plot(tmp_path / "schemes.png")
    assert "at 3 flips an inference" in (tmp_path / "schemes.caption.txt").read_text()
    (tmp_path / "compare.json").write_text(json.dumps({"models": [record]}))
    drawing_of(tmp_path / "compare.json")(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "schemes.png").read_bytes()


def test_a_plan_is_evaluated_under_a_number_of_flips() -> None:
    run, within = rh.RunOptions(images=40, trials=1), rh.PlanOptions(scheme="tmr", max_loss=20, max_overhead=250)
    planned = rh.plan(network(), pictures(160), ber=1e-4, plan_options=within, run=run)
    found = rh.evaluate(
        network(), pictures(160), plan=planned.plan, flips=2, run=rh.RunOptions(images=20, trials=2, chunk=10)
    )
    assert {row["flips_an_inference"] for row in found.rows()} == {None, 2}
    assert found.checks == ()  # its target is one at its own rate


@pytest.mark.parametrize("verb", [rh.sweep, rh.compare, rh.trace])
def test_a_rate_and_a_count_together_are_refused(verb) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="ber 1e-08 with flips 1: a rate and a count together; leave one of the two"):
        verb(network(), pictures(), ber=1e-8, flips=1)


@pytest.mark.parametrize(
    ("flips", "message"),
    [(0, "flips 0: give a number"), ([1, 1], "given twice"), ([], "empty"), (2.5, "2.5"), (10**7, "10000000")],
)
def test_what_is_no_number_of_flips_is_refused(flips: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rh.sweep(network(), pictures(), flips=flips)  # type: ignore[arg-type]


def test_a_trace_takes_a_rate_or_a_count() -> None:
    with pytest.raises(InputError, match="give a bit error rate"):
        rh.trace(network(), pictures())
    with pytest.raises(InputError, match=r"only .* bits"):
        rh.trace(network(), pictures(), flips=10**6).rows()
