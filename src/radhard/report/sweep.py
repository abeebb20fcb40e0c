"""A sweep as JSON and CSV."""

import csv
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated

from radhard.analysis.crossing import Crossing, CrossingRecord
from radhard.analysis.curve import Point, PointRecord
from radhard.analysis.sweep import Sweep
from radhard.models.data.pixels import PixelsRecord
from radhard.report.record import FaultModelRecord, WordsRecord, fault_model_record, measure_of, words_record

COLUMNS = ("model", "measure", *(field.name for field in fields(Point)))


class SweepRecord(FaultModelRecord):
    """What was measured of a model, how, and where its accuracy is lost."""

    model: str
    recipe: str
    data: str
    data_digest: str
    calibrated_on: str
    skipped: int
    pixels: PixelsRecord | None
    images: int
    labelled: bool
    measure: str
    kinds: list[str]
    words: WordsRecord
    device: str
    back_end: dict[str, str]
    seed: int
    anatomy: dict[str, dict[str, str]]
    macs: int
    exposed_bits: int
    clean: dict[str, float | None]
    loses_10_points: Annotated[CrossingRecord, Crossing]
    loses_half: Annotated[CrossingRecord, Crossing]
    points: list[Annotated[PointRecord, Point]]


def sweep_record(sweep: Sweep) -> SweepRecord:
    """The sweep of a model -> JSON values."""
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
        **fault_model_record(setting),
        "words": words_record(setting.words),
        "device": sweep.device,
        "back_end": dict(sweep.back_end),
        "seed": setting.seed,
        "anatomy": setting.overrides.as_dict(),
        "macs": sweep.macs,
        "exposed_bits": setting.bits,
        "clean": {recipe: point.known_accuracy for recipe, point in sweep.clean.items()},
        "loses_10_points": sweep.loses_10_points.as_dict(),
        "loses_half": sweep.loses_half.as_dict(),
        "points": [point.as_dict() for point in sweep.points],
    }


def sweep_rows(sweep: Sweep) -> list[dict[str, object]]:
    """One row a point: the model, the measure, then the fields of Point; what is not known is None."""
    place = {"model": sweep.model, "measure": measure_of(sweep.setting)}
    return [{**place, **point.as_dict()} for point in sweep.points]


def write_csv(sweeps: Sequence[Sweep], path: Path) -> None:
    """Write the rows of all sweeps; what is not known is empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=COLUMNS)
        writer.writeheader()
        for sweep in sweeps:
            writer.writerows(sweep_rows(sweep))
