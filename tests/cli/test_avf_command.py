"""`radhard avf`, as a user calls it: its table, record, rows and figure."""

import csv
from pathlib import Path

import pytest

from radhard.campaign import build as building
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.models.loaded import LoadedModel
from tests.cli.test_commands import call, refused
from tests.support.envelopes import envelope_of
from tests.support.explorations import tiny_under_test

SMALL = ("--images", "24", "--trials", "2", "--chunk", "10")


@pytest.fixture(autouse=True)
def ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command find the tiny model, whatever the name."""

    def build(loaded: LoadedModel, **_: object) -> ModelUnderTest:
        assert loaded.name == "fashion-vit"
        return tiny_under_test()

    monkeypatch.setattr(building, "build", build)


def test_the_record_is_valid_and_the_rows_are_its_components(tmp_path: Path) -> None:
    out = tmp_path / "avf.csv"
    text = call("avf", "fashion-vit", "--json", *SMALL, "--by", "layer", "--csv", out, "--plot", tmp_path / "avf.svg")
    (model,) = envelope_of("avf", text)["models"]
    assert model["by"] == "layer"
    assert model["n"] == sum(one["n"] for one in model["components"]) == 24 * 2 * len(model["components"])
    assert sum(one["bits"] for one in model["components"]) == model["exposed_bits"]
    assert model["bits_share"] == 1.0
    assert model["sdc"]["low"] <= model["sdc"]["rate"] <= model["sdc"]["high"]
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["component"] for row in rows] == [one["component"] for one in model["components"]]
    assert [float(row["sdc"]) for row in rows] == [one["sdc"]["rate"] for one in model["components"]]
    assert [float(row["sdc_all_high"]) for row in rows] == [one["sdc_all"]["high"] for one in model["components"]]
    assert "AVF by layer" in (tmp_path / "avf.svg").read_text()


def test_the_table_fits_and_the_summary_says_how_it_was_got(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = call("avf", "fashion-vit", *SMALL, "--by", "module")
    assert "one flip an inference" in text
    assert "inferences with one flip: 24 images, " in " ".join(text.split())
    assert "naively" in text
    assert "accuracy" not in text


def test_patches_and_bits() -> None:
    by_bit = envelope_of("avf", call("avf", "fashion-vit", "--json", *SMALL, "--by", "bit", "--component", "add*"))
    (model,) = by_bit["models"]
    formats = ("float32", "int32")
    names = [f"add {word} bit {bit}" for word in formats for bit in range(32)]
    assert [one["component"] for one in model["components"]] == names
    assert 0 < model["bits_share"] < 1
    by_patch = envelope_of("avf", call("avf", "fashion-vit", "--json", *SMALL, "--by", "patch"))
    assert len(by_patch["models"][0]["components"]) > 4


def test_what_is_refused() -> None:
    assert "--by layer with --grid" in refused("avf", "fashion-vit", *SMALL, "--grid", "2x2")
    assert "--shard" in refused("avf", "fashion-vit", *SMALL, "--shard", "1/2")
    assert "nothing" in refused("avf", "fashion-vit", *SMALL, "--component", "nothing")
