"""Fault models as texts and as JSON, and what a text cannot say."""

import json
from dataclasses import dataclass
from typing import Literal

import pytest

import radhard as rh
from radhard.errors import InputError
from radhard.hardware import (
    fault_model,
    fault_model_dict,
    fault_model_of,
    fault_model_text,
    fault_models,
    read_fault_model,
)
from radhard.hardware.fault_models import registry

EVERY = [entry.name for entry in fault_models()]


@pytest.mark.parametrize("name", EVERY)
def test_a_fault_model_is_read_as_it_is_written(name: str) -> None:
    entry = next(entry for entry in fault_models() if entry.name == name)
    model = read_fault_model(name)
    assert model == entry.kind()
    assert read_fault_model(fault_model_text(model)) == model
    assert fault_model_of(model) == fault_model_of(name) == model
    assert fault_model_dict(model) == {"name": name}  # what is at its default is left out, in whatever version
    assert entry.about
    assert model.title


def test_options_are_written_out_in_text_and_only_where_they_differ_in_json() -> None:
    model = rh.RegisterUpsets(array=(8, 4))
    assert fault_model_text(model) == "registers:array=8x4:dataflow=output"
    assert json.loads(json.dumps(fault_model_dict(model))) == {"name": "registers", "array": [8, 4]}
    assert fault_model_dict(rh.RegisterUpsets(dataflow="weight")) == {"name": "registers", "dataflow": "weight"}
    assert read_fault_model("registers:dataflow=weight:array=8x4") == rh.RegisterUpsets(array=(8, 4), dataflow="weight")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rust", r"--faults rust: fault model 'rust' is not known; it is one of .*registers"),
        ("registers:array=0x4", "--faults registers:array=0x4: an array with rows=0: every size is at least 1"),
        ("registers:array=4x0", "columns=0"),
        ("registers:array=4", "array='4' is no size; write rows x columns, such as 16x16"),
        ("registers:array=4x-4", "is no size"),
        ("registers:array=4x4x4", "is no size"),
        ("registers:dataflow=row", "dataflow='row' is not known; choose from output, weight"),
        ("registers:ber=1e-8", "registers has no option 'ber'; it has array, dataflow"),
        ("registers:array", "'array' is no option=value; options are array, dataflow"),
        ("registers:array=4x4:array=8x8", "array is given twice"),
        ("", "fault model '' is not known"),
        ("memory:what=biases", "what='biases' is not known; choose from weights, activations, inputs"),
        ("memory:cells=quad", "cells=quad: give a .toml file, or a preset: pair, pair-word, single, triple"),
        ("memory:line=many", "line='many' is no whole number from 0 on"),
        ("memory:line=-1", "line='-1' is no whole number"),
        ("memory:line=0", "line=0: give a whole number of words from 1 on"),
        ("memory:interleave=0", "interleave=0: give a whole number"),
        ("memory:interleave=7", "line=64: a line holds whole groups of 7 words"),
        ("memory:ecc=hamming", "ecc='hamming' is not known; choose from none, parity, secded"),
    ],
)
def test_a_text_that_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        read_fault_model(text)
    assert refused.match(message.removeprefix("--"))
    assert text in refused.value.on_command_line


def test_what_a_later_version_has_added_is_written_where_it_differs() -> None:
    assert fault_model_text(rh.MemoryUpsets()) == "memory:what=weights"
    text = "memory:what=inputs:cells=pair:line=32:interleave=4:ecc=secded"
    model = read_fault_model(text)
    assert model == rh.MemoryUpsets(
        what="inputs", cells=rh.read_cell_shapes("pair"), line=32, interleave=4, ecc="secded"
    )
    assert fault_model_text(model) == text


def test_a_fault_model_is_one_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class under the decorator is all that the registry needs; and one name is one class."""
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))

    @fault_model("toy", about="a toy")
    @dataclass(frozen=True, kw_only=True)
    class Toy(rh.RegisterUpsets):
        what: Literal["one", "other"] = "one"

    assert read_fault_model("toy:what=other:array=2x2") == Toy(what="other", array=(2, 2))
    with pytest.raises(ValueError, match="two fault models are called 'toy'"):
        fault_model("toy", about="another")(Toy)

    class Unknown(rh.RegisterUpsets):
        pass

    with pytest.raises(InputError, match=r"is not registered; there are .*RegisterUpsets"):
        fault_model_of(Unknown())
