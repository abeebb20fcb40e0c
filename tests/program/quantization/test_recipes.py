"""The recipes: `int8-symmetric` is, bit for bit, the one that published results were measured with."""

import json
from pathlib import Path

import pytest

from radhard.campaign.build import build
from radhard.models.load import load

_PLANS = Path(__file__).parents[3] / "results" / "plans"
PUBLISHED = {
    plan["model"]: plan["program"] for plan in map(json.loads, map(Path.read_text, sorted(_PLANS.glob("*.json"))))
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "fashion-vit" else pytest.mark.slow) for name in sorted(PUBLISHED)],
)
def test_the_symmetric_programs_are_those_of_published_plans(name: str) -> None:
    model_under_test = build(load(name), recipe="int8-symmetric")
    assert model_under_test.programs["int8-symmetric"].digest == PUBLISHED[name]


def test_the_plans_are_there() -> None:
    assert len(PUBLISHED) == 6
