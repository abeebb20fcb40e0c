"""`--flips` and `radhard sample-size`, as a user calls them."""

import json
from pathlib import Path

import pytest

from tests.campaign.test_unlabelled import call as call_unlabelled
from tests.campaign.test_unlabelled import place  # noqa: F401 - a fixture
from tests.cli.test_commands import call, refused
from tests.support.envelopes import envelope_of


@pytest.mark.parametrize("command", [("sweep",), ("compare",), ("trace", "--out", "faults.csv")])
def test_a_rate_and_a_count_together_name_both(command: tuple[str, ...]) -> None:
    told = refused(command[0], "fashion-vit", *command[1:], "--ber", "1e-8", "--flips", "1")
    assert "--ber 1e-8 with --flips 1: a rate and a count together; leave one of the two out" in told


def test_factors_have_no_number_of_flips() -> None:
    told = refused("vulnerability", "fashion-vit", "--flips", "1")
    assert "--flips 1: factors are measured at a bit error rate" in told
    assert "`radhard avf`" in told


@pytest.mark.parametrize("text", ["0", "1,", "one", "1,1", "-1"])
def test_what_is_no_number_of_flips_is_refused(text: str) -> None:
    assert "--flips" in refused("sweep", "fashion-vit", f"--flips={text}")


def test_a_plain_folder_of_images_takes_flips_and_rates(place: Path) -> None:  # noqa: F811
    """Without labels: SDC and DUE have rates, accuracy and critical SDC have none; which is said."""
    run = ("--trials", 2, "--images", 20, "--json")
    code, out, told = call_unlabelled(place, "sweep", "--flips", "1,30", *run)
    assert code == 0, told
    assert "without labels" in told
    low, high = envelope_of("sweep", out)["models"][0]["points"]
    assert (low["flips_an_inference"], high["flips_an_inference"], high["ber"]) == (1, 30, None)
    assert (high["accuracy"], high["critical"], high["critical_low"]) == (None, None, None)
    assert 0 <= high["sdc_low"] <= high["sdc"] <= high["sdc_high"] <= 1
    code, out, told = call_unlabelled(place, "sweep", "--flips", "1,30", "--trials", 2, "--images", 20)
    assert "SDC is the share of top-1 answers that are not the clean ones" in " ".join(out.split())
    assert "BER" not in out
    code, out, told = call_unlabelled(place, "avf", "--by", "site", *run)
    assert code == 0, told
    (model,) = envelope_of("avf", out)["models"]
    assert (model["labelled"], model["critical"]) == (False, None)
    assert model["masked"]["rate"] + model["benign"]["rate"] + model["sdc"]["rate"] + model["due"][
        "rate"
    ] == pytest.approx(1)
    code, out, told = call_unlabelled(place, "vulnerability", "--by", "site", "--ber", "1e-4", *run)
    assert code == 0, told
    assert envelope_of("vulnerability", out)["models"][0]["labelled"] is False


def test_a_sample_size_of_a_number_of_faults() -> None:
    text = call("sample-size", "--population", "1000", "--margin", "5", "--json")
    (model,) = envelope_of("sample-size", text)["models"]
    assert (model["simple"], model["stratified"], model["each"], model["components"]) == (278, None, None, [])
    assert "278 injections by simple random sampling of 1,000 possible faults" in call(
        "sample-size", "--population", "1000", "--margin", "5"
    )


def test_a_sample_size_of_a_model_and_after_a_study(place: Path, tmp_path: Path) -> None:  # noqa: F811
    code, out, told = call_unlabelled(place, "avf", "--by", "layer", "--trials", 2, "--images", 20, "--json")
    assert code == 0, told
    (tmp_path / "avf.json").write_text(out)
    study = json.loads(out)["models"][0]
    text = call("sample-size", "--after", tmp_path / "avf.json", "--margin", "0.5", "--json")
    (model,) = envelope_of("sample-size", text)["models"]
    assert [one["component"] for one in model["components"]] == [one["component"] for one in study["components"]]
    assert model["population"] == 20 * study["exposed_bits"]
    assert model["stratified"] < model["simple"]
    assert sum(one["allocated"] for one in model["components"]) == pytest.approx(model["stratified"], abs=3)
    shape = ("--input-shape", "3,32,32", "--mean", "0", "--std", "1")
    text = call("sample-size", f"{place / 'm.py'}:make", *shape, "--by", "layer", "--images", "20", "--json")
    (before,) = envelope_of("sample-size", text)["models"]
    assert before["population"] == model["population"]
    assert before["stratified"] is None
    assert before["each"] == sum(one["injections"] for one in before["components"])


def test_what_a_sample_size_cannot_be_of(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"models": []}')
    assert "give one of MODEL" in refused("sample-size")
    assert "--population and --after" in refused(
        "sample-size", "--population", "5", "--after", str(tmp_path / "other.json")
    )
    assert "other.json: it is not the study of AVFs" in refused("sample-size", "--after", str(tmp_path / "other.json"))
    assert "nothing.json" in refused("sample-size", "--after", str(tmp_path / "nothing.json"))
    assert "--margin 0: give percentage points" in refused("sample-size", "--population", "5", "--margin", "0")
