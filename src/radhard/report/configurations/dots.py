"""Draws configurations at one bit error rate: accuracy, overhead and paired difference, one row each."""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from radhard.report.configurations.points import (
    ConfigurationLine,
    ConfigurationsData,
    ConfigurationsPanel,
    clean_told,
    overhead_scale,
)
from radhard.report.style import COLOURS, GREY, check_suffix, percent_ticks, point_ticks, write_figure

_ACCURACY, _OVERHEAD = COLOURS[0], COLOURS[1]


def has_one_rate(data: ConfigurationsData) -> bool:
    """Whether all that there is to draw is at one bit error rate."""
    return len({ber for panel in data.panels for line in panel.lines for ber in line.ber}) == 1


def draw_at_one_rate(data: ConfigurationsData, path: Path) -> None:
    """Draw the figure into a .png (160 dots an inch) or .svg file. Its data have one bit error rate."""
    check_suffix(path)
    (ber,) = {ber for panel in data.panels for line in panel.lines for ber in line.ber}
    height = 1.9 + sum(0.75 + 0.27 * len(panel.lines) for panel in data.panels)
    rect = (0, 0, 1, 1 - 1.02 / height)
    across = 2 if data.reference is None else 3
    width = 9.0 if across == 2 else 12.0
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.07, rect=rect))
    FigureCanvasAgg(figure)
    heights = [1 + len(panel.lines) for panel in data.panels]
    grid = figure.subplots(len(data.panels), across, squeeze=False, sharex="col", height_ratios=heights)
    scale = overhead_scale(data)
    for row, panel in enumerate(data.panels):
        _draw_accuracy(grid[row, 0], panel)
        _draw_overhead(grid[row, 1], panel.lines)
        grid[row, 1].set_title(clean_told(panel), loc="right", fontsize=8, color=GREY)
        if across > 2:
            _draw_differences(grid[row, 2], panel.lines)
    grid[0, 1].set_xscale(scale.kind)  # of the whole column
    grid[0, 1].set_xlim(scale.bottom, scale.top)
    for axes in grid.flat:
        axes.xaxis.set_major_formatter(percent_ticks())
        axes.xaxis.set_minor_formatter(NullFormatter())
    if across > 2:
        grid[0, 2].xaxis.set_major_formatter(point_ticks())  # of the whole column
    grid[-1, 0].set_xlabel("accuracy")
    grid[-1, 1].set_xlabel("overhead, in % of the model's operations")
    if across > 2:
        grid[-1, 2].set_xlabel(f"points more than {data.reference}")
    left = 0.15 / width
    figure.text(left, 1 - 0.12 / height, f"{data.title}, at BER {ber:g}", va="top", fontsize=13, fontweight="bold")
    figure.text(left, 1 - 0.40 / height, data.subtitle, va="top", fontsize=9, color=GREY)
    whole = {"linestyle": "", "marker": "o", "markersize": 5.5}
    handles = [
        Line2D([], [], label="accuracy", color=_ACCURACY, **whole),  # type: ignore[arg-type]
        Line2D([], [], label="no faults, no protection", color=GREY, linestyle="--", linewidth=1.0),
        Line2D([], [], label="overhead", color=_OVERHEAD, **whole),  # type: ignore[arg-type]
        Line2D([], [], label="multiplications in it", color=_OVERHEAD, markerfacecolor="white", **whole),  # type: ignore[arg-type]
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    write_figure(figure, path)


def _draw_accuracy(axes: Axes, panel: ConfigurationsPanel) -> None:
    rows = range(len(panel.lines))
    rate, low, high = ([_only(getattr(line.accuracy, end)) for line in panel.lines] for end in ("rate", "low", "high"))
    if math.isfinite(panel.clean):
        axes.axvline(panel.clean, color=GREY, linewidth=1.0, linestyle="--", zorder=1)
    axes.hlines(list(rows), low, high, color=_ACCURACY, linewidth=1.2)
    axes.plot(rate, list(rows), color=_ACCURACY, marker="o", markersize=5.5, linestyle="")
    axes.set_xlim(0, 1)
    axes.set_yticks(list(rows), [line.configuration for line in panel.lines], fontsize=9)
    axes.set_title(panel.model, loc="left", fontsize=10, fontweight="bold")
    _frame(axes, count=len(panel.lines))


def _draw_overhead(axes: Axes, lines: Sequence[ConfigurationLine]) -> None:
    for row, line in enumerate(lines):
        low, high = (_only(getattr(line.overhead, end)) for end in ("low", "high"))
        if math.isfinite(low) and math.isfinite(high):
            axes.hlines(row, low, high, color=_OVERHEAD, linewidth=1.2)
        axes.plot(_only(line.mul), row, color=_OVERHEAD, marker="o", markersize=5.5, markerfacecolor="white")
        axes.plot(_only(line.overhead.rate), row, color=_OVERHEAD, marker="o", markersize=5.5)
    axes.tick_params(labelleft=False)
    axes.set_yticks(range(len(lines)))
    _frame(axes, count=len(lines))


def _draw_differences(axes: Axes, lines: Sequence[ConfigurationLine]) -> None:
    axes.axvline(0.0, color=GREY, linewidth=1.0, linestyle="--", zorder=1)
    for row, line in enumerate(lines):
        if line.difference is not None:
            axes.hlines(row, _only(line.difference.low), _only(line.difference.high), color=_ACCURACY, linewidth=1.2)
            axes.plot(_only(line.difference.rate), row, color=_ACCURACY, marker="o", markersize=5.5)
    axes.tick_params(labelleft=False)
    axes.set_yticks(range(len(lines)))
    _frame(axes, count=len(lines))


def _only(values: Sequence[float]) -> float:
    """The one value; NaN of none, for a configuration of which nothing is known."""
    return values[0] if values else math.nan


def _frame(axes: Axes, *, count: int) -> None:
    axes.set_ylim(count - 0.5, -0.5)  # the first row on top
    axes.grid(visible=True, which="major", axis="x", color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
