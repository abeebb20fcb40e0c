"""`radhard plan`, `evaluate` and `compare`, as a user calls them: from a model to a plan, to what it is worth."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from radhard.campaign import build as building
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.machine import Clean
from radhard.models.data.splits import DataChoice
from radhard.models.loaded import LoadedModel
from radhard.program import run
from radhard.protection import read_plan
from tests.cli.test_commands import call, refused
from tests.support.explorations import tiny_under_test

RATE = "2e-5"
PLAN = ("plan", "fashion-vit", "--ber", RATE, "--images", 20, "--chunk", 10)


@pytest.fixture(autouse=True)
def _ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands find the tiny model: its first 200 images evaluate, the others select."""

    def build(loaded: LoadedModel, *, recipe: str, data: DataChoice, **_: object) -> ModelUnderTest:
        del recipe
        model_under_test = tiny_under_test()
        places = torch.arange(200) + (200 if data.part == "select" else 0)
        return replace(
            model_under_test, model=loaded.name, data=model_under_test.data.take(places, name=f"noise/{data.part}")
        )

    monkeypatch.setattr(building, "build", build)


def planned(folder: Path, *more: object) -> dict[str, Any]:
    told = json.loads(call(*PLAN, "--out", folder / "plan.json", "--store", folder / "run.db", "--json", *more))
    (record,) = told["models"]
    plan: dict[str, Any] = record["plan"]
    assert read_plan(folder / "plan.json").as_dict() == plan
    return plan


def test_from_a_model_to_a_plan_to_what_it_is_worth(tmp_path: Path) -> None:
    limits = ("--max-loss", 1, "--max-overhead", 60)
    files = ("--csv", tmp_path / "steps.csv", "--plot", tmp_path / "frontier.png")
    plan = planned(tmp_path, "--scheme", "lb-abft", *limits, *files)
    assert plan["bound"] in ("accuracy", "overhead", "products")
    sites = plan["protection"]["sites"]
    assert {scheme["scheme"] for scheme in sites.values()} <= {"lb-abft", "ranges"}
    assert plan["expected"]["overhead"]["share"] <= 0.6
    rows = list(csv.DictReader((tmp_path / "steps.csv").read_text().splitlines()))
    assert len(rows) == len(plan["frontier"])
    products = [step["products"] for step in plan["frontier"] if not step["ranges"]]
    assert products == list(range(len(plan["order"]) + 1))  # the whole frontier, a product at a time
    assert (tmp_path / "frontier.png").read_bytes().startswith(b"\x89PNG")
    assert planned(tmp_path, "--scheme", "lb-abft", *limits) == plan  # from the store

    worth = ("evaluate", "fashion-vit", "--plan", tmp_path / "plan.json", "--images", 60, "--chunk", 20)
    told = json.loads(call(*worth, "--json", "--csv", tmp_path / "worth.csv", "--plot", tmp_path / "worth.svg"))
    found = {(row["configuration"], row["ber"]): row for row in told["models"][0]["configurations"]}
    names = {name for name, ber in found if ber > 0}
    assert {"unprotected"} < names <= {"unprotected", "ranges only", "products only", "both"}
    clean, plain = found["unprotected", 0.0], found["unprotected", float(RATE)]
    best = found["both", float(RATE)]
    assert clean["overhead"] is None
    assert plain["overhead"] is None
    assert plain["accuracy"] < best["accuracy"] <= 1.0
    assert best["gain"]["rate"] == pytest.approx(best["accuracy"] - plain["accuracy"])
    assert best["flips"] == plain["flips"]  # the same faults
    assert len(list(csv.DictReader((tmp_path / "worth.csv").read_text().splitlines()))) == len(
        told["models"][0]["configurations"]
    )
    assert (tmp_path / "worth.svg").read_text().startswith("<?xml")
    text = call(*worth)
    assert "both" in text
    assert "95 %" in text


def test_images_that_chose_a_plan_do_not_evaluate_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned(tmp_path, "--frontier", "needed", "--grain", "layer")
    model_under_test = replace(tiny_under_test(), model="fashion-vit")
    monkeypatch.setattr(building, "build", lambda *_, **__: model_under_test)
    told = refused("evaluate", "fashion-vit", "--plan", tmp_path / "plan.json", "--images", 201)
    assert "1 of the 201 images of noise chose or judged the plan (image 200" in told


def test_a_plan_becomes_the_file_that_is_deployed(tmp_path: Path) -> None:
    planned(tmp_path, "--grain", "layer", "--max-loss", 0, "--max-overhead", 60)
    made = ("harden", "fashion-vit", "--plan", tmp_path / "plan.json", "--out", tmp_path / "model.pt2")
    assert "torch.export.load" in call(*made)
    module = torch.export.load(tmp_path / "model.pt2").module()
    model_under_test = tiny_under_test()
    images = model_under_test.images(torch.arange(5))
    plan = read_plan(tmp_path / "plan.json")
    expected = run(model_under_test.programs["int8"], images, plan.protection.on(Clean())).logits
    assert torch.equal(module(images), expected)
    counted = {name: int(buffer[0]) for name, buffer in module.named_buffers() if name.endswith(".events")}
    assert len(counted) == len(plan.protection.sites)
    assert all(counted.values())
    sites = [re.sub("[^0-9a-zA-Z]", "_", site) for site, _ in plan.protection.sites]
    assert all(any(f"_{site}." in name for name in counted) for site in sites)
    assert "must end in .pt2" in refused(*made[:-1], tmp_path / "model.bin")


def test_schemes_against_each_other(tmp_path: Path) -> None:
    asked = ("compare", "fashion-vit", "--ber", RATE, "--images", 40, "--select", 20, "--chunk", 20)
    schemes = "lb-abft:policy=leave,standard-abft:ranges=none,intensity-ideal:ranges=none,tmr,row-abft:checks=immune"
    told = json.loads(call(*asked, "--schemes", schemes, "--store", tmp_path / "run.db", "--json"))
    found = {row["configuration"]: row for row in told["models"][0]["configurations"] if row["ber"] > 0}
    assert set(found) == {"unprotected", *schemes.split(",")}
    standard, ideal = found["standard-abft:ranges=none"], found["intensity-ideal:ranges=none"]
    assert ideal["accuracy"] == standard["accuracy"]
    assert ideal["overhead"]["mul"] < standard["overhead"]["mul"]
    hidden = ideal["overhead"]["hidden"]
    both = ("mul", "add")
    assert sum(ideal["overhead"][k] for k in both) + hidden == pytest.approx(sum(standard["overhead"][k] for k in both))
    assert found["tmr"]["sites"] == found["row-abft:checks=immune"]["sites"]  # no scheme is cut short
    clean = [row for row in told["models"][0]["configurations"] if row["ber"] == 0]
    assert {row["configuration"] for row in clean} == {*found, "float program"}
    again = json.loads(call(*asked, "--schemes", schemes, "--store", tmp_path / "run.db", "--json"))
    assert again["models"] == told["models"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("plan", "fashion-vit", "--ber", "0"), "nothing flips"),
        (("plan", "fashion-vit", "--ber", "1e-6", "--scheme", "luck"), "scheme 'luck' is not known"),
        (("plan", "fashion-vit", "--ber", "1e-6", "--scheme", "tmr:vote=loud"), "choose from word, bitwise"),
        (("plan", "fashion-vit", "--ber", "1e-6", "--out", "plan.txt"), "must end in .json"),
        (("plan", "fashion-vit", "--ber", "1e-6", "--max-overhead", "-1"), "--max-overhead -1"),
        (("plan", "fashion-vit", "--ber", "1e-6", "--weights", "mul=x"), "--weights mul=x"),
        (("plan", "fashion-vit", "--ber", "1e-6", "--beside", "nowhere.json"), "no such file"),
        (("evaluate", "fashion-vit", "--plan", "nowhere.json"), "no such file"),
        (("compare", "fashion-vit", "--schemes", "tmr,tmr"), "each once"),
        (("compare", "fashion-vit", "--schemes", ""), "--schemes is an empty text"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(arguments: tuple[str, ...], told: str) -> None:
    assert told in refused(*arguments)


def test_plans_are_matched_with_models(tmp_path: Path) -> None:
    plan = planned(tmp_path, "--frontier", "needed", "--grain", "layer")
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**plan, "ber": 1e-5}))
    both = ("--plan", tmp_path / "plan.json", "--plan", other)
    assert "give one plan" in refused("evaluate", "fashion-vit", *both, "--ber", "1e-6")
    assert "none of the plans is for fashion-cait" in refused("evaluate", "fashion-cait", "--plan", other)
    other.write_text(json.dumps({**plan, "program": "0" * 64}))
    assert "the plan is for the program 000000000000" in refused("evaluate", "fashion-vit", "--plan", other)
