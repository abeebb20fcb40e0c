"""`radhard fit`, as a user calls it: its table, record and rows, and its errors."""

import csv
import json
from pathlib import Path

import pytest

from radhard.campaign import build as building
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.hardware import presets
from radhard.models.loaded import LoadedModel
from radhard.protection import Plan, Protection, Tmr, write_plan
from tests.cli.test_commands import call, refused
from tests.support.envelopes import envelope_of
from tests.support.explorations import tiny_under_test

SMALL = ("--images", "12", "--trials", "2")


@pytest.fixture(autouse=True)
def ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command find the tiny model, whatever the name."""

    def build(_: LoadedModel, **__: object) -> ModelUnderTest:
        return tiny_under_test()

    monkeypatch.setattr(building, "build", build)


def test_the_record_is_valid_and_the_rows_are_its_parts(tmp_path: Path) -> None:
    out = tmp_path / "fmeda.csv"
    text = call("fit", "fashion-vit", "--hardware", "npu-128", "--target", "sil-3", "--json", *SMALL, "--csv", out)
    envelope = envelope_of("fit", text)
    (model,) = envelope["models"]
    assert (envelope["settings"]["hardware"], envelope["settings"]["target"]) == ("npu-128", "sil-3")
    assert model["raw"] == pytest.approx(78.6432)  # 128 x 128 cells x 48 bits x 100 FIT / 10^6
    assert [part["upsets"] for part in model["parts"]] == [24, 24, 24]
    assert (model["target"]["spfm"], model["target"]["fit"]) == (0.99, 100)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["part"] for row in rows] == [part["part"] for part in model["parts"]]
    assert [float(row["residual_high"]) for row in rows] == [part["residual"]["high"] for part in model["parts"]]
    assert [float(row["safe"]) for row in rows] == [part["safe"]["rate"] for part in model["parts"]]


def test_the_table_says_what_it_is_of_and_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "npu.toml"
    buffer = '[[buffers]]\nname = "weights"\nholds = "weights"\nbits = 8000000\nrate = "flip-flop"\necc = "none"\n'
    path.write_text(presets()["npu-128"].replace("[rates", buffer + "\n[rates", 1))
    text = call("fit", "fashion-vit", "--hardware", path, *SMALL)
    flat = " ".join(text.split())
    assert "FMEDA, transient faults" in flat
    assert "ASIL-D (ISO 26262-5:2018): not met for what is modelled" in flat  # 800 FIT of a buffer, AVF 1 assumed
    assert "needed for ASIL-D: cover weights with a DC of at least 9" in flat
    assert "assumed" in text
    assert "flip-flop: BER 2.8e-26 a bit and cycle is 100 FIT/Mbit at 1 GHz" in text
    assert "not modelled:" in text
    assert "- clocks, resets, supply" in text
    assert "PMHF at most 10 FIT" in text


def test_a_plan_s_coverage_is_measured(tmp_path: Path) -> None:
    program = tiny_under_test().programs["int8"]
    protection = Protection.of({"head": Tmr()})
    plan = Plan(model="fashion-vit", program=program.digest, recipe="int8", ber=1e-8, protection=protection)
    write_plan(plan, tmp_path / "plan.json")
    text = call("fit", "fashion-vit", "--hardware", "npu-128", "--plan", tmp_path / "plan.json", "--json", *SMALL)
    (model,) = envelope_of("fit", text)["models"]
    assert {part["dc_from"] for part in model["parts"]} == {"measured"}
    assert model["plan_fit_per_mbit"] == pytest.approx(1e-8 * 3.6e27)
    text = call("fit", "fashion-vit", "--hardware", "npu-128", "--plan", tmp_path / "plan.json", *SMALL)
    assert "the plan: BER 1e-08 a bit and cycle is 3.6e+19 FIT/Mbit at 1 GHz" in text


def test_what_is_wrong_is_said_before_the_work(tmp_path: Path) -> None:
    assert "give a .toml file, or a preset: npu-128" in refused("fit", "fashion-vit", "--hardware", "nothing")
    assert "hardware" in refused("fit", "fashion-vit")
    path = tmp_path / "npu.toml"
    path.write_text(presets()["npu-128"].replace("rows = 128", "rows = 0"))
    assert f"hardware file {path}, 'array', 'rows' is 0; it is at least 1" in refused(
        "fit", "fashion-vit", "--hardware", str(path)
    )
    (tmp_path / "plan.json").write_text(json.dumps({}))
    assert "is no plan" in refused(
        "fit", "fashion-vit", "--hardware", "npu-128", "--plan", str(tmp_path / "plan.json"), *SMALL
    )
