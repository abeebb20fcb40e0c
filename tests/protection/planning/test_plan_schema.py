"""docs/schema/plan-file.json: what `write_plan` writes fits it, what is wrong does not; it says what the code has."""

import json
import math
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest
import torch
from jsonschema import Draft202012Validator

from radhard.analysis.intervals import Interval
from radhard.analysis.judging import VERDICTS
from radhard.analysis.overhead import Spent, Weights
from radhard.campaign.selection import chosen_on
from radhard.protection import (
    SCHEMES,
    Block,
    FloatAbft,
    HuangAbraham,
    IntensityGuided,
    LbAbft,
    Method,
    Plan,
    Protection,
    Ranges,
    RowAbft,
    Scheme,
    StandardAbft,
    Tmr,
    read_plan,
    write_plan,
)
from radhard.protection.planning.grounds import MeasuredOverhead
from radhard.protection.planning.method import methods
from radhard.protection.planning.schema import text
from tests.support.outcomes import spent
from tests.support.plans import candidate, plan, step

PATH = Path(__file__).parents[3] / "docs" / "schema" / "plan-file.json"
SCHEMA = json.loads(PATH.read_text())
PARTS = SCHEMA["$defs"]
BLOCK = Block(m=16, k=64, n=32)
EACH: dict[str, tuple[Scheme, ...]] = {
    "lb-abft": (LbAbft(block=BLOCK), LbAbft(block=BLOCK, policy="row", retries=0, repair="visible")),
    "row-abft": (RowAbft(block=BLOCK),),
    "standard-abft": (StandardAbft(),),
    "huang-abraham": (HuangAbraham(),),
    "intensity-guided": (IntensityGuided(), IntensityGuided(hides="measured", operations_per_byte=400.0, batch=8)),
    "tmr": (Tmr(), Tmr(vote="bitwise")),
    "ranges": (Ranges(low=-1.0, high=2.5, outside="clamp"),),
    "float-abft": (FloatAbft(), FloatAbft(deviations=5.0, width=64, lanes=8, retries=0)),
}
for _name, _kind in SCHEMES.items():
    if _name not in EACH:
        EACH[_name] = (_kind(),)
BY_HAND = Plan(model="toy", program="ab" * 32, recipe="int8", ber=0.0, protection=Protection())


def errors(values: object) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(values)]


def written(one: Plan, folder: Path) -> dict[str, Any]:
    write_plan(one, folder / "plan.json")
    found: dict[str, Any] = json.loads((folder / "plan.json").read_text())
    return found


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", SCHEMES)
def test_a_plan_with_each_kind_of_scheme_fits(tmp_path: Path, name: str) -> None:
    sites = {f"site {k}": scheme for k, scheme in enumerate(EACH[name])}
    assert errors(written(plan(protection=Protection.of(sites, checks="immune")), tmp_path)) == []


def test_all_of_a_plan_fits(tmp_path: Path) -> None:
    assert errors(written(plan(), tmp_path)) == []
    assert errors(written(BY_HAND, tmp_path)) == []
    one = plan()
    assert one.expected is not None
    overhead = MeasuredOverhead.from_dict(spent(0.01, high=math.inf).as_dict(), place="overhead")
    assert errors(written(plan(expected=replace(one.expected, overhead=overhead)), tmp_path)) == []


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another format": lambda p: p.update(radhard_plan=3),
    "a format without a verdict": lambda p: p.pop("verdict"),
    "a verdict that is none": lambda p: p.update(verdict="perhaps"),
    "a judgement without its limits": lambda p: p["judged"].pop("loss"),
    "no program": lambda p: p.pop("program"),
    "a field that is none": lambda p: p.update(colour="red"),
    "a rate above 1": lambda p: p.update(ber=2.0),
    "a strategy that is none": lambda p: p.update(strategy="luck"),
    "a scheme that is none": lambda p: p["protection"]["sites"].update(a={"scheme": "prayer"}),
    "a scheme without its name": lambda p: p["protection"]["sites"].update(a={"vote": "word"}),
    "an option of another scheme": lambda p: p["protection"]["sites"].update(a={"scheme": "tmr", "retries": 1}),
    "an option with a value that is none": lambda p: p["protection"]["sites"].update(a={"scheme": "tmr", "vote": "x"}),
    "no block": lambda p: p["protection"]["sites"].update(a={"scheme": "row-abft"}),
    "a block of two": lambda p: p["protection"]["sites"].update(a={"scheme": "row-abft", "block": [1, 2]}),
    "a range of one end": lambda p: p["protection"]["sites"].update(a={"scheme": "ranges", "low": 0}),
    "ideal with a device": lambda p: p["protection"]["sites"].update(
        a={"scheme": "intensity-guided", "operations_per_byte": 4.0}
    ),
    "measured without": lambda p: p["protection"]["sites"].update(
        a={"scheme": "intensity-guided", "hides": "measured"}
    ),
    "checks that are none": lambda p: p["protection"].update(checks="perhaps"),
    "an order of names": lambda p: p.update(order=["head"]),
    "a step without its accuracy": lambda p: p["frontier"][0].pop("accuracy"),
    "a step with more": lambda p: p["frontier"][0].update(luck=1),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_plan_does_not_fit(tmp_path: Path, wrong: str) -> None:
    values = written(plan(), tmp_path)
    WRONG[wrong](values)
    assert errors(values)


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[3] / "results" / "plans").glob("*.json")))
def test_plans_of_the_results_fit_and_are_read(path: Path) -> None:
    """They are of format 1, which was not judged."""
    assert errors(json.loads(path.read_text())) == []
    found = read_plan(path)
    assert (found.verdict, found.judged) == ("", None)


@pytest.mark.parametrize("name", SCHEMES)
def test_the_schema_has_the_options_of_each_scheme(name: str) -> None:
    part, kind = PARTS[name], SCHEMES[name]
    options = dict(part["properties"])
    assert options.pop("scheme") == {"const": name}
    assert options.keys() == {field.name for field in fields(kind)}  # type: ignore[arg-type]
    assert part["description"]
    must = {field.name for field in fields(kind) if field.default is MISSING}  # type: ignore[arg-type]
    assert set(part["required"]) == {"scheme", *must}
    for field in fields(kind):  # type: ignore[arg-type]
        if field.default is not MISSING:
            assert options[field.name]["default"] == field.default
    assert choices(part) == named(kind)
    assert {"$ref": f"#/$defs/{name}"} in PARTS["scheme"]["oneOf"]


def test_the_schema_knows_no_other_scheme() -> None:
    assert len(PARTS["scheme"]["oneOf"]) == len(SCHEMES)
    assert EACH.keys() == SCHEMES.keys()


def test_the_schema_is_not_stale() -> None:
    assert PATH.read_text() == text(), "run `make schemas`"


def test_the_schema_has_the_fields_of_what_is_written() -> None:
    written_by_all = set(SCHEMA["required"]) | set(SCHEMA["then"]["required"])
    every = {"radhard_plan", *(f.name for f in fields(Plan))}
    assert set(SCHEMA["properties"]) == every
    assert written_by_all == every - {"anatomy"}  # left out where the user said nothing of it
    judged = PARTS["Judged"]
    values = plan().as_dict()["judged"]
    assert judged["properties"].keys() == set(judged["required"]) == values.keys()
    (tested,) = values["tested"]
    assert PARTS["JudgedStep"]["properties"].keys() == tested.keys()
    assert set(SCHEMA["properties"]["verdict"]["enum"]) == {"", *VERDICTS}
    for name, kind in (("Estimate", Interval), ("MeasuredOverhead", Spent), ("Weighting", Weights)):
        assert PARTS[name]["properties"].keys() == {field.name for field in fields(kind)}
    assert PARTS["OrderedProduct"]["properties"].keys() == vars(candidate(0).recorded).keys() | {
        "guessed"
    }  # where it is
    of_format_1 = set(PARTS["FrontierStep"]["required"])
    rates = {f"{rate}{end}" for rate in ("sdc", "critical", "due") for end in ("", "_low", "_high")}
    since = {"differing", "changed_low", "changed_high", *rates}
    assert PARTS["FrontierStep"]["properties"].keys() == of_format_1 | since == step(1).recorded.as_dict().keys()
    assert PARTS["Expected"]["properties"].keys() == plan().as_dict()["expected"].keys()
    data = SimpleNamespace(
        name="toy", digest="cd" * 32, images=torch.zeros(1, 1, 2, 2), ids=torch.tensor([31]), labelled=True
    )
    on = chosen_on(data, images=1, trials=1, calibrated_on="toy/train", judged=(data, 1)).as_dict()
    assert (
        PARTS["ChosenOn"]["properties"].keys() - {"pixels", "measure"} == plan().chosen_on.as_dict().keys() == on.keys()
    )
    assert errors({**json.loads(json.dumps(plan().as_dict())), "chosen_on": on}) == []
    data.labelled = False
    without = chosen_on(data, images=1, trials=1, calibrated_on="toy/train", judged=(data, 1)).as_dict()
    assert without == {**on, "measure": "kept"}
    assert errors({**json.loads(json.dumps(plan().as_dict())), "chosen_on": without}) == []


def test_the_schema_has_the_options_of_each_method() -> None:
    each = PARTS["method"]["oneOf"]
    assert [one["properties"]["scheme"]["const"] for one in each] == list(methods())
    for one in each:
        made = Method(scheme=one["properties"]["scheme"]["const"])
        own = {name for name, value in one["properties"].items() if value}
        assert made.as_dict().keys() == own, made
        assert errors({**json.loads(json.dumps(plan().as_dict())), "method": made.as_dict()}) == []
        wrong = {**made.as_dict(), "luck": 1}
        assert errors({**json.loads(json.dumps(plan().as_dict())), "method": wrong})


def choices(part: dict[str, Any]) -> dict[str, set[str]]:
    """The options of a part that are one of several texts."""
    found = {name: set(option["enum"]) for name, option in part["properties"].items() if "enum" in option}
    return {name: values for name, values in found.items() if all(isinstance(value, str) for value in values)}


def named(kind: type) -> dict[str, set[str]]:
    """The fields of a class that are one of several texts."""
    found = {name: set(get_args(hint)) for name, hint in get_type_hints(kind).items()}
    return {name: texts for name, texts in found.items() if texts and all(isinstance(text, str) for text in texts)}
