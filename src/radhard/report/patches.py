"""Arranges the vulnerability factors of patches in a grid, for the heat map."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from radhard.analysis.vulnerability_point import VulnerabilityPoint
from radhard.models.data.dataset import Dataset
from radhard.models.data.picture import SCALES
from radhard.report.heatmap import HeatmapData, HeatmapPanel

Image = npt.NDArray[np.float64]


def heatmap_data(points: Sequence[VulnerabilityPoint], *, image: Image) -> HeatmapData:
    """Models at one rate or several, by patch -> a panel each, beside the mean `image` [H, W] or [H, W, 3]."""
    first = points[0].found
    models = {one.found.setting.model for one in points}
    where = "words of the input image" if first.setting.kinds == {"load"} else "operations of a patch's region"
    return HeatmapData(
        title=f"{first.setting.model if len(models) == 1 else 'Several models'}: vulnerability by patch"
        + ("" if first.setting.labelled else ", SDC avoided (images without labels)"),
        subtitle=(
            f"recipe {first.setting.recipe}, flips in {', '.join(sorted(first.setting.kinds))} ({where})\n"
            f"{first.setting.data}, {first.study.images:,} images, {first.trials} trials"
        ),
        image=image,
        panels=tuple(_panel(one, alone=len(models) == 1) for one in points),
    )


def mean_image(data: Dataset, *, images: int) -> Image:
    """The mean of the first images, in 0 ... 1: float64 [H, W], the mean of all channels, or [H, W, 3] of three."""
    total = torch.zeros(data.images.shape[1:], dtype=torch.float64)
    for part in torch.split(torch.arange(images), 256):
        total += data.images[part].to(torch.float64).sum(0)
    mean: Image = (total / images / SCALES[data.images.dtype]).numpy()
    if data.images.dtype == torch.float32:  # floats have no scale of their own: the mean's range is shown
        mean = (mean - mean.min()) / max(float(np.ptp(mean)), 1e-30)
    return mean.transpose(1, 2, 0) if len(mean) == 3 else mean.mean(0)


def _panel(point: VulnerabilityPoint, *, alone: bool) -> HeatmapPanel:
    grid = point.found.study.parts.grid
    assert grid is not None
    factor, low, high = (np.full(grid, np.nan) for _ in range(3))
    for component in point.found.components:
        row, comma, column = component.name.partition(",")
        if comma:  # not what belongs to no patch
            at = int(row), int(column)
            factor[at], low[at], high[at] = 100 * component.factor, 100 * component.low, 100 * component.high
    label = point.label if alone else f"{point.found.setting.model}\n{point.label}"
    return HeatmapPanel(label=label, factor=factor, low=low, high=high)
