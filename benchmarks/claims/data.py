"""The data of `results/`, read; and how numbers of them are written."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "results"

Row = dict[str, Any]
Z = 1.959963984540054  # of the two-sided 95 % intervals in the data


@cache
def points(name: str) -> list[Row]:
    """The records of each model and rate of a study of vulnerability, as files of now and of before hold them."""
    return points_of(json.loads((RESULTS / f"{name}.json").read_text()))


def points_of(file: Row) -> list[Row]:
    """Records of models, each with its `points`, or, in a file of before, `points` that say their model themselves."""
    if "points" in file:
        return list(file["points"])
    return [
        {**{key: value for key, value in model.items() if key != "points"}, **point}
        for model in file["models"]
        for point in model["points"]
    ]


@cache
def models(name: str) -> list[Row]:
    """The records of each model in a file of `results`."""
    found: list[Row] = json.loads((RESULTS / f"{name}.json").read_text())["models"]
    return [_renamed(model) for model in found]


@cache
def rows(name: str) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with (RESULTS / f"{name}.csv").open(newline="") as file:
        return [_renamed(row) for row in csv.DictReader(file)]


@cache
def plan(name: str) -> Row:
    """A plan's file."""
    found: Row = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def _renamed(record: Row) -> Row:
    """A record or row with the names of now: files of before call a configuration a condition."""
    found = {_NOW.get(name, name): value for name, value in record.items()}
    if "configurations" in found:
        found["configurations"] = [_renamed(row) for row in found["configurations"]]
    return found


_NOW = {"conditions": "configurations", "condition": "configuration"}


def by_rate(model: Row) -> Iterator[tuple[float, dict[str, Row]]]:
    """Each rate above 0 of a model, and its configurations by name."""
    for ber in sorted({row["ber"] for row in model["configurations"] if row["ber"] > 0}):
        yield ber, {row["configuration"]: row for row in model["configurations"] if row["ber"] == ber}


def at(model: Row, ber: float) -> dict[str, Row]:
    """The configurations of a model at one rate, by name."""
    return {row["configuration"]: row for row in model["configurations"] if row["ber"] == ber}


def table(heads: Iterable[str], cells: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(heads), *map(list, cells)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def short(model: str) -> str:
    """`fashion-vit` -> `ViT`."""
    names = {"vit": "ViT", "swin": "Swin", "deepvit": "DeepViT", "cait": "CaiT", "resnet18": "ResNet18"}
    return {**names, "resnet20": "ResNet20"}[model.removeprefix("fashion-")]


def listed(names: Sequence[str], *, none: str = "none") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if not names:
        return none
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def between(values: Iterable[float], digits: int = 1, *, scale: float = 1.0) -> str:
    """`4.0 to 5.0`: the least and the greatest, or one number if they are written alike."""
    found = sorted(scale * value for value in values)
    low, high = (f"{round(x, digits) + 0.0:.{digits}f}" for x in (found[0], found[-1]))
    return low if low == high else f"{low} to {high}"


def interval(found: Mapping[str, float | None], *, scale: float = 1.0, digits: int = 2) -> str:
    """A rate and its limits; what is not known is a dash, what has no limit is open."""
    rate, low, high = (found[key] for key in ("rate", "low", "high"))
    shown = ["-" if value is None else f"{scale * value:.{digits}f}" for value in (rate, low, high)]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def rate(ber: float) -> str:
    """`5e-7`."""
    return f"{ber:g}".replace("e-0", "e-")


def count(number: int) -> str:
    """A number up to twelve in letters."""
    letters = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    return letters[number] if number < len(letters) else f"{number:,}"
