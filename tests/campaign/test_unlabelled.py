"""Images without labels: what counts is whether an answer is still the one without faults."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import radhard as rh
from radhard.campaign.outcomes import UNDECIDED, right
from radhard.cli.commands import app
from radhard.faults import Faults
from radhard.models.data.listing import UNLABELLED
from radhard.models.load import load
from tests.support.pictures import noise, save

MODEL = """
import torch
from torch import nn

def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
"""
OPTIONS = ("--input-shape", "3,32,32", "--mean", "0", "--std", "1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("unlabelled")
    for number in range(40):
        save(Image.fromarray(noise(32, 32, seed=number)), root / "flat" / f"{number}.png")
    (root / "m.py").write_text(MODEL)
    return root


def call(place: Path, command: str, *arguments: object) -> "tuple[int, str, str]":
    given = [command, f"{place / 'm.py'}:make", *OPTIONS, "--data", place / "flat", *arguments]
    result = CliRunner().invoke(app, [str(argument) for argument in given])
    return result.exit_code, result.stdout, result.stderr


def test_an_answer_is_right_that_is_the_clean_one() -> None:
    prediction, clean = np.array([3, 4, UNDECIDED, 5], np.int32), np.array([3, 3, 3, UNDECIDED], np.int32)
    none = np.full(4, UNLABELLED)
    assert right(prediction, labels=none, clean=clean).tolist() == [True, False, False, False]
    assert right(prediction, labels=np.array([3, 3, 3, 3]), clean=clean).tolist() == [True, False, False, False]
    assert UNLABELLED != UNDECIDED


def test_a_sweep_counts_answers_that_change(place: Path, tmp_path: Path) -> None:
    files = ("--csv", tmp_path / "a.csv", "--plot", tmp_path / "a.svg", "--store", tmp_path / "a.db")
    arguments = ("--ber", "1e-9,1e-4", "--trials", 2, "--json", *files)
    code, out, told = call(place, "sweep", *arguments)
    assert code == 0, told
    (record,) = json.loads(out)["models"]
    assert (record["labelled"], record["measure"], record["images"]) == (False, "kept", 32)
    assert record["clean"] == {"float": None, "int8": None}
    assert "flat (folder of images): 40 images, without labels; first 0.png" in told
    low, high = record["points"]
    for name in ("accuracy", "low", "high", "relative", "relative_low", "relative_high"):
        assert low[name] is None
    assert low["changed"] == 0.0
    assert 0 < high["changed_low"] < high["changed"] < high["changed_high"] < 1
    assert json.loads(call(place, "sweep", *arguments)[1])["models"] == [record]  # from the store
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["measure"], row["accuracy"], float(row["changed"])) for row in rows] == [
        ("kept", "", low["changed"]),
        ("kept", "", high["changed"]),
    ]
    figure = (tmp_path / "a.svg").read_text()
    assert "SDC: top-1 differs from the fault-free answer" in figure
    assert "no labels, hence no accuracy" in figure
    assert ">accuracy<" not in figure
    code, out, _ = call(place, "sweep", "--ber", "1e-4", "--trials", 2, "--store", tmp_path / "a.db")
    assert "(DUE)" in out
    assert "accuracy" not in out


def test_the_share_is_that_of_plain_runs(place: Path) -> None:
    code, out, told = call(place, "sweep", "--ber", "1e-4", "--trials", 1, "--json", "--recipe", "float", "--seed", 3)
    assert code == 0, told
    (point,) = json.loads(out)["models"][0]["points"]
    loaded = load(f"{place / 'm.py'}:make", input_shape=(3, 32, 32), mean=[0], std=[1])
    from radhard.models.data.splits import DataChoice, split_data

    data = split_data(DataChoice(data=str(place / "flat")), loaded).evaluated
    images = data.batch(torch.arange(32), mean=(0.0,) * 3, std=(1.0,) * 3)
    program = rh.capture(loaded.module, images[:2])
    clean = program.graph(images).argmax(1)
    faulty = rh.run(program, images, rh.Faulty(rh.Clean(), Faults(ber=1e-4, seed=3)), ids=data.ids).logits
    assert point["changed"] == pytest.approx(float((faulty.argmax(1) != clean).float().mean()))


def test_vulnerability_is_of_answers_that_change(place: Path, tmp_path: Path) -> None:
    plot = tmp_path / "v.svg"
    arguments = ("--by", "site", "--ber", "1e-4", "--trials", 1, "--store", tmp_path / "a.db")
    code, out, told = call(place, "vulnerability", *arguments, "--json", "--csv", tmp_path / "v.csv", "--plot", plot)
    assert code == 0, told
    (record,) = json.loads(out)["models"]
    assert (record["labelled"], record["measure"]) == (False, "kept")
    (at,) = record["points"]
    assert at["clean"]["accuracy"] is None
    assert at["loss"]["rate"] == pytest.approx(at["plain"]["changed"])
    assert max(c["factor"] for c in at["components"]) > 0
    assert "answers kept as the clean ones (SDC avoided)" in plot.read_text()
    assert (tmp_path / "v.csv").read_text().splitlines()[1].startswith(f"{place / 'm.py'}:make,int8,site,0.0001,,kept,")
    code, out, _ = call(place, "vulnerability", *arguments)
    assert "percentage points of SDC" in out
    assert "no labels, hence no accuracy: with no component protected" in out


def test_schemes_are_compared_by_agreement(place: Path, tmp_path: Path) -> None:
    """Nothing shown or written of images without labels is called accuracy, but where it is said that there is none."""
    files = ("--csv", tmp_path / "c.csv", "--plot", tmp_path / "c.svg", "--store", tmp_path / "a.db")
    arguments = ("--ber", "1e-4", "--schemes", "row-abft,tmr:ranges=none", *files)
    code, out, told = call(place, "compare", *arguments, "--json")
    assert code == 0, told
    (record,) = json.loads(out)["models"]
    assert (record["labelled"], record["measure"], record["images"]) == (False, "kept", 32)
    names = [one["configuration"] for one in record["configurations"]]
    assert names == ["unprotected", "row-abft", "tmr:ranges=none"] * 2  # no float program: it would agree with itself
    for one in record["configurations"]:
        for name in ("accuracy", "low", "high", "relative", "relative_low", "relative_high", "critical"):
            assert one[name] is None
        assert one["changed_low"] <= one["changed"] <= one["changed_high"]
        assert one["loss"]["rate"] == pytest.approx(one["changed"])
    bare = next(one for one in record["configurations"] if one["ber"])
    assert 0 < bare["changed"] < 1
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["measure"], row["accuracy"], float(row["changed"])) for row in rows] == [
        ("kept", "", one["changed"]) for one in record["configurations"]
    ]
    figure = (tmp_path / "c.svg").read_text()
    assert "points of agreement more than row-abft" in figure
    assert f"{1 - bare['changed']:.1%}" in figure
    assert "accuracy" not in figure
    assert "accuracy" not in (tmp_path / "c.caption.txt").read_text()
    code, out, _ = call(place, "compare", *arguments)
    text = " ".join(out.split())
    assert "no labels, hence no accuracy: agreement is the share of answers that are the same as without" in text
    assert "agreement minus that of row-abft, in percentage points" in text
    assert f"{100 * (1 - bare['changed']):.2f}" in text
    assert text.count("accuracy") == 2  # there is none; and it loses no more
    rh.write_report(tmp_path / "a.db", out=tmp_path / "page.html")
    page = re.sub(
        r"<script.*?</script>|<style.*?</style>|<[^>]+>", "", (tmp_path / "page.html").read_text(), flags=re.S
    )
    assert "Agreement of each configuration" in page
    assert "(equivalent: within 2 points of agreement)" in page
    assert "Accuracy" not in page


def test_a_plan_goes_by_agreement(place: Path, tmp_path: Path) -> None:
    """What the command prints, its figure, and the page of the report."""
    file = tmp_path / "p.json"
    how = ("--images", 12, "--judge", 12, "--trials", 1, "--max-loss", 30, "--max-overhead", 300, "--grain", "layer")
    kept = ("--store", tmp_path / "a.db", "--plot", tmp_path / "p.svg")
    code, out, told = call(place, "plan", "--ber", "1e-4", "--scheme", "tmr", *how, *kept, "--out", file)
    assert code == 0, told
    text = " ".join(out.split())
    assert "target: at most 30 points of agreement lost from 100.00% clean" in text
    assert "no labels, hence no accuracy: agreement is" in text
    assert "expected agreement: " in text
    assert text.count("accuracy") == 2  # there is none; and it loses no more
    assert json.loads(file.read_text())["chosen_on"]["measure"] == "kept"
    figure = (tmp_path / "p.svg").read_text()
    assert "agreement under faults" in figure
    assert "accuracy" not in figure
    rh.write_report(tmp_path / "a.db", out=tmp_path / "page.html")
    page = re.sub(
        r"<script.*?</script>|<style.*?</style>|<[^>]+>", "", (tmp_path / "page.html").read_text(), flags=re.S
    )
    assert "Agreement over overhead" in page
    assert "points of agreement (95 % limits" in page
    assert "Accuracy" not in page
    code, out, told = call(place, "evaluate", "--plan", file, "--images", 8, "--trials", 1)
    assert code == 0, told
    assert "at most 30 points of agreement lost: " in " ".join(out.split())
    assert "checked by" not in told
