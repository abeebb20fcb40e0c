"""The verbs `trace` and `replay`: the command's record, a plain run under the same flips, and what they refuse."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from typer.testing import CliRunner

import radhard as rh
from radhard.cli.commands import app
from radhard.errors import InputError
from radhard.faults import replay as replay_on_program
from radhard.faults import trace as trace_of_program
from radhard.report.schemas import command_schema
from radhard.studies.under_test import under_test
from radhard.words import Int, Words
from tests.support.verbs import floats, folder, network, pictures

PIXELS, LABELS = pictures()
DATA = (floats(PIXELS), LABELS)
BER = 1e-3
SHAPE = rh.ModelOptions(input_shape=(3, 8, 8), mean=(0.5,), std=(0.25,))


@cache
def traced() -> rh.Trace:
    return rh.trace(network(), DATA, ber=BER, trial=2, run=rh.RunOptions(images=9))


def test_the_faults_are_those_of_a_plain_run_and_so_are_the_logits() -> None:
    model_under_test = under_test(network(), DATA)
    ids, images = model_under_test.data.ids[:9], model_under_test.images(torch.arange(9))
    flips = trace_of_program(model_under_test.programs["int8"], rh.Faults(ber=BER, seed=0, trial=2), ids)
    assert len(traced().rows()) == len(flips) > 9
    assert [row["image"] for row in traced().rows()] == flips.image.tolist()
    found = rh.replay(network(), DATA, trace=traced())
    expected = replay_on_program(model_under_test.programs["int8"], images, flips, ids=ids).logits
    order = ids.argsort()
    assert torch.equal(found.replayed.images, ids[order])
    assert torch.equal(found.logits, expected[order])
    assert not torch.equal(found.logits, found.replayed.clean)


def test_a_file_flips_and_rows_are_the_same_table(tmp_path: Path) -> None:
    whole = rh.replay(network(), DATA, trace=traced()).to_dict()
    assert traced().write(tmp_path / "faults.csv") == len(traced().rows())
    for table in (tmp_path / "faults.csv", str(tmp_path / "faults.csv"), traced().flips, traced().rows()):
        assert rh.replay(network(), DATA, trace=table).to_dict() == whole
    image = traced().rows()[0]["image"]
    some = [row for row in traced().rows() if row["image"] == image]
    (one,) = rh.replay(network(), DATA, trace=some, run=rh.RunOptions(batch=3)).rows()
    assert one == next(row for row in whole["images"] if row["image"] == image)


def test_replay_is_the_command(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("from tests.support.verbs import network as net\n")
    model, data = f"{tmp_path / 'net.py'}:net", str(folder(tmp_path / "images", PIXELS, LABELS))
    table = tmp_path / "faults.parquet"
    rh.trace(model, data, ber=BER, model_options=SHAPE).write(table)
    stated = ("--input-shape", "3,8,8", "--mean", "0.5", "--std", "0.25")
    done = CliRunner().invoke(app, ["replay", model, "--data", data, "--trace", str(table), *stated, "--json"])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    jsonschema.validate(printed, command_schema("replay"))
    found = rh.replay(model, data, trace=table, model_options=SHAPE)
    assert printed["models"] == [json.loads(json.dumps(found.to_dict()))]
    assert found.rows()[0]["file"].endswith(".png")  # type: ignore[attr-defined]


def test_results_are_short() -> None:
    assert repr(traced()) == f"<Trace: Sequential, int8, BER 0.001, trial 2: {len(traced().rows())} flips in 9 images>"
    found = rh.replay(network(), DATA, trace=traced())
    assert repr(found).startswith(f"<ReplayResult: Sequential, int8, trial 2: {len(traced().rows())} flips in 9 images")
    assert found._repr_html_().count("<tr>") == 1 + 9


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"run": rh.RunOptions(images=3)}, "^images 3: replay takes batch and device alone"),
        ({"trial": 1}, "^trial 1: the faults that are given are those of trial 2"),
        ({"words": Words(product=Int(16, 8))}, "^words .*: the faults that are given are in words "),
        ({"trace": []}, "column 'trial' is missing"),
        ({"trace": ["row"]}, "^rows of a trace: they make no table"),
        ({"trace": "faults.txt"}, "must end in .csv or .parquet"),
        ({"trace": [{"trial": 0, "image": 1, "site": "0", "kind": "mul", "index": 0, "bit": 0}]}, "image 1"),
    ],
)
def test_what_cannot_be_replayed_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        rh.replay(network(), DATA, **{"trace": traced(), **options})


def test_a_trace_takes_the_number_of_images_alone() -> None:
    with pytest.raises(InputError, match=r"^trials 2: trace takes images alone"):
        rh.trace(network(), DATA, ber=BER, run=rh.RunOptions(trials=2))
