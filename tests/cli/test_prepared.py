"""Every command that works on a model under test passes the options of model and images on to what builds it."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from radhard.campaign import build as building
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.cli.commands import app
from radhard.errors import InputError
from radhard.models.data.splits import DataChoice
from radhard.models.load import LoadedModel
from radhard.models.load import load as real_load
from radhard.studies import model as loading

GIVEN = (
    "--data", "timm:torch/cifar10", "--data-root", "images", "--split", "test", "--samples", "30", "--data-seed", "7",
    "--calibration", "others", "--calibration-split", "extra", "--skip-bad", "--checkpoint", "w.pth", "--pretrained",
    "--input-shape", "3,4,5", "--mean", "0.5", "--std", "0.1,0.2,0.3", "--recipe", "int8-float",
    "--labels", "l.csv", "--classes", "c.txt", "--resize", "8x9", "--crop-pct", "0.5", "--interpolation", "box",
)  # fmt: skip
CHOSEN = DataChoice(
    data="timm:torch/cifar10", root=Path("images"), split="test", samples=30, seed=7, calibration="others",
    calibration_split="extra", bad="skip", labels="l.csv", classes=Path("c.txt"),
)  # fmt: skip
MODEL = {
    "weights": "pretrained", "input_shape": (3, 4, 5), "mean": (0.5,), "std": (0.1, 0.2, 0.3), "resize": (8, 9),
    "crop_pct": 0.5, "interpolation": "box", "checkpoint_key": None,
}  # fmt: skip
DEFAULT = {
    "weights": "random",
    **dict.fromkeys(("input_shape", "mean", "std", "resize", "crop_pct", "interpolation", "checkpoint_key")),
}
COMMANDS = {
    "sweep": ("--images", "11", "--ber", "1e-7"),
    "vulnerability": ("--images", "11", "--ber", "1e-7"),
    "trace": ("--images", "11", "--ber", "1e-7", "--out", "out.csv"),
    "replay": ("--trace", "flips.csv"),
}
EACH = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What the loader and the builder were asked for; nothing is built."""
    calls: list[Any] = []

    def load(name: str, checkpoint: Path | None, **options: Any) -> LoadedModel:
        calls.append((name, checkpoint, options))
        return real_load("fashion-vit")

    def build(_model: LoadedModel, *, recipe: str, data: DataChoice, images: int, **_: object) -> ModelUnderTest:
        calls.append((recipe, data, images))
        raise InputError("that is all")

    monkeypatch.setattr(loading, "load", load)
    monkeypatch.setattr(building, "build", build)
    monkeypatch.chdir(tmp_path)
    Path("flips.csv").write_text("trial,image,site,kind,index,bit\n0,0,head,mul,0,0\n")
    return calls


def invoke(*arguments: str) -> None:
    done = CliRunner().invoke(app, list(arguments))
    assert done.stderr == "radhard: that is all\n"


@EACH
def test_what_is_given_arrives(name: str, asked: list[Any]) -> None:
    invoke(name, "cifar-vit", *COMMANDS[name], *GIVEN)
    images = 1 if name == "replay" else 11
    assert asked == [("cifar-vit", Path("w.pth"), MODEL), ("int8-float", CHOSEN, images)]


@EACH
def test_what_is_left_out_is_the_default(name: str, asked: list[Any]) -> None:
    invoke(name, "fashion-vit", *COMMANDS[name])
    images = 1 if name == "replay" else 11
    assert asked == [("fashion-vit", None, DEFAULT), (None, DataChoice(), images)]
