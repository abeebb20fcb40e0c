"""What a store keeps of how its results were got."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from radhard.campaign import build as building
from radhard.campaign.store import Store
from radhard.version import VERSION
from tests.cli.test_commands import call
from tests.support.explorations import tiny_under_test


def test_the_version_is_the_package_s() -> None:
    assert version("radhard") == VERSION


SMALL = ("--images", "8", "--trials", "1", "--chunk", "8")


@pytest.mark.parametrize(
    ("command", "options", "recipes"),
    [
        ("sweep", ("--ber", "4e-6"), ("float", "int8")),
        ("vulnerability", ("--ber", "4e-6", "--by", "kind"), ("int8",)),
        ("vulnerability", ("--loss", "30", "--by", "kind"), ("int8",)),
    ],
)
def test_every_result_says_what_made_it(
    command: str, options: tuple[str, ...], recipes: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "build", lambda *_, **__: tiny_under_test())
    call(command, "fashion-vit", *SMALL, *options, "--store", tmp_path / "run.db")
    with Store(tmp_path / "run.db") as store:
        made = {store.provenance(key).made_by for key, _ in store.rows()}
    processor = torch.backends.cpu.get_cpu_capability()
    versions = {"radhard": version("radhard"), "torch": torch.__version__, "processor": processor, "device": "cpu"}
    programs = [tiny_under_test().programs[recipe] for recipe in recipes]
    assert made == {
        json.dumps({**versions, "back_end": program.backends}, sort_keys=True, separators=(",", ":"))
        for program in programs
    }
