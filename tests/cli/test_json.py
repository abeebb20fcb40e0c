"""What every command prints by --json: one envelope, whose models are as the command's schema says."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import call, ready

__all__ = ["ready"]  # a fixture

SMALL = ("--images", "6", "--trials", "1", "--ber", "1e-6")


def printed(*arguments: object) -> dict[str, Any]:
    """The envelope, valid by the schema of its command."""
    found: dict[str, Any] = json.loads(call(*arguments, "--json"))  # which holds it against the schema
    return found


@pytest.mark.usefixtures("ready")
def test_sweep() -> None:
    found = printed("sweep", "fashion-vit", *SMALL, "--site", "head")
    settings = found["settings"]
    assert (settings["images"], settings["ber"], settings["site"]) == (6, [1e-6], ["head"])
    assert (settings["recipe"], settings["kinds"]) == (None, ["add", "mul"])
    assert settings["words"] == {"product": "int16", "accumulator": "int32"}
    assert (settings["models"], settings["data"], settings["store"]) == (["fashion-vit"], "fashion-mnist", None)


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("by", [("--by", "module"), ("--by", "patch", "--grid", "2x2")])
def test_vulnerability(by: tuple[str, ...]) -> None:
    found = printed("vulnerability", "fashion-vit", *SMALL[:4], "--ber", "1e-6,1e-5", *by)
    (model,) = found["models"]
    assert [point["ber"] for point in model["points"]] == [1e-6, 1e-5]
    assert found["settings"]["by"] == model["by"] == by[1]


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("more", [(), ("--by", "layer"), ("--coverage",)])
def test_inspect(more: tuple[str, ...]) -> None:
    found = printed("inspect", "fashion-vit", *more)
    assert found["settings"]["coverage"] is ("--coverage" in more)


def test_blocks() -> None:
    found = printed("blocks", 64, 32, 16, "--ber", "1e-9,1e-8", "--activation")
    (product,) = found["models"]
    assert (product["m"], product["k"], product["n"], product["stored"]) == (64, 32, 16, False)
    assert len(product["rows"]) == 6


@pytest.mark.usefixtures("ready")
def test_replay(tmp_path: Path) -> None:
    path = tmp_path / "hand.csv"
    path.write_text("trial,image,site,kind,index,bit\n0,17,blocks.2.attn.proj,add,40,30\n")
    found = printed("replay", "fashion-vit", "--trace", path)
    assert [image["image"] for image in found["models"][0]["images"]] == [17]
    assert found["settings"]["trace"] == str(path)


@pytest.mark.usefixtures("ready")
def test_store_and_models(tmp_path: Path) -> None:
    file = tmp_path / "run.db"
    call("sweep", "fashion-vit", *SMALL, "--site", "head", "--store", file)
    assert printed("store", file)["damaged"] == []
    assert "fashion-vit" in [model["model"] for model in printed("models")["models"]]
