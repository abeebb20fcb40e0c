"""One upset of a fault model an inference: in sweep, compare and evaluate, in stores, on workers, in shards."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import radhard as rh
from radhard.campaign.merge import merge
from radhard.campaign.store import Store
from radhard.campaign.workers.local import LocalWorkers
from radhard.errors import InputError
from radhard.hardware import FaultyArray, RegisterUpset, UpsetMachine, event_of, fault_models, read_fault_model
from radhard.hardware.fault_models import FaultModelEntry
from radhard.protection import Protected
from radhard.protection.schemes.row_check import RowCheckAbft
from radhard.report.saved import drawing_of
from tests.support.campaigns import setting
from tests.support.verbs import floats, network, pictures

EVERY = [entry.name for entry in fault_models()]
MEMORIES = [
    "memory:what=inputs",
    "memory:cells=pair:line=8:interleave=2",
    "memory:what=activations:cells=pair-word:interleave=4:ecc=parity",
    "memory:what=activations:cells=triple:line=8:ecc=secded",
    "memory:what=inputs:cells=pair-word:ecc=secded",
]
SMALL = "registers:array=4x4:dataflow=weight"
RUN = rh.RunOptions(images=30, trials=3, chunk=10)
RUN_OF_TRACE = rh.RunOptions(images=30)
IMAGES, LABELS = pictures(160)
DATA = floats(IMAGES), LABELS
MODEL = rh.capture(network(), DATA[0][:2], name="small")  # once, not in each verb


@pytest.fixture(scope="module")
def two() -> Iterator[LocalWorkers]:
    with LocalWorkers(2) as workers:
        yield workers


def rows_of(store: Path) -> list[object]:
    with Store(store, mode="read") as opened:
        return [opened.settings(), *opened.rows()]


def swept(store: Path, *, model: str = SMALL, **run: object) -> rh.SweepResult:
    options = rh.RunOptions(**{"images": 30, "trials": 3, "chunk": 10, "store": store, **run})  # type: ignore[arg-type]
    return rh.sweep(MODEL, DATA, fault_model=model, run=options)


def test_settings_of_flips_have_the_digests_that_stores_know_them_by() -> None:
    """Of settings from before there were fault models."""
    known = {
        setting(1e-8): "a8e760a48c97ba32bb187e03c7952fa5f9b4630eeac9e6bbb44b6ef45e0ece41",
        setting(0.0, flips=1): "3011c4846a50c08e5f9232d99e668dc45bb6074385a826a1bcd42c5c155be3c4",
        setting(0.0): "8bc6d29cb7c0b8516574690eea8646d315378b95f6697be95bbbb673eed762cb",
    }
    assert {one: one.digest for one in known} == known
    model = rh.RegisterUpsets(array=(4, 4))
    upset = setting(0.0, flips=1, fault_model=model)
    assert json.loads(upset.text)["faults"]["fault_model"] == {"name": "registers", "array": [4, 4]}
    assert upset.digest not in known.values()
    assert upset.without_faults().digest == known[setting(0.0)]
    assert not upset.within(setting(0.0, flips=1))
    with pytest.raises(InputError, match=r"has upsets of registers of a 4x4 array.*leave faults out"):
        upset.faults(0)


@pytest.mark.parametrize("name", EVERY)
def test_a_sweep_with_one_upset_an_inference(name: str, tmp_path: Path) -> None:
    found = rh.sweep(MODEL, DATA, fault_model=name, run=RUN)
    (row,) = found.rows()
    assert (row["ber"], row["flips_an_inference"], row["flips"], row["n"]) == (None, 1, 1.0, 90)
    assert row["sdc_low"] <= row["sdc"] <= row["sdc_high"]
    assert row["critical"] <= row["sdc"]
    record = found.to_dict()
    assert record["fault_model"].startswith(name)
    assert record["kinds"] == []
    assert record["exposed_bits"] > 200
    event, title = event_of(read_fault_model(name)), read_fault_model(name).title
    assert f"1 {event} an inference of {title}" in repr(found)
    found.plot(tmp_path / "curve.svg")
    told = (tmp_path / "curve.caption.txt").read_text()
    assert f"one {event} an inference of {title}" in " ".join(told.split())
    assert "nothing" not in told


def test_each_image_has_the_answer_of_its_own_upset_alone(tmp_path: Path) -> None:
    """What a store has of an image and trial is what a machine with that one hardware fault gives, run by itself."""
    setting = swept(tmp_path / "run.db", model="registers:array=4x4").sweep.setting
    traced = rh.trace(MODEL, DATA, fault_model="registers:array=4x4", run=RUN_OF_TRACE)
    program, data = traced.model_under_test.programs["int8"], traced.model_under_test
    assert program.digest == setting.program
    ids, places, changed = data.data.ids[:30], rh.RegisterUpsets(array=(4, 4)).places(program), 0
    for trial in range(3):
        with Store(tmp_path / "run.db", mode="read") as opened:
            rows = sorted((key, packed) for key, packed in opened.rows(setting=setting.digest) if key[1] == trial)
        stored = [p for _, packed in rows for p in torch.frombuffer(bytearray(packed[0]), dtype=torch.int32).tolist()]
        upsets = places.sample(ids.tolist(), seed=0, trial=trial)
        for place, image in enumerate(ids.tolist()):
            name, upset = upsets[image]
            assert isinstance(upset, RegisterUpset)
            batch, own = data.images(torch.tensor([place])), ids[place : place + 1]
            answer = rh.run(program, batch, FaultyArray(rh.Clean(), upset, sites=[name]), ids=own).logits
            assert int(answer.argmax()) == stored[place]
            changed += not torch.equal(answer, rh.run(program, batch).logits)
    assert changed > 10


BROKEN = ["stuck:of=a:array=4x4:dataflow=weight", "timing:dataflow=weight:halving=32"]


@pytest.mark.parametrize("name", [*EVERY, *MEMORIES, *BROKEN])
def test_neither_batch_nor_workers_nor_shards_change_an_outcome(name: str, two: LocalWorkers, tmp_path: Path) -> None:
    swept(tmp_path / "whole.db", model=name)
    whole = rows_of(tmp_path / "whole.db")
    assert len(whole) > 9
    swept(tmp_path / "batch.db", model=name, batch=7)
    assert rows_of(tmp_path / "batch.db") == whole
    swept(tmp_path / "workers.db", model=name, workers=two)
    assert rows_of(tmp_path / "workers.db") == whole
    for part in (1, 2):
        swept(tmp_path / f"{part}.db", model=name, shard=(part, 2))
    merge(tmp_path / "merged.db", [tmp_path / "1.db", tmp_path / "2.db"])
    assert rows_of(tmp_path / "merged.db") == whole


def test_a_fault_model_of_before_has_the_digest_and_the_text_that_stores_know_it_by() -> None:
    """Of a setting from before memories had cells, lines and codes."""
    upset = setting(0.0, flips=1, fault_model=rh.MemoryUpsets(what="activations"))
    assert json.loads(upset.text)["faults"]["fault_model"] == {"name": "memory", "what": "activations"}
    assert upset.digest == "72bdeeaf90250685040df0be6a668ed10b3a0626c6e60da2ca0a8e901b01325d"
    assert upset.fault_model_text == "memory:what=activations"
    other = setting(0.0, flips=1, fault_model=rh.MemoryUpsets(cells=rh.read_cell_shapes("pair"), interleave=4))
    assert json.loads(other.text)["faults"]["fault_model"] == {
        "name": "memory",
        "cells": [[1.0, [[0, 0], [0, 1]]]],
        "interleave": 4,
    }


def test_what_a_file_of_shapes_says_is_in_the_digest_and_where_it_lies_is_not(tmp_path: Path) -> None:
    text = 'source = "a paper"\nassumes = "neutrons"\n[[shapes]]\ncells = [[0, 0], [0, 1]]\nprobability = 1.0\n'
    digests = set()
    for name, content in (("one", text), ("two", text), ("three", text.replace("[0, 1]", "[0, 2]"))):
        (tmp_path / f"{name}.toml").write_text(content)
        model = read_fault_model(f"memory:cells={tmp_path}/{name}.toml")
        digests.add(setting(0.0, flips=1, fault_model=model).digest)
    pair = setting(0.0, flips=1, fault_model=read_fault_model("memory:cells=pair"))
    assert len(digests) == 2
    assert pair.digest in digests


def test_a_code_that_detects_gives_no_answer_and_one_that_corrects_the_clean_one(tmp_path: Path) -> None:
    """Two bits of one codeword, and one of each of two: as the table of upsets says of each image."""
    beside = "memory:what=activations:cells=pair-word:ecc=secded"
    (point,) = swept(tmp_path / "run.db", model=beside, trials=1).rows()
    traced = rh.trace(MODEL, DATA, fault_model=beside, run=RUN_OF_TRACE).rows()
    stopped = [row["effect"] == "detected: no answer" for row in traced]
    assert all(row["effect"] == "corrected" for row, stop in zip(traced, stopped, strict=True) if not stop)
    assert (point["sdc"], point["due"]) == (0.0, sum(stopped) / 30)
    assert point["due"] > 0.5
    apart = swept(tmp_path / "run.db", model=f"{beside}:interleave=8", trials=1).rows()[0]
    assert (apart["sdc"], apart["due"]) == (0.0, 0.0)
    bare = swept(tmp_path / "run.db", model="memory:what=activations:cells=pair-word", trials=1).rows()[0]
    assert bare["sdc"] > 0 == bare["due"]
    replayed = rh.replay(MODEL, DATA, trace=traced).replayed
    assert replayed.logits.isnan().any(1).tolist() == replayed.logits.isnan().all(1).tolist()
    assert int(replayed.logits.isnan().any(1).sum()) == sum(stopped)


def test_a_scheme_under_a_memory_with_a_code() -> None:
    """No scheme gives an answer to an inference that has stopped; what it executes is counted as in every other."""
    options, run = rh.CompareOptions(schemes=("row-abft",)), rh.RunOptions(images=30, trials=1, chunk=30)
    model = "memory:what=inputs:cells=pair-word:ecc=secded"
    found = rh.compare(MODEL, DATA, fault_model=model, compare_options=options, run=run)
    under = {row["configuration"]: row for row in found.rows() if row["flips_an_inference"]}
    assert under["row-abft"]["due"] == under["unprotected"]["due"] > 0.5
    with pytest.raises(InputError, match="read the same wrong weight"):
        rh.compare(MODEL, DATA, fault_model="memory:ecc=secded", compare_options=options, run=run)


def test_a_second_sweep_takes_what_the_store_has(tmp_path: Path) -> None:
    first = swept(tmp_path / "run.db")
    kept = rows_of(tmp_path / "run.db")
    again = swept(tmp_path / "run.db")
    assert again.rows() == first.rows()
    assert rows_of(tmp_path / "run.db") == kept
    swept(tmp_path / "run.db", model="registers:array=4x4")  # another fault model, other units
    assert len(rows_of(tmp_path / "run.db")) > len(kept)


def with_sound_copies(entry: FaultModelEntry) -> str:
    return f"{entry.name}:copies=other" if "copies" in entry.fields else entry.name


@pytest.mark.parametrize(
    "name", [with_sound_copies(entry) for entry in fault_models() if not read_fault_model(entry.name).unprotected]
)
def test_schemes_are_compared_under_upsets(name: str, tmp_path: Path) -> None:
    """Copies are sound, so a vote of three leaves nothing; and what a scheme finds is in its account."""
    options = rh.CompareOptions(schemes=("row-abft", "tmr"))
    run = rh.RunOptions(images=30, trials=3, chunk=30)
    found = rh.compare(MODEL, DATA, fault_model=name, compare_options=options, run=run)
    under = {row["configuration"]: row for row in found.rows() if row["flips_an_inference"]}
    assert under["tmr"]["sdc"] == 0
    record = found.to_dict()
    assert read_fault_model(record["fault_model"]) == read_fault_model(name)
    assert {pair["flips_an_inference"] for pair in record["pairs"]} == {1}
    model = read_fault_model(name)
    assert f"2 schemes with 1 {event_of(model)} an inference of {model.title}" in repr(found)
    found.plot(tmp_path / "schemes.png")
    (tmp_path / "compare.json").write_text(json.dumps({"models": [record]}))
    drawing_of(tmp_path / "compare.json")(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "schemes.png").read_bytes()


@pytest.mark.parametrize("name", ["stuck", "stuck:of=a:dataflow=weight", "dead"])
def test_a_vote_on_one_broken_array_sees_one_error_three_times(name: str) -> None:
    options, run = rh.CompareOptions(schemes=("tmr", "dmr", "row-abft")), rh.RunOptions(images=40, trials=2, chunk=40)
    found = rh.compare(MODEL, DATA, fault_model=f"{name}:array=4x4", compare_options=options, run=run)
    under = {row["configuration"]: row for row in found.rows() if row["flips_an_inference"]}
    assert under["tmr"]["sdc"] == under["dmr"]["sdc"] == under["unprotected"]["sdc"] > 0
    assert under["row-abft"]["sdc"] < under["unprotected"]["sdc"]  # its checks and repairs are made elsewhere


def test_a_vote_does_not_see_a_word_that_is_upset_in_memory() -> None:
    """Of the words of both models, one is wrong while it is computed, the other once it has been written."""
    options, run = rh.CompareOptions(schemes=("tmr",)), rh.RunOptions(images=60, trials=3, chunk=60)
    sdc = {}
    for name in ("outputs", "memory:what=activations"):
        found = rh.compare(MODEL, DATA, fault_model=name, compare_options=options, run=run)
        sdc[name] = {row["configuration"]: row["sdc"] for row in found.rows() if row["flips_an_inference"]}
    assert sdc["outputs"]["tmr"] == 0 < sdc["outputs"]["unprotected"]
    assert sdc["memory:what=activations"]["tmr"] == sdc["memory:what=activations"]["unprotected"] > 0


def test_checks_see_the_upsets_of_registers() -> None:
    images = DATA[0][:60]
    program = rh.quantize(MODEL, [images])
    clean = rh.run(program, images).logits
    upsets = UpsetMachine(rh.Clean(), rh.RegisterUpsets(array=(4, 4)).places(program), seed=1)
    hit = (rh.run(program, images, upsets).logits != clean).any(1)
    assert hit.sum() > 10
    names = [site.name for site in program.sites if site.operator in ("conv2d", "linear")]
    checked = Protected(upsets, dict.fromkeys(names, RowCheckAbft()))
    mended = (rh.run(program, images, checked).logits != clean).any(1)
    assert sum(account.alarms for account in checked.accounts.values()) >= 0.9 * hit.sum()  # errors of a row may cancel
    assert mended.sum() < hit.sum() / 10


def test_a_plan_is_evaluated_under_upsets() -> None:
    run, within = rh.RunOptions(images=40, trials=1), rh.PlanOptions(scheme="tmr", max_loss=20, max_overhead=250)
    planned = rh.plan(MODEL, DATA, ber=1e-4, plan_options=within, run=run)
    again = rh.RunOptions(images=20, trials=2, chunk=10)
    found = rh.evaluate(MODEL, DATA, plan=planned.plan, fault_model=SMALL, run=again)
    assert {row["flips_an_inference"] for row in found.rows()} == {None, 1}
    assert found.checks == ()  # its target is one at its own rate
    assert found.to_dict()["fault_model"] == SMALL


def test_sites_can_be_selected() -> None:
    options = rh.FaultOptions(operator=("linear",), seed=3)
    found = rh.sweep(MODEL, DATA, fault_model=SMALL, faults=options, run=RUN)
    whole = rh.sweep(MODEL, DATA, fault_model=SMALL, run=RUN)
    assert 0 < found.to_dict()["exposed_bits"] < whole.to_dict()["exposed_bits"]
    with pytest.raises(InputError, match="none of the sites has a product"):
        rh.sweep(MODEL, DATA, fault_model=SMALL, faults=rh.FaultOptions(operator=("quantize",)), run=RUN)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ber": 1e-8}, "ber 1e-08 with faults registers:array=4x4:dataflow=weight: .*no rate; leave one of the two"),
        ({"flips": 2}, "flips 2 with faults registers.*: a fault model has one upset an inference; leave flips out"),
        ({"flips": [1, 2]}, "flips 1,2 with faults"),
        ({"faults": rh.FaultOptions(kinds=frozenset({"mul"}))}, "kinds with faults registers.*leave kinds out"),
        ({"faults": rh.FaultOptions(words=rh.Words(product=rh.Int(16, exposed=8)))}, "words with faults"),
        ({"model_options": rh.ModelOptions(recipe="float")}, "computes in floats: quantise the program"),
        ({"fault_model": "registers:array=0x4"}, "array=0x4: an array with rows=0: every size is at least 1"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rh.sweep(MODEL, DATA, **{"fault_model": SMALL, "run": RUN, **options})  # type: ignore[arg-type]


def test_a_count_of_one_says_the_same() -> None:
    found = rh.sweep(MODEL, DATA, fault_model=SMALL, flips=1, run=RUN)
    assert found.rows() == rh.sweep(MODEL, DATA, fault_model=SMALL, run=RUN).rows()


def test_layers_are_not_chosen_under_upsets() -> None:
    with pytest.raises(InputError, match="extent needed with faults"):
        rh.compare(MODEL, DATA, fault_model=SMALL, compare_options=rh.CompareOptions(extent="needed"))
