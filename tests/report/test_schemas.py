"""The schemas of commands' JSON: as their files have them, and what a type of a record allows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest
from jsonschema import Draft202012Validator, ValidationError

from radhard.json_schema import schema_of
from radhard.report.schemas import RECORDS, command_schema, text_of

FOLDER = Path(__file__).parents[2] / "docs" / "schema"


@pytest.mark.parametrize("command", RECORDS)
def test_the_file_of_a_command_is_up_to_date(command: str) -> None:
    assert (FOLDER / f"{command}.json").read_text() == text_of(command_schema(command)), "run `make schemas`"
    Draft202012Validator.check_schema(command_schema(command))


@dataclass(frozen=True)
class Tree:
    """A value that holds its own kind."""

    share: float
    count: int
    parts: tuple["Tree", ...] = ()


class Whole(TypedDict):
    """A record."""

    name: str
    number: float
    kind: Literal["a", "b"]
    tree: Annotated[dict[str, Any], Tree] | None
    pair: tuple[int, str]
    counts: dict[str, int]
    file: NotRequired[str]


GOOD: dict[str, Any] = {
    "name": "x",
    "number": 1.5,
    "kind": "a",
    "tree": {"share": None, "count": 1, "parts": [{"share": 0.5, "count": 2, "parts": []}]},
    "pair": [1, "b"],
    "counts": {"mul": 3},
}


def test_a_record_of_its_type_is_valid() -> None:
    validator = Draft202012Validator(schema_of(Whole))
    for record in (GOOD, {**GOOD, "tree": None}, {**GOOD, "file": "a.png"}):
        validator.validate(record)


@pytest.mark.parametrize(
    "change",
    [
        {"name": 1},
        {"number": None},
        {"kind": "c"},
        {"tree": {"share": 0.5, "count": None, "parts": []}},
        {"tree": {"share": 0.5, "count": 1}},
        {"tree": {"share": 0.5, "count": 1, "parts": [{}]}},
        {"pair": [1]},
        {"counts": {"mul": "3"}},
        {"file": None},
        {"more": 1},
    ],
)
def test_another_is_not(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Draft202012Validator(schema_of(Whole)).validate({**GOOD, **change})


def test_a_type_without_json_is_refused() -> None:
    with pytest.raises(TypeError, match="has no JSON"):
        schema_of(dict[str, Path])
