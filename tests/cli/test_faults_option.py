"""`--faults` of sweep, compare and evaluate, as a user calls them."""

import csv
import json
from pathlib import Path

import pytest

from radhard.hardware import fault_models
from tests.cli.test_commands import call, ready, refused  # noqa: F401 - a fixture
from tests.support.envelopes import envelope_of

SMALL = "registers:array=8x8:dataflow=weight"
EVERY = [entry.name for entry in fault_models()]


@pytest.mark.usefixtures("ready")
def test_a_sweep_says_what_was_upset(tmp_path: Path) -> None:
    run = ("--images", 6, "--trials", 2, "--faults", SMALL)
    text = call("sweep", "fashion-vit", *run, "--json", "--csv", tmp_path / "points.csv")
    envelope = envelope_of("sweep", text)
    assert envelope["settings"]["faults"] == SMALL
    (record,) = envelope["models"]
    assert record["fault_model"] == SMALL
    (point,) = record["points"]
    assert (point["flips_an_inference"], point["flips"], point["ber"], point["n"]) == (1, 1.0, None, 12)
    with (tmp_path / "points.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["flips_an_inference"] == "1"
    table = " ".join(call("sweep", "fashion-vit", *run).split())
    assert "upsets of registers of a 8x8 array, weight stationary" in table


@pytest.mark.usefixtures("ready")
def test_schemes_are_compared() -> None:
    run = ("--images", 4, "--trials", 1, "--faults", SMALL, "--schemes", "row-check,tmr")
    record = json.loads(call("compare", "fashion-vit", *run, "--json"))["models"][0]
    assert record["fault_model"] == SMALL
    assert {one["flips_an_inference"] for one in record["configurations"]} == {None, 1}


@pytest.mark.parametrize("command", [("sweep",), ("compare",), ("evaluate", "--plan", "there.json")])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--ber", "1e-8"), f"--ber 1e-8 with --faults {SMALL}: a fault model has one upset an inference; leave --ber"),
        (("--flips", "2"), f"--flips 2 with --faults {SMALL}: a fault model has one upset an inference; leave --flips"),
    ],
)
def test_a_rate_and_a_count_are_refused(command: tuple[str, ...], options: tuple[str, ...], message: str) -> None:
    assert message in refused(command[0], "fashion-vit", *command[1:], "--faults", SMALL, *options)


def test_a_text_that_is_no_fault_model_is_refused() -> None:
    assert "--faults registers:array=0x8: an array with rows=0" in refused(
        "sweep", "fashion-vit", "--faults", "registers:array=0x8"
    )
    assert "--faults rust: fault model 'rust' is not known" in refused("compare", "fashion-vit", "--faults", "rust")


def test_help_names_every_fault_model() -> None:
    text = " ".join(call("sweep", "--help").split())
    assert all(name in text for name in EVERY)


@pytest.mark.usefixtures("ready")
def test_broken_cells_are_traced_and_replayed(tmp_path: Path) -> None:
    file, run = tmp_path / "cells.csv", ("--images", 6, "--faults", "stuck:of=a")
    assert "6 stuck bits in 6 images" in call("trace", "fashion-vit", *run, "--layer", "blocks.0", "--out", file)
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    assert {row["fault_model"] for row in rows} == {"stuck:of=a:array=16x16:dataflow=output:copies=same"}
    assert all(name.startswith("blocks.0.") for row in rows for name in row["site"].split(";"))
    record = json.loads(call("replay", "fashion-vit", "--trace", file, "--json"))["models"][0]
    store = ("--trials", 1, "--store", tmp_path / "run.db")
    table = " ".join(call("sweep", "fashion-vit", *run, *store, "--layer", "blocks.0").split())
    assert "stuck bits of operands a of a 16x16 array, output stationary" in table
    (point,) = json.loads(call("sweep", "fashion-vit", *run, *store, "--layer", "blocks.0", "--json"))["models"][0][
        "points"
    ]
    assert point["sdc"] * 6 == pytest.approx(sum(one["clean"] != one["prediction"] for one in record["images"]))


@pytest.mark.usefixtures("ready")
def test_upsets_are_traced_and_replayed(tmp_path: Path) -> None:
    told = call(
        "trace", "fashion-vit", "--faults", SMALL, "--images", 5, "--trial", 1, "--out", tmp_path / "upsets.csv"
    )
    assert "5 upsets in 5 images" in told
    with (tmp_path / "upsets.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["fault_model"] for row in rows] == [SMALL] * 5
    record = json.loads(call("replay", "fashion-vit", "--trace", tmp_path / "upsets.csv", "--json"))["models"][0]
    assert record["trial"] == 1
    assert [(one["image"], one["flips"]) for one in record["images"]] == [(image, 1) for image in range(5)]
