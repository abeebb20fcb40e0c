"""Sweeps of several models: two linear classifiers, each of the nearest class mean, built as any model is."""

import csv
import io
import json
import time
import weakref
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import nn
from typer.testing import CliRunner

from radhard.campaign import build as building
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.campaign.rates import comparable_curve
from radhard.cli import parse
from radhard.cli.commands import app
from radhard.cli.live import Position, describe, watching
from radhard.errors import InputError, ModelError
from radhard.models.data.fashion import MEAN, STD, fashion_mnist
from radhard.models.load import LoadedModel
from radhard.studies import model as loading
from radhard.studies.progress import Measuring, Note

SMALL = ("--images", "60", "--trials", "2", "--ber", "1e-6,1e-4")
real_load = loading.load
real_build = building.build


@cache
def classifier(pixels: int) -> nn.Module:
    """Class means of the calibration images, after pooling to `pixels` x `pixels`."""
    data = fashion_mnist("calibration")
    pool = nn.Sequential(nn.AvgPool2d(28 // pixels), nn.Flatten())
    flat = pool(data.batch(torch.arange(len(data)), mean=MEAN, std=STD))
    means = torch.stack([flat[data.labels == k].mean(0) for k in range(10)])
    linear = nn.Linear(means.shape[1], 10)
    linear.weight.data, linear.bias.data = means, -(means**2).sum(1) / 2
    return nn.Sequential(pool, linear).eval()


SIDES = {"coarse": 4, "fine": 14}


def load(name: str, checkpoint: Path | None = None, **_: object) -> LoadedModel:
    if name not in SIDES:
        raise ModelError(f"model {name!r} is not known")
    if checkpoint is not None and not checkpoint.is_file():
        raise ModelError(f"checkpoint {checkpoint} for {name} is not a file")
    return replace(real_load("fashion-vit"), name=name, module=classifier(SIDES[name]))


@cache
def model_under_test(name: str) -> ModelUnderTest:
    return real_build(load(name), recipe="int8")


@pytest.fixture(autouse=True)
def two_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "load", load)
    monkeypatch.setattr(building, "build", lambda loaded, **_: model_under_test(loaded.name))


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["sweep", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["sweep", *map(str, arguments)])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return result.stderr


def models(*arguments: object) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(call(*arguments, "--json"))["models"]
    return records


def test_several_models_are_what_each_is_alone(tmp_path: Path) -> None:
    files = ("--csv", tmp_path / "points.csv", "--plot", tmp_path / "curves.svg", "--store", tmp_path / "run.db")
    together = models("coarse", "fine", *SMALL, *files)
    assert together == models("coarse", *SMALL) + models("fine", *SMALL)
    assert [record["model"] for record in together] == ["coarse", "fine"]
    assert [record["macs"] for record in together] == [16 * 10, 196 * 10]
    for record in together:
        assert record["clean"]["float"] > 0.4
    with (tmp_path / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == ["coarse", "coarse", "fine", "fine"]
    assert [float(row["relative"]) for row in rows] == [p["relative"] for m in together for p in m["points"]]
    figure = (tmp_path / "curves.svg").read_text()
    for part in ("2 models", ">coarse  (clean", ">fine  (clean"):
        assert part in figure


def test_the_table_compares_them_and_the_record_says_what_made_it(tmp_path: Path) -> None:
    store = ("--store", tmp_path / "my run.db")
    text = call("fine", "coarse", *SMALL, *store)
    for part in ("fine on fashion-mnist/test, no faults", "coarse, recipe int8", "compared", "1,960", "half lost"):
        assert part in text
    record = json.loads(call("fine", "coarse", *SMALL, *store, "--json"))
    assert record["command"] == f"radhard sweep fine coarse {' '.join(SMALL)} --store '{tmp_path}/my run.db' --json"
    assert record["radhard"]
    assert "compared" not in call("fine", *SMALL, *store)


def test_default_rates_meet_and_stay_when_a_model_joins() -> None:
    two = models("coarse", "fine", "--images", 1, "--trials", 1)
    rates = [{point["ber"] for point in record["points"]} for record in two]
    assert len(rates[0] & rates[1]) > 5
    assert rates[0] != rates[1]  # each has its own range
    for record, own in zip(two, rates, strict=True):
        assert own == set(comparable_curve(record["exposed_bits"], recipe="int8"))


def test_rates_are_1_2_and_5_of_each_power_of_ten() -> None:
    """30 to 50,000 flips in 10^9 bits: from 3e-8, nearest 2e-8 in the logarithm, to 5e-5."""
    assert comparable_curve(10**9, recipe="int8") == (
        2e-8, 5e-8, 1e-7, 2e-7, 5e-7, 1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5,
    )  # fmt: skip
    assert comparable_curve(1000, recipe="int8")[-1] == 1.0


def test_a_bench_is_let_go_before_the_next_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    models_under_test: list[weakref.ref[ModelUnderTest]] = []
    programs: list[weakref.ref[Any]] = []

    def build(*arguments: Any, **options: Any) -> ModelUnderTest:
        assert [ref() for ref in (*models_under_test, *programs)] == [None] * 2 * len(models_under_test)
        built = real_build(*arguments, **options)
        models_under_test.append(weakref.ref(built))
        programs.append(weakref.ref(built.programs["int8"]))
        return built

    monkeypatch.setattr(building, "build", build)
    call("coarse", "fine", *SMALL)
    assert len(models_under_test) == 2


# --- what is refused ---


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("coarse", "fine", "coarse"), ("'coarse' is given twice", "once")),
        (("coarse", "fine", "--checkpoint", "w.safetensors"), ("w.safetensors", "coarse=FILE", "coarse, fine")),
        (("coarse", "fine", "--checkpoint", "vit=w.safetensors"), ("vit=w.safetensors", "coarse=FILE")),
        (("coarse", "--checkpoint", "a", "--checkpoint", "coarse=b"), ("coarse=b", "has a already")),
        (("coarse", "fine", "--checkpoint", "fine=none.safetensors"), ("none.safetensors for fine", "not a file")),
        (("coarse", "fnie"), ("'fnie'",)),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_built(
    arguments: tuple[str, ...], says: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "build", lambda *_, **__: pytest.fail("built"))
    message = refused(*arguments)
    for part in says:
        assert part in message


def test_a_checkpoint_belongs_to_its_model() -> None:
    assert parse.of_models([], models=["a", "b"]) == {}
    assert parse.of_models(["w.safetensors"], models=["a"]) == {"a": "w.safetensors"}
    assert parse.of_models(["x=w.safetensors"], models=["a"]) == {"a": "x=w.safetensors"}  # a file's name
    assert parse.of_models(["b=w", "a=v"], models=["a", "b"]) == {"b": "w", "a": "v"}
    with pytest.raises(InputError, match="has w already"):
        parse.of_models(["b=w", "b=v"], models=["a", "b"])


# --- progress ---


def test_time_left_counts_the_models_to_come() -> None:
    position = Position(model="fine", place=2, of=5, began=time.perf_counter() - 50)
    assert position.seconds_left(10.0) == pytest.approx(10 + 3 * (50 + 10) / 2, abs=1.0)
    assert Position(model="fine", began=0.0).seconds_left(10.0) == 10.0  # one model: what is left of it


def test_progress_names_the_model() -> None:
    event = Measuring(
        model="fine", task="", done=1, total=4, images_per_second=1234.5, seconds_left=70.0, recipe="int8", ber=1e-8,
        known="",
    )  # fmt: skip
    assert describe(event, position=Position(model="fine")) == "fine: 1,234 images/s, 0:01:10 left"
    position = Position(model="fine", place=2, of=2)
    assert describe(event, position=position) == "fine (2 of 2): 1,234 images/s, 0:01:10 left for all"
    searching = replace(event, task="searching", known="accuracy 78.1 %")
    assert describe(searching, position=Position(model="fine")) == (
        "fine, searching: 1,234 images/s, 0:01:10 left, int8, BER 1e-08: accuracy 78.1 %"
    )
    out = io.StringIO()
    with watching(position, console=Console(file=out, force_terminal=True, width=120)) as report:
        report(event)
        report(Note(model="fine", line="one thing"))
        report(Note(model="fine", line="one thing"))
    assert out.getvalue().count("one thing") == 1
    assert "fine (2 of 2)" in out.getvalue()
