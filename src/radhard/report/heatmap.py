"""The heat map of vulnerability factors over image patches, beside the mean image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle

from radhard.errors import InputError
from radhard.models.data.mean_image import grey_of
from radhard.report.caption import Caption, sentences_of
from radhard.report.style import GREY, check_suffix, write_figure

_MAP = colormaps["cividis"]  # its lightness rises evenly, so that it reads the same in grey
_SIDE = 2.9  # inches of a panel's longer side
_FEW, _SMALL = 8, 11  # up to so many cells a side their intervals are printed, and their factors


@dataclass(frozen=True, kw_only=True, eq=False)
class HeatmapPanel:
    """The `factor` of each cell in percentage points, float64 [R, C], and its interval `low` ... `high`; NaN: unknown.

    `label`: of which model, or at which loss. InputError if the three are not of one shape.
    """

    label: str
    factor: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        shapes = [values.shape for values in (self.factor, self.low, self.high)]
        if len(set(shapes)) != 1 or self.factor.ndim != 2 or not self.factor.size:
            raise InputError(
                f"panel {self.label!r}: factor, low and high have shapes {shapes}; give three of [rows, columns]"
            )

    @property
    def certain(self) -> npt.NDArray[np.bool_]:
        """Of which cells the interval does not reach 0."""
        found: npt.NDArray[np.bool_] = (self.low > 0) | (self.high < 0)
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class HeatmapData:
    """What the figure shows: the mean `image` [H, W] or [H, W, 3] in 0 ... 1, if known, and `panels` on one scale."""

    title: str
    subtitle: str
    image: npt.NDArray[np.float64] | None
    panels: tuple[HeatmapPanel, ...]

    def __post_init__(self) -> None:
        if self.image is not None and self.image.ndim != 2 and (self.image.ndim != 3 or self.image.shape[2] != 3):
            raise InputError(f"mean image of shape {self.image.shape}: give [H, W] or [H, W, 3]")
        if not self.panels:
            raise InputError(f"heat map {self.title!r} has no panel: give one or more")

    @property
    def scale(self) -> tuple[float, float]:
        """The least and the greatest factor of all panels, and 0 among them; 0 and 1 if none is known."""
        known = np.concatenate([panel.factor[np.isfinite(panel.factor)] for panel in self.panels])
        least, greatest = float(known.min(initial=0.0)), float(known.max(initial=0.0))
        return (least, greatest) if least < greatest else (0.0, 1.0)


def draw_heatmap(data: HeatmapData, path: Path) -> None:
    """Draw the figure into a .png, .svg or .pdf file, legible in black and white.

    Cells have their factor printed, in bold where its interval does not reach 0, and the interval's half width; where
    there are too many cells for that a dot takes the place of bold. Negative factors are hatched.
    """
    check_suffix(path)
    before = 0 if data.image is None else 1
    places = before + len(data.panels)
    rows = math.ceil(places / 4)
    columns = math.ceil(places / rows)
    tall = min(1.0, max(panel.factor.shape[0] / panel.factor.shape[1] for panel in data.panels))
    heads = 0.17 * max(1 + panel.label.count("\n") for panel in data.panels)
    top, bottom = 0.6 + 0.17 * data.subtitle.count("\n"), 0.35  # inches of what is written above and below
    width, height = max(7.5, _SIDE * columns + 1.2), (_SIDE * tall + heads + 0.15) * rows + top + bottom
    inside = (0.01, bottom / height, 0.98, 1 - (top + bottom) / height)
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.05, rect=inside))
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    axes: Sequence[Axes] = list(grid.flat)
    if data.image is not None:
        _draw_image(axes[0], data.image, like=data.panels[0])
    least, greatest = data.scale
    scale = Normalize(least, greatest)
    digits = 1 if max(-least, greatest) >= 1 else 2
    for each, panel in zip(axes[before:], data.panels, strict=False):
        _draw_panel(each, panel, scale=scale, digits=digits)
    for each in axes[places:]:
        each.set_axis_off()
    bar = figure.colorbar(ScalarMappable(scale, _MAP), ax=grid, shrink=0.8, aspect=30, pad=0.02)
    bar.set_label("vulnerability factor in percentage points", fontsize=9)
    left = 0.15 / width
    figure.text(left, 1 - 0.1 / height, data.title, va="top", fontsize=13, fontweight="bold")
    figure.text(left, 1 - 0.38 / height, data.subtitle, va="top", fontsize=9, color=GREY)
    figure.text(left, 0.12 / height, _legend(data), fontsize=9, color=GREY)
    shown = (
        *sentences_of(data.subtitle),
        "cells are vulnerability factors in percentage points",
        *sentences_of(_legend(data)),
    )
    write_figure(figure, path, caption=Caption(title=data.title, sentences=shown))


def draw_heatmap_on(data: HeatmapData, axes: Axes) -> None:
    """Draw the last panel on axes, the patches at the highest rate."""
    least, greatest = data.scale
    digits = 1 if max(-least, greatest) >= 1 else 2
    _draw_panel(axes, data.panels[-1], scale=Normalize(least, greatest), digits=digits)


def _draw_image(axes: Axes, image: npt.NDArray[np.float64], *, like: HeatmapPanel) -> None:
    """The mean image under the lines of the grid."""
    rows, columns = like.factor.shape
    axes.imshow(grey_of(image), cmap="gray", vmin=0.0, vmax=1.0, extent=(0, columns, rows, 0), aspect="equal")
    # dark under light, so that they are seen on any image
    for colour, width in (("black", 1.0), ("white", 0.5)):
        axes.hlines(range(1, rows), 0, columns, color=colour, linewidth=width)
        axes.vlines(range(1, columns), 0, rows, color=colour, linewidth=width)
    _frame(axes, rows, columns, label="mean image")


def _draw_panel(axes: Axes, panel: HeatmapPanel, *, scale: Normalize, digits: int) -> None:
    rows, columns = panel.factor.shape
    axes.pcolormesh(np.ma.masked_invalid(panel.factor), cmap=_MAP, norm=scale, edgecolors="white", linewidth=0.4)
    size = 72 * _SIDE / max(rows, columns)  # points of a cell's side
    for (row, column), factor in np.ndenumerate(panel.factor):
        middle = (column + 0.5, row + 0.5)
        if not math.isfinite(factor):
            axes.text(*middle, "?", ha="center", va="center", fontsize=min(8.0, 0.6 * size), color=GREY)
            continue
        shade = float(scale(factor))
        ink = "white" if shade < 0.5 else "black"
        if factor < 0:
            hatched = Rectangle((column, row), 1, 1, fill=False, hatch="////", edgecolor=ink, linewidth=0, alpha=0.45)
            axes.add_patch(hatched).set_in_layout(False)
        if max(rows, columns) <= _SMALL:
            _print(axes, panel, at=(row, column), ink=ink, face=_MAP(shade), size=size, digits=digits)
        elif panel.certain[row, column]:
            axes.plot(*middle, marker="o", markersize=0.14 * size, color=ink, markeredgewidth=0, in_layout=False)
    _frame(axes, rows, columns, label=panel.label)


def _print(
    axes: Axes, panel: HeatmapPanel, *, at: tuple[int, int], ink: str, face: tuple[float, ...], size: float, digits: int
) -> None:
    """The factor, and under it the half width of its interval where there is room."""
    row, column = at
    factor = float(panel.factor[at])
    half = float(panel.high[at] - panel.low[at]) / 2
    roomy = max(panel.factor.shape) <= _FEW and math.isfinite(half)
    ground = {"facecolor": face, "edgecolor": "none", "pad": 0.6}  # keeps the hatching off
    weight = "bold" if panel.certain[at] else "normal"
    axes.text(
        column + 0.5, row + (0.38 if roomy else 0.5), f"{factor:+.{digits}f}".replace("-", "\N{MINUS SIGN}"),
        ha="center", va="center", fontsize=min(9.0, size / 3.6), fontweight=weight, color=ink, bbox=ground,
        in_layout=False,
    )  # fmt: skip
    if roomy:
        axes.text(
            column + 0.5, row + 0.73, f"±{half:.{digits}f}", ha="center", va="center", fontsize=min(7.0, size / 5),
            color=ink, bbox=ground, in_layout=False,
        )  # fmt: skip


def _frame(axes: Axes, rows: int, columns: int, *, label: str) -> None:
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)  # the first row on top
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(label, fontsize=9)


def _legend(data: HeatmapData) -> str:
    longest = max(max(panel.factor.shape) for panel in data.panels)
    sure = "a dot" if longest > _SMALL else "bold"
    half = "; ±: half its width" if longest <= _FEW else ""
    return f"{sure}: the 95 % interval does not reach 0{half}; hatched: below 0"
