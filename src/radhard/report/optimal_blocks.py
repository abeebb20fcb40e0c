"""The figure of the cheapest block over the bit error rate (Figs. 8 and 14 of Xue et al.)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, ScalarFormatter

from radhard.protection import Shape
from radhard.report.blocks import BlockRow
from radhard.report.caption import Caption, sentences_of
from radhard.report.style import GREY, check_suffix, percent_ticks, write_figure

_STYLES: dict[str, dict[str, Any]] = {
    "printed": {"color": "#D55E00", "marker": "^", "linestyle": (0, (1, 1.2))},
    "volume": {"color": "#0072B2", "marker": "s", "linestyle": (0, (5, 2))},
    "exact": {"color": "#000000", "marker": "o", "linestyle": (0, ())},
}


@dataclass(frozen=True, kw_only=True)
class ModelLines:
    """What one cost model says at each `ber` > 0, in rising order; `edge` is that of the cube.

    `overhead` and `detection` are shares of the product's own operations, `mul_share` that of multiplications in the
    overhead; `faulty` and `block_faulty` the probabilities that the product, and one of its blocks, is in error.
    """

    model: str
    ber: tuple[float, ...]
    edge: tuple[int, ...]
    overhead: tuple[float, ...]
    detection: tuple[float, ...]
    mul_share: tuple[float, ...]
    faulty: tuple[float, ...]
    block_faulty: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class OptimalBlocksData:
    """What the figure shows."""

    title: str
    subtitle: str
    lines: tuple[ModelLines, ...]


def optimal_blocks_data(rows: Sequence[BlockRow], *, shape: Shape, chosen: str) -> OptimalBlocksData:
    """Rows of one product -> what to draw, a line a model; `chosen` says how the blocks were. BER 0 is left out."""
    lines = []
    for model in dict.fromkeys(row.model for row in rows):
        shown = sorted((row for row in rows if row.model == model and row.ber > 0), key=lambda row: row.ber)
        lines.append(
            ModelLines(
                model=model,
                ber=tuple(row.ber for row in shown),
                edge=tuple(int(row.block.partition("x")[0]) for row in shown),
                overhead=tuple(row.overhead for row in shown),
                detection=tuple(row.detection for row in shown),
                mul_share=tuple(row.mul_share for row in shown),
                faulty=tuple(row.faulty for row in shown),
                block_faulty=tuple(row.block_faulty for row in shown),
            )
        )
    of_weight = "weight" if shape.stored else "activation"
    return OptimalBlocksData(
        title=f"LB-ABFT of one product {shape.m} x {shape.k} x {shape.n}",
        subtitle=f"{of_weight}{', with a bias' if shape.bias else ''}; block: {chosen}; expected operations",
        lines=tuple(lines),
    )


def draw_optimal_blocks(data: OptimalBlocksData, path: Path) -> None:
    """Draw the figure into a .png, .svg or .pdf file, legible in black and white."""
    check_suffix(path)
    figure = Figure(figsize=(10.0, 7.6), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1, rect=(0, 0, 1, 0.93)))
    FigureCanvasAgg(figure)
    (edges, overheads), (shares, faults) = figure.subplots(2, 2, sharex=True)
    handles = []
    for line in data.lines:
        style = {**_STYLES[line.model], "linewidth": 1.5, "markersize": 5.5}
        hollow = {**style, "markerfacecolor": "white", "linewidth": 0.9}
        handles += edges.plot(line.ber, line.edge, label=f"{line.model} model", **style)
        overheads.plot(line.ber, line.overhead, **style)
        overheads.plot(line.ber, line.detection, **hollow)
        shares.plot(line.ber, line.mul_share, **style)
        faults.plot(line.ber, line.block_faulty, **style)
        faults.plot(line.ber, line.faulty, **hollow)
    _frame(edges, "edge of the cube")
    _frame(overheads, "overhead (filled), its detection (hollow)")
    _frame(shares, "multiplications in the overhead")
    _frame(faults, "in error: a block (filled), product (hollow)")
    edges.set_yscale("log", base=2)
    edges.yaxis.set_major_formatter(ScalarFormatter())
    overheads.set_yscale("log")
    overheads.yaxis.set_major_formatter(percent_ticks())
    shares.set_ylim(0, 1.05)
    shares.yaxis.set_major_formatter(percent_ticks())
    faults.set_yscale("log")
    for axes in (shares, faults):
        axes.set_xlabel("bit error rate: probability that an exposed bit flips")
    edges.set_xscale("log")
    edges.xaxis.set_major_locator(LogLocator(base=10, numticks=12))
    figure.text(0.015, 0.985, data.title, va="top", fontsize=13, fontweight="bold")
    figure.text(0.015, 0.95, data.subtitle, va="top", fontsize=9, color=GREY)
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9, handlelength=4)
    write_figure(figure, path, caption=Caption(title=data.title, sentences=sentences_of(data.subtitle)))


def draw_optimal_blocks_on(data: OptimalBlocksData, axes: Axes) -> None:
    """Draw the panel of overheads on axes, its detection hollow."""
    for line in data.lines:
        style = {**_STYLES[line.model], "linewidth": 1.5, "markersize": 5.5}
        axes.plot(line.ber, line.overhead, label=f"{line.model} model", **style)
        axes.plot(line.ber, line.detection, **{**style, "markerfacecolor": "white", "linewidth": 0.9})
    _frame(axes, "overhead (filled), its detection (hollow)")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(percent_ticks())
    axes.set_xlabel("bit error rate: probability that an exposed bit flips")
    axes.set_title(data.title)
    axes.legend(frameon=False)


def _frame(axes: Axes, label: str) -> None:
    axes.set_ylabel(label)
    axes.grid(visible=True, which="major", color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
