"""The program itself: its version, `python -m radhard`, completion, and the list of models."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from radhard.campaign.build import RECIPES
from radhard.cli import completion
from radhard.cli.commands import app
from radhard.machine import Clean
from radhard.models.data.fashion import fashion_mnist
from radhard.models.load import load
from radhard.models.sources.names import FORMS
from radhard.models.zoo import ZOO
from radhard.program import run
from radhard.protection.planning.method import methods
from radhard.version import VERSION

DOCS = Path(__file__).parents[2] / "docs"


def test_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"radhard {VERSION}\n")


def python_m(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "radhard", *arguments],
        capture_output=True, text=True, timeout=120, env={**os.environ, **environment},
    )  # fmt: skip


def test_python_m_radhard_is_radhard() -> None:
    installed = subprocess.run([Path(sys.executable).with_name("radhard"), "--version"], capture_output=True, text=True)
    assert installed.stdout == python_m("--version").stdout == f"radhard {VERSION}\n"
    wrong = python_m("sweep", "fashion-vit", "--ber", "2")
    assert wrong.returncode == 2
    assert wrong.stderr == "radhard: --ber: 2 is not in [0, 1]; a bit error rate is a probability\n"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("radhard swe", {"sweep"}),
        ("radhard sweep fashion-r", {"fashion-resnet18", "fashion-resnet20"}),
        ("radhard inspect fashion-vit --recipe int8-", {"int8-symmetric", "int8-float"}),
        ("radhard vulnerability fashion-vit --by p", {"patch"}),
        ("radhard sweep fashion-vit --data-r", {"--data-root"}),
    ],
)
def test_a_shell_is_offered(line: str, offered: set[str]) -> None:
    code = "import sys; sys.argv = ['radhard']; from radhard.cli import main\ntry: main()\n"
    code += "finally: assert 'torch' not in sys.modules"
    asked = {"_RADHARD_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env={**os.environ, **asked}
    )
    assert set(done.stdout.split()) == offered, done.stderr
    assert "AssertionError" not in done.stderr


def test_what_completes_is_what_there_is() -> None:
    assert set(completion.RECIPES) == set(RECIPES)
    assert set(completion.zoo()) == set(ZOO)
    assert completion.models("fashion-vi") == ["fashion-vit"]
    assert "vit_base_patch16_224" in completion.models("vit_base_patch16")
    assert completion.models("timm:deit_tiny_patch16_2") == ["timm:deit_tiny_patch16_224"]
    assert "torchvision:resnet50" in completion.models("torchvision:resnet5")
    assert completion.models("hf:goo") == []
    assert completion.schemes("tm") == ["tmr"]
    assert set(completion.schemes("tmr,")) == {f"tmr,{name}" for name in methods()}


def test_models_lists_the_zoo_with_its_accuracies() -> None:
    record = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)
    assert [model["model"] for model in record["models"]] == list(ZOO)
    page = (DOCS / "zoo.md").read_text()
    table = CliRunner().invoke(app, ["models"]).stdout
    for model in record["models"]:
        card = ZOO[model["model"]].card.read_text()
        assert f"({round(model['accuracy']['float'] * model['images'])} of 10000" in card
        assert f"{model['parameters']:,} parameters" in card
        rates = [f"{model['accuracy'][recipe]:.2%}" for recipe in ("float", "int8-symmetric", "int8")]
        assert f"| {' | '.join(rates)} |" in next(line for line in page.splitlines() if f"`{model['model']}`" in line)
        for text in (model["model"], f"{model['parameters']:,}", *rates):
            assert text in table
    assert "radhard[hf]" in table
    assert [form["form"] for form in record["names"]] == [form.form for form in FORMS]


@pytest.mark.parametrize("form", [form for form in FORMS if form.example[:2] not in ("hf", "mo")], ids=lambda f: f.form)
def test_a_name_of_each_form_that_needs_no_file_loads(form: object) -> None:
    example = form.example  # type: ignore[attr-defined]
    assert load(example).name == example


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_the_accuracies_are_those_of_all_test_images(name: str) -> None:
    from radhard.campaign.build import build
    from radhard.models.data.splits import DataChoice

    for recipe in ("int8", "int8-symmetric"):
        model_under_test = build(load(name), recipe=recipe, data=DataChoice(), images=10_000)
        labels = fashion_mnist("test").labels
        for each in ("float", recipe):
            right = 0
            for ids in torch.arange(10_000).split(500):
                answers = run(
                    model_under_test.programs[each], model_under_test.images(ids), Clean(), ids=ids
                ).logits.argmax(1)
                right += int((answers == labels[ids]).sum())
            assert right == ZOO[name].correct[each], (name, each)
