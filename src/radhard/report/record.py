"""Results as records for other programs: JSON and CSV."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from radhard.analysis.curve import Point
from radhard.campaign.experiment import Setting
from radhard.program import Program


def sweep_record(
    settings: Sequence[Setting], points: Sequence[Point], *, program: Program, clean: Mapping[str, Point]
) -> dict[str, Any]:
    """A sweep's settings, their points and the clean ones by recipe -> JSON values: what was measured."""
    setting = settings[-1]
    return {
        "model": setting.model,
        "recipe": setting.recipe,
        "data": setting.data,
        "kinds": sorted(setting.kinds),
        "words": setting.words.as_dict(),
        "back_end": dict(program.backends),
        "seed": setting.seed,
        "clean": {recipe: point.as_dict()["accuracy"] for recipe, point in clean.items()},
        "points": [point.as_dict() for point in points],
    }


def write_csv(points: Sequence[Point], path: Path) -> None:
    """Write one row a point, with the fields of Point as columns; a rate of no answers is empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=[field.name for field in fields(Point)])
        writer.writeheader()
        writer.writerows(point.as_dict() for point in points)
