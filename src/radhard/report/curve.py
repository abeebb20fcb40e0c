"""The figure of accuracy over bit error rate: data first, then drawing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from radhard.analysis.curve import Point
from radhard.errors import InputError

SUFFIXES = (".png", ".svg")
_DASHES = ("--", ":", "-.")


@dataclass(frozen=True, kw_only=True)
class CurveData:
    """What the figure shows: a `title`, and for each BER > 0 in rising order the accuracy and its interval.

    `clean`: recipe -> accuracy with no fault, drawn as a horizontal line.
    """

    title: str
    ber: tuple[float, ...]
    accuracy: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    clean: Mapping[str, float]


def curve_data(points: Sequence[Point], *, model: str, recipe: str, clean: Mapping[str, Point]) -> CurveData:
    """Points, and the clean ones by recipe -> what to draw. Points at BER 0 or of no answers are left out."""
    shown = sorted((p for p in points if p.ber > 0 and p.n > 0), key=lambda p: p.ber)
    sizes = sorted({p.n for p in shown})
    n = "no point" if not sizes else f"n = {sizes[0]:,}" if len(sizes) == 1 else f"n = {sizes[0]:,} to {sizes[-1]:,}"
    return CurveData(
        title=f"{model}, recipe {recipe}\n{n} answers a point, 95 % interval",
        ber=tuple(p.ber for p in shown),
        accuracy=tuple(p.accuracy for p in shown),
        low=tuple(p.low for p in shown),
        high=tuple(p.high for p in shown),
        clean={name: p.accuracy for name, p in clean.items() if p.n > 0},
    )


def check_suffix(path: Path) -> None:
    """Raise InputError unless the file's name ends in .png or .svg."""
    if path.suffix not in SUFFIXES:
        raise InputError(f"figure {path} ends in {path.suffix or 'nothing'!r}; name a file that ends in .png or .svg")


def draw_curve(data: CurveData, path: Path) -> None:
    """Draw the figure into a .png (160 dots an inch) or .svg file, legible in black and white."""
    check_suffix(path)
    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for dashes, (name, accuracy) in zip(_DASHES, data.clean.items(), strict=False):
        axes.axhline(
            accuracy,
            color="0.35",
            linestyle=dashes,
            linewidth=1.2,
            label=f"{name}, no faults: {accuracy:.2%}",
        )
    if data.ber:
        axes.set_xscale("log")
        axes.fill_between(data.ber, data.low, data.high, color="0.8", linewidth=0)
        errors = (
            [a - low for a, low in zip(data.accuracy, data.low, strict=True)],
            [high - a for a, high in zip(data.accuracy, data.high, strict=True)],
        )
        axes.errorbar(
            data.ber, data.accuracy, yerr=errors, color="black", marker="o", markersize=5, linewidth=1.4,
            capsize=3, label="with faults, 95 % interval",
        )  # fmt: skip
        axes.xaxis.set_major_locator(LogLocator(base=10, numticks=12))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.set_xlabel("bit error rate: probability that an exposed bit flips")
    axes.set_ylabel("accuracy")
    axes.set_title(data.title, fontsize=11)
    axes.grid(visible=True, which="major", color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.legend(loc="best", frameon=False, fontsize=9)
    with rc_context({"svg.hashsalt": "radhard", "svg.fonttype": "none"}):  # the same data, the same bytes; text as text
        figure.savefig(path, dpi=160, metadata={"Date": None} if path.suffix == ".svg" else None)
