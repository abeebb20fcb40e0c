"""Results as records for other programs: JSON and CSV."""

import csv
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from radhard.analysis.curve import Point
from radhard.analysis.sweep import Sweep
from radhard.campaign.experiment import Setting


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
        "pixels": None if sweep.pixels is None else sweep.pixels.as_dict(),
        "images": sweep.images,
        "labelled": sweep.labelled,
        "measure": measure_of(setting),
        "kinds": sorted(setting.kinds),
        "words": setting.words.as_dict(),
        "device": sweep.device,
        "back_end": dict(sweep.back_end),
        "seed": setting.seed,
        "anatomy": setting.overrides.as_dict(),
        "macs": sweep.macs,
        "exposed_bits": setting.bits,
        "clean": {recipe: point.as_dict()["accuracy"] for recipe, point in sweep.clean.items()},
        "loses_10_points": sweep.loses_10_points.as_dict(),
        "loses_half": sweep.loses_half.as_dict(),
        "points": [point.as_dict() for point in sweep.points],
    }


def measure_of(setting: Setting) -> str:
    """What losses and factors are of: `accuracy`, or, without labels, `kept`: one less the SDC rate of top-1."""
    return "accuracy" if setting.labelled else "kept"


def write_csv(sweeps: Sequence[Sweep], path: Path) -> None:
    """Write one row a point: the model, the measure, then the fields of Point; what is not known is empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=["model", "measure", *(field.name for field in fields(Point))])
        writer.writeheader()
        for sweep in sweeps:
            place = {"model": sweep.model, "measure": measure_of(sweep.setting)}
            writer.writerows({**place, **point.as_dict()} for point in sweep.points)
