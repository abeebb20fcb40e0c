"""Results as records for other programs: JSON and CSV."""

import csv
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from radhard.analysis.curve import Point
from radhard.analysis.sweep import Sweep


def sweep_record(sweep: Sweep) -> dict[str, Any]:
    """The sweep of a model -> JSON values: what was measured, how, and where accuracy is lost."""
    setting = sweep.setting
    return {
        "model": sweep.model,
        "recipe": sweep.recipe,
        "data": setting.data,
        "data_digest": setting.data_digest,
        "calibrated_on": sweep.calibrated_on,
        "skipped": sweep.skipped,
        "images": sweep.images,
        "kinds": sorted(setting.kinds),
        "words": setting.words.as_dict(),
        "back_end": dict(sweep.back_end),
        "seed": setting.seed,
        "macs": sweep.macs,
        "exposed_bits": setting.bits,
        "clean": {recipe: point.as_dict()["accuracy"] for recipe, point in sweep.clean.items()},
        "loses_10_points": sweep.loses_10_points.as_dict(),
        "loses_half": sweep.loses_half.as_dict(),
        "points": [point.as_dict() for point in sweep.points],
    }


def write_csv(sweeps: Sequence[Sweep], path: Path) -> None:
    """Write one row a point: the model, then the fields of Point; a rate of no answers is empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=["model", *(field.name for field in fields(Point))])
        writer.writeheader()
        for sweep in sweeps:
            writer.writerows({"model": sweep.model, **point.as_dict()} for point in sweep.points)
