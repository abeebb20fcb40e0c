"""Arranges the vulnerability factors of patches in a grid, for the heat map."""

from collections.abc import Sequence

import numpy as np

from radhard.analysis.vulnerability_point import VulnerabilityPoint
from radhard.errors import InputError
from radhard.models.data.mean_image import Image
from radhard.report.heatmap import HeatmapData, HeatmapPanel
from radhard.report.vulnerability import bars, records_of
from radhard.report.vulnerability_record import FactorsRecord, VulnerabilityRecord


def heatmap_data(points: Sequence[VulnerabilityPoint], *, image: Image) -> HeatmapData:
    """Models at one rate or several, by patch -> a panel each, beside the mean `image` [H, W] or [H, W, 3]."""
    return heatmap_drawn(records_of(points, image=image))


def heatmap_drawn(records: Sequence[VulnerabilityRecord]) -> HeatmapData:
    """The same from the records of models, as `--json` prints them; records of version 0.1 have no mean image."""
    first = records[0]
    levels = first.get("mean_image")
    where = "words of the input image" if first["kinds"] == ["load"] else "operations of a patch's region"
    return HeatmapData(
        title=f"{first['model'] if len(records) == 1 else 'Several models'}: vulnerability by patch"
        + ("" if first["labelled"] else ", SDC avoided (images without labels)"),
        subtitle=(
            f"recipe {first['recipe']}, flips in {', '.join(first['kinds'])} ({where})\n"
            f"{first['data']}, {first['images']:,} images, {first['points'][0]['trials']} trials"
        ),
        image=None if levels is None else np.array(levels, dtype=np.float64) / 255,
        panels=tuple(
            _panel(point, of=record, alone=len(records) == 1) for record in records for point in record["points"]
        ),
    )


def _panel(point: FactorsRecord, *, of: VulnerabilityRecord, alone: bool) -> HeatmapPanel:
    if of["grid"] is None:
        raise InputError(
            f"{of['model']}: its record of patches has no 'grid'; give what `radhard vulnerability` printed"
        )
    rows, columns = of["grid"]
    factor, low, high = (np.full((rows, columns), np.nan) for _ in range(3))
    measured = bars(point, labelled=of["labelled"])
    for place, component in enumerate(point["components"]):
        row, comma, column = component["name"].partition(",")
        if comma:  # not what belongs to no patch
            at = int(row), int(column)
            factor[at], low[at], high[at] = measured.factor[place], measured.low[place], measured.high[place]
    label = measured.label if alone else f"{of['model']}\n{measured.label}"
    return HeatmapPanel(label=label, factor=factor, low=low, high=high)
