"""The figure of overhead and uncorrected errors over the block size (Fig. 7 of Xue et al.)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, ScalarFormatter

from radhard.analysis.simulated_blocks import MeanInterval, Simulated
from radhard.report.caption import Caption, sentences_of
from radhard.report.style import GREY, check_suffix, percent_ticks, write_figure

_COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73")
_MARKERS = ("o", "s", "^", "D")


@dataclass(frozen=True, kw_only=True)
class SizeLine:
    """At one rate, over `edge` in rising order: overheads, and the `mse` of each policy; `unprotected` is its level."""

    ber: float
    edge: tuple[int, ...]
    exact: tuple[float, ...]
    volume: tuple[float, ...]
    executed: tuple[float, ...]
    mse: dict[str, tuple[MeanInterval, ...]]
    unprotected: float


@dataclass(frozen=True, kw_only=True)
class BlockSizesData:
    """What the figure shows: for each product a line a rate."""

    title: str
    subtitle: str
    panels: dict[str, tuple[SizeLine, ...]]


def block_sizes_data(points: Sequence[Simulated]) -> BlockSizesData:
    """Points of one grid of sizes and policies, the unprotected ones among them -> what to draw."""
    panels: dict[str, tuple[SizeLine, ...]] = {}
    for gemm in dict.fromkeys(point.gemm for point in points):
        rates = sorted({point.ber for point in points if point.gemm == gemm})
        panels[gemm] = tuple(_line([p for p in points if (p.gemm, p.ber) == (gemm, ber)]) for ber in rates)
    sizes = sorted({point.n for point in points})
    return BlockSizesData(
        title="LB-ABFT: overhead and error against the size of its blocks",
        subtitle=f"n = {' to '.join(map(str, sizes))} products a point; error of int8 words, bars are 95 % intervals",
        panels=panels,
    )


def _line(points: Sequence[Simulated]) -> SizeLine:
    policies = {point.policy: sorted((p for p in points if p.policy == point.policy and p.edge), key=lambda p: p.edge)
                for point in points if point.edge}  # fmt: skip
    first = next(iter(policies.values()))
    return SizeLine(
        ber=points[0].ber,
        edge=tuple(p.edge for p in first),
        exact=tuple(p.exact for p in first),
        volume=tuple(p.volume for p in first),
        executed=tuple(p.executed.mean for p in first),
        mse={policy: tuple(p.mse for p in ones) for policy, ones in policies.items()},
        unprotected=next(p.mse.mean for p in points if not p.edge),
    )


def simulated_record(point: Simulated) -> dict[str, Any]:
    """Ready for JSON."""
    return asdict(point)


def draw_block_sizes(data: BlockSizesData, path: Path) -> None:
    """Draw the figure into a .png, .svg or .pdf file, legible in black and white."""
    check_suffix(path)
    size = (11.0, 1.4 + 3.6 * len(data.panels))
    figure = Figure(
        figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1, rect=(0, 0, 1, 1 - 0.6 / size[1]))
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(data.panels), 2, squeeze=False, sharex=True)
    for (left, right), (gemm, lines) in zip(grid, data.panels.items(), strict=True):
        for number, line in enumerate(lines):
            _draw_line(left, right, line, number=number)
        left.set_title(gemm, loc="left", fontsize=11)
        _frame(left, "overhead, of the product's operations")
        _frame(right, "mean squared error of the output words")
        left.set_yscale("log")
        left.yaxis.set_major_formatter(percent_ticks())
        right.set_yscale("symlog", linthresh=1e-3)
        right.set_ylim(bottom=-2e-4)
    for axes in grid[-1]:
        axes.set_xscale("log", base=2)
        axes.set_xlabel("edge of the cubic block")
        axes.set_xticks([8, 16, 32, 64, 128])
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
    figure.text(0.015, 1 - 0.1 / size[1], data.title, va="top", fontsize=13, fontweight="bold")
    figure.text(0.015, 1 - 0.38 / size[1], data.subtitle, va="top", fontsize=9, color=GREY)
    lines = next(iter(data.panels.values()))
    figure.legend(handles=_legend(lines), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    write_figure(figure, path, caption=Caption(title=data.title, sentences=sentences_of(data.subtitle)))


def _draw_line(left: Axes, right: Axes, line: SizeLine, *, number: int) -> None:
    colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
    left.plot(line.edge, line.exact, color=colour, linewidth=1.5)
    left.plot(line.edge, line.volume, color=colour, linewidth=1.2, linestyle=(0, (5, 2)))
    left.plot(line.edge, line.executed, color=colour, linestyle="none", marker=marker, markersize=5)
    for place, means in enumerate(line.mse.values()):
        rate, low, high = ([getattr(mean, name) for mean in means] for name in ("mean", "low", "high"))
        right.vlines(line.edge, low, high, color=colour, linewidth=1.0)
        right.plot(
            line.edge, rate, color=colour, marker=marker, markersize=5, linewidth=1.2,
            linestyle=(0, ()) if place == 0 else (0, (1, 1.2)), markerfacecolor=colour if place == 0 else "white",
        )  # fmt: skip
    right.axhline(line.unprotected, color=colour, linewidth=0.9, linestyle=(0, (6, 2, 1, 2)), zorder=1)


def _legend(lines: Sequence[SizeLine]) -> list[Line2D]:
    rates = [
        Line2D([], [], color=_COLOURS[i % 4], marker=_MARKERS[i % 4], linestyle="none", label=f"BER {line.ber:.0e}")
        for i, line in enumerate(lines)
    ]
    styles = [
        ((0, ()), "exact model (left); executed as markers"),
        ((0, (5, 2)), "volume model, multiplications alone (left)"),
        ((0, ()), f"policy {next(iter(lines[0].mse))} (right, filled)"),
        *(((0, (1, 1.2)), f"policy {policy} (right, hollow)") for policy in list(lines[0].mse)[1:]),
        ((0, (6, 2, 1, 2)), "unprotected (right)"),
    ]
    return rates + [Line2D([], [], color=GREY, linestyle=dash, label=text) for dash, text in styles]


def _frame(axes: Axes, label: str) -> None:
    axes.set_ylabel(label)
    axes.grid(visible=True, which="major", color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
