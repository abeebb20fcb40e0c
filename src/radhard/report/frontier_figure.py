"""Draws the frontier: accuracy or agreement over overhead of a plan's candidates."""

import math
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, SymmetricalLogLocator

from radhard.report.caption import Caption, sentences_of
from radhard.report.frontier import Frontier, FrontierData
from radhard.report.style import COLOURS, DASHES, GREY, MARKERS, check_suffix, percent_ticks, write_figure

_FAR = 20.0  # plans of which one takes so many times the operations of another have a logarithmic scale
_RING: dict[str, Any] = {
    "marker": "o", "markersize": 13, "markerfacecolor": "none", "markeredgecolor": "black", "markeredgewidth": 1.4,
}  # fmt: skip


def draw_frontier(data: FrontierData, path: Path) -> None:
    """Draw the figure into a .png, .svg or .pdf file, legible in black and white."""
    check_suffix(path)
    rows = math.ceil((len(data.lines) + 4) / 2)
    width, height = 8.0, 5.3 + 0.2 * rows
    rect = (0, 0, 1, 1 - 0.72 / height)
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08, rect=rect))
    FigureCanvasAgg(figure)
    handles = draw_frontier_on(data, figure.subplots())
    handles += [
        Line2D([], [], label="with ranges too (hollow)", color=GREY, marker="o", markerfacecolor="white", linestyle=""),
        Line2D([], [], label="chosen", linestyle="", **_RING),
        Line2D([], [], label=f"limits: {data.measured} lost, overhead", color=GREY, linewidth=1.0, linestyle=DASHES[1]),
        Line2D([], [], label=f"clean {data.measured}", color=GREY, linewidth=1.0, linestyle=DASHES[2]),
    ]
    figure.text(0.15 / width, 1 - 0.12 / height, data.title, va="top", fontsize=13, fontweight="bold")
    figure.text(0.15 / width, 1 - 0.40 / height, data.subtitle, va="top", fontsize=9, color=GREY)
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9, handlelength=4)
    shown = (
        f"{data.measured} under faults over overhead, a mark a step of a plan; the ring is the step that was chosen",
    )
    write_figure(figure, path, caption=Caption(title=data.title, sentences=(*sentences_of(data.subtitle), *shown)))


def draw_frontier_on(data: FrontierData, axes: Axes) -> list[Line2D]:
    """Draw the steps on axes, with the limits; the lines of the plans, for a legend."""
    _scale(axes, data)
    handles = [_draw(axes, line, number=number) for number, line in enumerate(data.lines)]
    _limits(axes, data)
    axes.set_xlabel("overhead: operations of protection, in % of the model's own")
    axes.set_ylabel(f"{data.measured} under faults")
    axes.yaxis.set_major_formatter(percent_ticks())
    axes.xaxis.set_major_formatter(percent_ticks())
    axes.grid(visible=True, which="major", color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return handles


def _scale(axes: Axes, data: FrontierData) -> None:
    """From 0 to a little more than the greatest overhead, or its limit where that is not far beyond it."""
    greatest = [max([0.0, *line.steps.overhead.rate, *line.ranges.overhead.rate]) for line in data.lines]
    most = max([*greatest, 1e-4])
    end = max([most, *(line.most for line in data.lines if line.most < 2 * most)])
    least = min([x for x in greatest if x > 0], default=most)
    if most > _FAR * least:
        threshold = least / 10
        axes.set_xscale("symlog", linthresh=threshold)
        axes.xaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=threshold))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(-0.15 * threshold, 1.5 * end)
    else:
        axes.set_xlim(-0.03 * end, 1.05 * end)


def _draw(axes: Axes, line: Frontier, *, number: int) -> Line2D:
    """The steps with their intervals, those with ranges hollow, and a ring around the chosen one."""
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    for steps in (line.steps, line.ranges):
        axes.vlines(steps.overhead.rate, steps.quality.low, steps.quality.high, color=colour, linewidth=0.9)
        bounded = [k for k, high in enumerate(steps.overhead.high) if math.isfinite(high)]
        low, high, at = (
            [values[k] for k in bounded] for values in (steps.overhead.low, steps.overhead.high, steps.quality.rate)
        )
        axes.hlines(at, low, high, color=colour, linewidth=0.9)
    (handle,) = axes.plot(
        line.steps.overhead.rate, line.steps.quality.rate, color=colour, marker=marker, linewidth=1.3, markersize=5.0,
        linestyle=DASHES[number % len(DASHES)], markeredgecolor="white", markeredgewidth=0.5, label=line.label,
    )  # fmt: skip
    axes.plot(
        line.ranges.overhead.rate, line.ranges.quality.rate, color=colour, marker=marker, linestyle="",
        markersize=6.0, markerfacecolor="white", zorder=3,
    )  # fmt: skip
    if all(map(math.isfinite, line.chosen)):
        axes.plot(*line.chosen, linestyle="", zorder=4, **_RING)
    return handle


def _limits(axes: Axes, data: FrontierData) -> None:
    """Clean accuracies, targets and greatest overheads, in grey where all plans have the same."""
    for name, dash in (("clean", DASHES[2]), ("target", DASHES[1]), ("most", DASHES[1])):
        values = [getattr(line, name) for line in data.lines]
        same = len(set(values)) == 1
        for number, value in enumerate(values[:1] if same else values):
            if not math.isfinite(value):
                continue
            colour = GREY if same else COLOURS[number % len(COLOURS)]
            across = axes.axvline if name == "most" else axes.axhline
            across(value, zorder=1, color=colour, linewidth=1.0, linestyle=dash)
