"""Draws configurations: a panel a model and rate, a row a configuration, its difference to the baseline, overheads."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from radhard.report.caption import Caption, sentences_of
from radhard.report.configurations.points import (
    ConfigurationLine,
    ConfigurationsData,
    ConfigurationsPanel,
    Scale,
    clean_told,
    overhead_scale,
)
from radhard.report.configurations.quality import points_of, quality_name
from radhard.report.fault_amount import amount_told
from radhard.report.style import COLOURS, GREY, check_suffix, percent_ticks, point_ticks, write_figure

_BLACK, _MUL, _BAND = COLOURS[0], COLOURS[2], "0.88"
_MARKS: dict[str, dict[str, Any]] = {
    "better": {"marker": "^", "markerfacecolor": _BLACK},
    "worse": {"marker": "v", "markerfacecolor": _BLACK},
    "equivalent": {"marker": "o", "markerfacecolor": _BLACK},
    "cannot tell": {"marker": "o", "markerfacecolor": "white"},
}
_DOT: dict[str, Any] = {"color": _BLACK, "markeredgecolor": _BLACK, "markersize": 5.5, "linestyle": ""}


def draw_configurations(data: ConfigurationsData, path: Path) -> None:
    """Draw the figure into a .png, .svg or .pdf file, legible in black and white, and its caption beside it.

    It grows with the models, rates and configurations, so that no two rows overlap.
    """
    check_suffix(path)
    rates = data.rates or (math.nan,)
    width = 0.1 * max(map(len, data.names), default=10) + 2.35 * len(rates) + 3.1
    height = 1.75 + sum(0.75 + 0.22 * max(1, len(panel.lines)) for panel in data.panels)
    rect = (0, 0, 1, 1 - 0.95 / height)
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.06, rect=rect))
    FigureCanvasAgg(figure)
    grid = figure.subplots(
        len(data.panels), len(rates) + 1, squeeze=False, sharex="col",
        height_ratios=[1 + len(panel.lines) for panel in data.panels],
    )  # fmt: skip
    scale = overhead_scale(data)
    for row, panel in enumerate(data.panels):
        for axes, rate in zip(grid[row], rates, strict=False):
            _draw_differences(axes, panel, data=data, rate=rate)
            axes.tick_params(labelleft=axes is grid[row, 0])
            if row == 0 and math.isfinite(rate):
                axes.annotate(amount_told(rate, unit=data.unit), (0.5, 1), xycoords="axes fraction", xytext=(0, 21),
                              textcoords="offset points", ha="center", fontsize=9, fontweight="bold")  # fmt: skip
        _draw_overhead(grid[row, -1], panel.lines, rates=rates, scale=scale)
        grid[row, 0].set_title(panel.model, loc="left", fontsize=9, fontweight="bold")
        grid[row, -1].set_title(clean_told(panel), loc="right", fontsize=7.5, color=GREY)
    for axes in grid[-1, :-1]:
        axes.set_xlabel(_difference_label(data), fontsize=8)
    grid[-1, -1].set_xlabel("overhead, in % of the model's operations", fontsize=8)
    left = 0.15 / width
    figure.text(left, 1 - 0.12 / height, data.title, va="top", fontsize=13, fontweight="bold")
    figure.text(left, 1 - 0.40 / height, data.subtitle, va="top", fontsize=8.5, color=GREY)
    handles = _legend(data, rates)
    columns = max(2, min(len(handles), int(width / 2.1)))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=8.5)
    write_figure(figure, path, caption=caption(data))


def draw_configurations_on(data: ConfigurationsData, axes: Axes) -> None:
    """Draw the first model's differences at the highest rate on axes."""
    rate = (data.rates or (math.nan,))[-1]
    _draw_differences(axes, data.panels[0], data=data, rate=rate)
    axes.set_title(f"{data.panels[0].model}, {amount_told(rate, unit=data.unit)}")
    axes.set_xlabel(_difference_label(data))


def _difference_label(data: ConfigurationsData) -> str:
    return f"{points_of(labelled=data.labelled)} more than {data.baseline}"


def caption(data: ConfigurationsData) -> Caption:
    """What the figure shows, and what came out at the highest rate."""
    name = quality_name(labelled=data.labelled)
    shown = [
        f"each row is a configuration; marks are its {name} minus that of {data.baseline}, in percentage points, "
        f"under the same faults on the same images, and the number beside them is its {name}",
    ]
    if data.margin is None:
        shown.append(
            f"the records compare no configuration with another one than {data.baseline}, and test no equivalence"
        )
    else:
        shown.append(f"equivalent: within {100 * data.margin:g} points, shaded, by two one-sided tests")
    if data.rates:
        rate = data.rates[-1]
        for panel in data.panels:
            found = [(line, line.ber.index(rate)) for line in panel.lines if rate in line.ber]
            told = ", ".join(f"{line.configuration} {line.quality.rate[at]:.1%}" for line, at in found)
            shown.append(f"{panel.model}, {clean_told(panel)}; at {amount_told(rate, unit=data.unit)}: {told}")
    return Caption(title=data.title, sentences=(*sentences_of(data.subtitle), *shown))


def _draw_differences(axes: Axes, panel: ConfigurationsPanel, *, data: ConfigurationsData, rate: float) -> None:
    """A mark for each configuration with its interval, and its accuracy or agreement as a number beside it."""
    if data.margin is not None:
        axes.axvspan(-data.margin, data.margin, color=_BAND, linewidth=0, zorder=0)
    axes.axvline(0.0, color=GREY, linewidth=1.0, linestyle="--", zorder=1)
    for row, line in enumerate(panel.lines):
        if rate not in line.ber:
            continue
        at = line.ber.index(rate)
        axes.text(1.02, row, f"{line.quality.rate[at]:.1%}", transform=axes.get_yaxis_transform(), va="center",
                  fontsize=7, color=GREY)  # fmt: skip
        if line.configuration == data.baseline:
            axes.plot(0.0, row, marker="s", markerfacecolor="white", **_DOT)
        elif math.isfinite(line.difference.rate[at]):
            axes.hlines(row, line.difference.low[at], line.difference.high[at], color=_BLACK, linewidth=1.2)
            axes.plot(line.difference.rate[at], row, **_DOT, **_MARKS[line.relation[at]])
    axes.xaxis.set_major_formatter(point_ticks())
    axes.xaxis.set_major_locator(MaxNLocator(4))
    _frame(axes, panel.lines)


def _draw_overhead(axes: Axes, lines: Sequence[ConfigurationLine], *, rates: Sequence[float], scale: Scale) -> None:
    """A dot a rate, darker where it is higher, with its interval; a bar where the multiplications in it are."""
    axes.set_xscale(scale.kind)
    for row, line in enumerate(lines):
        places = [(at, x) for at, x in enumerate(line.overhead.rate) if math.isfinite(x) and _on(x, scale)]
        if places:
            axes.hlines(row, min(x for _, x in places), max(x for _, x in places), color="0.8", linewidth=1.0, zorder=1)
        for at, x in places:
            low, high = line.overhead.low[at], line.overhead.high[at]
            colour = _shade(rates.index(line.ber[at]), len(rates))
            if math.isfinite(low) and math.isfinite(high):
                axes.hlines(row, low, high, color=colour, linewidth=1.2)
            if _on(line.mul[at], scale):
                axes.plot(line.mul[at], row, marker="|", color=_MUL, markersize=7, linestyle="")
            axes.plot(x, row, marker="o", color=colour, markersize=5.0, linestyle="")
    axes.set_xlim(scale.bottom, scale.top)
    axes.xaxis.set_major_formatter(percent_ticks())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(LogLocator(base=10, numticks=4) if scale.kind == "log" else MaxNLocator(4))
    _frame(axes, lines)
    axes.tick_params(labelleft=False)


def _on(value: float, scale: Scale) -> bool:
    """Whether a value has a place on the scale."""
    return value > 0 if scale.kind == "log" else value >= 0


def _shade(place: int, count: int) -> Any:
    """The higher of `count` rates the darker."""
    return colormaps["Blues"](1.0 if count == 1 else 0.4 + 0.6 * place / (count - 1))


def _legend(data: ConfigurationsData, rates: Sequence[float]) -> list[Line2D | Patch]:
    lines = [line for panel in data.panels for line in panel.lines]
    met = {relation for line in lines for relation in line.relation}
    handles: list[Line2D | Patch] = [
        Line2D([], [], label=f"{name} (interval leaves out 0)" if name in ("better", "worse") else name, **_DOT, **mark)
        for name, mark in _MARKS.items()
        if name in met
    ]
    handles.append(Line2D([], [], label=f"{data.baseline}: the baseline", marker="s", markerfacecolor="white", **_DOT))
    if data.margin is not None:
        handles.append(Patch(label=f"margin of {100 * data.margin:g} points", color=_BAND))
    for place, rate in enumerate(rates):
        label = "overhead" if len(rates) == 1 else f"overhead at {amount_told(rate, unit=data.unit)}"
        handles.append(Line2D([], [], label=label, marker="o", color=_shade(place, len(rates)), linestyle=""))
    handles.append(Line2D([], [], label="multiplications in it", marker="|", color=_MUL, linestyle=""))
    return handles


def _frame(axes: Axes, lines: Sequence[ConfigurationLine]) -> None:
    axes.set_yticks(range(len(lines)), [line.configuration for line in lines], fontsize=8)
    axes.set_ylim(max(1, len(lines)) - 0.5, -0.5)  # the first row on top
    axes.tick_params(axis="x", labelsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, which="major", axis="both", color="0.93", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
