"""Draws accuracy, overhead and paired differences of configurations over the bit error rate."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from radhard.report.configurations.dots import draw_at_one_rate, has_one_rate
from radhard.report.configurations.points import (
    ConfigurationLine,
    ConfigurationsData,
    ConfigurationsPanel,
    Scale,
    clean_told,
    overhead_scale,
)
from radhard.report.style import COLOURS, DASHES, GREY, MARKERS, check_suffix, percent_ticks, point_ticks, write_figure

_ACROSS = 3  # models beside each other


def draw_configurations(data: ConfigurationsData, path: Path) -> None:
    """Draw the figure into a .png (160 dots an inch) or .svg file, legible in black and white."""
    check_suffix(path)
    if has_one_rate(data):
        draw_at_one_rate(data, path)
        return
    across = min(_ACROSS, len(data.panels)) if len(data.panels) != 4 else 2
    bands = math.ceil(len(data.panels) / across)
    ratios = [1.45, 1.0] if data.reference is None else [1.45, 1.0, 1.0]
    rows = len(ratios)
    width, height = max(7.0, 4.0 * across + 0.6), (5.6 if rows == 2 else 7.6) * bands + 1.5
    rect = (0, 0, 1, 1 - 0.92 / height)
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.07, rect=rect))
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows * bands, across, squeeze=False, sharex=True, height_ratios=ratios * bands)
    _rates(list(grid.flat), data)
    overheads = overhead_scale(data)
    for number, panel in enumerate(data.panels):
        band, column = divmod(number, across)
        upper, lower, *third = (grid[rows * band + row, column] for row in range(rows))
        _draw_accuracy(upper, panel, names=data.names)
        _draw_overhead(lower, panel, names=data.names, scale=overheads)
        if column == 0:
            upper.set_ylabel("accuracy")
            lower.set_ylabel("overhead (filled),\nits multiplications (hollow)")
        for axes in third:
            _draw_differences(axes, panel, names=data.names)
            axes.set_ylim(*_differences(data))
            if column == 0:
                axes.set_ylabel(f"points more than\n{data.reference}")
        last = third[-1] if third else lower
        last.set_xlabel("bit error rate")
        for axes in (upper, lower, *third):
            axes.tick_params(labelbottom=axes is last, labelleft=column == 0)
    for number in range(len(data.panels), bands * across):
        for row in range(rows):
            grid[rows * (number // across) + row, number % across].set_axis_off()
    left = 0.15 / width
    figure.text(left, 1 - 0.12 / height, data.title, va="top", fontsize=13, fontweight="bold")
    figure.text(left, 1 - 0.40 / height, data.subtitle, va="top", fontsize=9, color=GREY)
    handles = [Line2D([], [], label=name, **_style(data.names.index(name))) for name in data.names]
    handles.append(
        Line2D([], [], label="no faults (unprotected: grey)", color=GREY, linewidth=1.0, linestyle=DASHES[1])
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 1 + across), frameon=False,
                  fontsize=9, handlelength=4)  # fmt: skip
    write_figure(figure, path)


def draw_configurations_on(data: ConfigurationsData, axes: Axes) -> None:
    """Draw the accuracy of the first model's configurations on axes, with a legend."""
    _rates([axes], data)
    _draw_accuracy(axes, data.panels[0], names=data.names)
    axes.set_xlabel("bit error rate")
    axes.set_ylabel("accuracy")
    handles = [Line2D([], [], label=name, **_style(data.names.index(name))) for name in data.names]
    axes.legend(handles=handles, frameon=False, fontsize=9)


def _style(number: int) -> dict[str, Any]:
    """Of the `number`-th configuration."""
    return {
        "color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)],
        "linestyle": DASHES[number % len(DASHES)], "linewidth": 1.5, "markersize": 5.5, "markeredgecolor": "white",
        "markeredgewidth": 0.5,
    }  # fmt: skip


def _rates(axes: Sequence[Axes], data: ConfigurationsData) -> None:
    """The logarithmic scale of all panels that share it: from the least to the greatest rate, and a little more."""
    bers = [ber for panel in data.panels for line in panel.lines for ber in line.ber]
    if not bers:
        return
    axes[0].set_xscale("log")
    beyond = max(1.3, (max(bers) / min(bers)) ** 0.05)
    axes[0].set_xlim(min(bers) / beyond, max(bers) * beyond)
    for each in axes:
        each.xaxis.set_major_locator(LogLocator(base=10, numticks=12))
        each.xaxis.set_minor_formatter(NullFormatter())


def _draw_accuracy(axes: Axes, panel: ConfigurationsPanel, *, names: Sequence[str]) -> None:
    """Lines with their bands; clean accuracies as horizontal lines, those under protection where they differ."""
    for number, line in _numbered(panel, names):
        style = _style(number)
        axes.fill_between(
            line.ber, line.accuracy.low, line.accuracy.high, color=style["color"], alpha=0.13, linewidth=0
        )
        axes.vlines(line.ber, line.accuracy.low, line.accuracy.high, color=style["color"], linewidth=0.9)
        axes.plot(line.ber, line.accuracy.rate, **style)
    seen: set[float] = set()
    for number, line in sorted(_numbered(panel, names), key=lambda it: it[1].guarded):
        if math.isfinite(line.clean) and line.clean not in seen:
            colour = COLOURS[number % len(COLOURS)] if line.guarded else GREY
            axes.axhline(line.clean, color=colour, linewidth=1.0, linestyle=DASHES[1], zorder=1)
            seen.add(line.clean)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(percent_ticks())
    axes.set_title(clean_told(panel), loc="left", fontsize=8, color=GREY)
    axes.annotate(
        panel.model, (0, 1), xycoords="axes fraction", xytext=(0, 19), textcoords="offset points", fontsize=10,
        fontweight="bold",
    )  # fmt: skip
    _frame(axes)


def _draw_overhead(axes: Axes, panel: ConfigurationsPanel, *, names: Sequence[str], scale: Scale) -> None:
    """Weighted overheads as filled markers with their intervals, multiplications in them as hollow ones."""
    axes.set_yscale(scale.kind)
    for number, line in _numbered(panel, names):
        style = _style(number)
        hollow = {**style, "linewidth": 0.8, "markersize": 4.0, "markerfacecolor": "white"}
        hollow |= {"markeredgecolor": style["color"], "markeredgewidth": 0.8}
        low, high = (_within(values, scale) for values in (line.overhead.low, line.overhead.high))
        axes.fill_between(line.ber, low, high, color=style["color"], alpha=0.13, linewidth=0)
        axes.vlines(line.ber, low, high, color=style["color"], linewidth=0.9)
        axes.plot(line.ber, _shown(line.mul, scale), **hollow)
        axes.plot(line.ber, _shown(line.overhead.rate, scale), **style)
    axes.set_ylim(scale.bottom, scale.top)
    axes.yaxis.set_major_formatter(percent_ticks())
    if scale.kind == "log":
        axes.yaxis.set_major_locator(LogLocator(base=10, numticks=8))
        axes.yaxis.set_minor_formatter(NullFormatter())
    _frame(axes)


def _draw_differences(axes: Axes, panel: ConfigurationsPanel, *, names: Sequence[str]) -> None:
    """Differences to the reference as markers with the intervals that hold for all of them together."""
    axes.axhline(0.0, color=GREY, linewidth=1.0, linestyle=DASHES[1], zorder=1)
    for number, line in _numbered(panel, names):
        if line.difference is None:
            continue
        style = _style(number)
        axes.vlines(line.ber, line.difference.low, line.difference.high, color=style["color"], linewidth=0.9)
        axes.plot(line.ber, line.difference.rate, **style)
    axes.yaxis.set_major_formatter(point_ticks())
    _frame(axes)


def _differences(data: ConfigurationsData) -> tuple[float, float]:
    """The ends of all panels of differences."""
    bands = [line.difference for panel in data.panels for line in panel.lines if line.difference is not None]
    ends = [x for band in bands for x in (*band.low, *band.high) if math.isfinite(x)] or [0.0]
    room = 0.05 * max(0.02, max(ends) - min(ends))
    return min(0.0, *ends) - room, max(0.0, *ends) + room


def _within(values: Sequence[float], scale: Scale) -> npt.NDArray[np.float64]:
    """Ends of intervals, those off the scale well beyond it."""
    return np.clip(np.array(values, np.float64), scale.bottom / 10, scale.top * 10)


def _shown(values: Sequence[float], scale: Scale) -> list[float]:
    """What has a place on the scale; NaN for the rest."""
    return [math.nan if scale.kind == "log" and not value > 0 else value for value in values]


def _numbered(panel: ConfigurationsPanel, names: Sequence[str]) -> Iterator[tuple[int, ConfigurationLine]]:
    """The lines of a panel, each with the number of its configuration."""
    for line in panel.lines:
        yield names.index(line.configuration), line


def _frame(axes: Axes) -> None:
    axes.grid(visible=True, which="major", color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
