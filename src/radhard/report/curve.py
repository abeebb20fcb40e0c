"""The figure of accuracy over bit error rate, for one or several models."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from radhard.analysis.curve import Point
from radhard.analysis.sweep import Sweep
from radhard.faults import EVERYWHERE
from radhard.hardware import event_of
from radhard.report.band import Band
from radhard.report.caption import Caption, sentences_of
from radhard.report.fault_amount import COUNT, RATE, amount_told
from radhard.report.style import COLOURS, DASHES, GREY, MARKERS, check_suffix, percent_ticks, write_figure
from radhard.report.subtitle import setting_lines


@dataclass(frozen=True, kw_only=True)
class Line:
    """A model's line: for each BER > 0 (or number of flips an inference) in rising order, its accuracy.

    And that `relative` to clean.

    `clean`: recipe -> accuracy with no fault. A relative accuracy that is not known is NaN. `sdc`: the rate of
    silent data corruptions, which is drawn where images have no labels.
    """

    model: str
    ber: tuple[float, ...]
    accuracy: Band
    relative: Band
    sdc: Band
    clean: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class CurveData:
    """What the figure shows: a `title`, how it was measured (`subtitle`), and a line a model."""

    title: str
    subtitle: str
    lines: tuple[Line, ...]
    labelled: bool = True
    unit: str = RATE


def curve_data(sweeps: Sequence[Sweep]) -> CurveData:
    """Sweeps of one recipe on the same images -> what to draw. Points at BER 0 or of no answers are left out."""
    setting = sweeps[0].setting
    place = "" if setting.where == EVERYWHERE else " of selected sites"
    sizes = {p.n for sweep in sweeps for p in _shown(sweep.points)}
    under = "bit flips" if setting.fault_model is None else f"{event_of(setting.fault_model)}s"
    return CurveData(
        title=f"{sweeps[0].model if len(sweeps) == 1 else f'{len(sweeps)} models'} under {under}",
        subtitle=(
            f"{setting_lines(setting, sizes=sizes, images=sweeps[0].images, place=place)}; bars and bands are 95 % "
            "intervals"
            + (
                ""
                if setting.labelled
                else "\nno labels, hence no accuracy: shown is SDC, answers that differ from clean"
            )
        ),
        lines=tuple(map(_line, sweeps)),
        labelled=setting.labelled,
        unit=COUNT if setting.flips else RATE,
    )


_WIDEST = 120
"""Letters of a line under the title, which may name a long path."""


def _short(name: str, *, most: int = 60) -> str:
    """A name, or the end of a long one: paths differ there. The whole name is in the caption."""
    return name if len(name) <= most else f"…{name[1 - most :]}"


def draw_curve(data: CurveData, path: Path) -> None:
    """Draw the figure into a .png, .svg or .pdf file, legible in black and white."""
    check_suffix(path)
    figure = Figure(
        figsize=(10.0, 5.0 + 0.2 * max(0, len(data.lines) - 2) / 2),
        layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1),
    )
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(1, 2, sharex=True)) if data.labelled else [figure.subplots()]
    left = panels[0]
    handles = _draw_accuracy(data, *panels) if data.labelled else _draw_changed(data, left)
    if any(line.ber for line in data.lines):
        left.set_xscale("log")
        left.xaxis.set_major_locator(LogLocator(base=10, numticks=12))
        for axes in panels:
            axes.xaxis.set_minor_formatter(NullFormatter())
    subtitle = "\n".join(part for line in data.subtitle.split("\n") for part in wrap(line, _WIDEST))
    left.set_title(subtitle, loc="left", fontsize=9, color=GREY)
    left.annotate(
        _short(data.title), (0, 1), xycoords="axes fraction", xytext=(0, 23 + 12 * subtitle.count("\n")),
        textcoords="offset points", fontsize=13, fontweight="bold",
    )  # fmt: skip
    columns = 3 if len(data.lines) == 1 else 2
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=9, handlelength=4)
    write_figure(figure, path, caption=caption(data))


def caption(data: CurveData) -> Caption:
    """What the figure shows, and where each line begins and ends."""
    shown = "left accuracy, right accuracy relative to that without faults" if data.labelled else ""
    ends = []
    for line in data.lines:
        band = line.accuracy if data.labelled else line.sdc
        told = [
            f"{band.rate[at]:.1%} ({band.low[at]:.1%} to {band.high[at]:.1%}) at "
            f"{amount_told(line.ber[at], unit=data.unit)}"
            for at in dict.fromkeys((0, len(line.ber) - 1))
            if line.ber
        ]
        clean = f"{_clean(line)}; " if data.labelled else ""
        ends.append(f"{line.model}, {clean}{' and '.join(told) or 'no point'}")
    return Caption(title=data.title, sentences=(shown, *sentences_of(data.subtitle), *ends))


def draw_curve_on(data: CurveData, axes: Axes) -> None:
    """Draw the left panel on axes: accuracy over the rate, or SDC where images have no labels, with a legend."""
    for number, line in enumerate(data.lines):
        handle = _draw_band(axes, line.ber, line.accuracy if data.labelled else line.sdc, number=number)
        handle.set_label(line.model)
    if any(line.ber for line in data.lines):
        axes.set_xscale("log")
    label = "accuracy" if data.labelled else "SDC: top-1 differs from the fault-free answer"
    _frame(axes, top=1.0, label=label, unit=data.unit)
    axes.set_title(data.title)
    axes.legend(frameon=False)


def _draw_accuracy(data: CurveData, left: Axes, right: Axes) -> list[Line2D]:
    """Accuracy, and that relative to clean; what the legend names."""
    handles = []
    for number, line in enumerate(data.lines):
        _draw_band(left, line.ber, line.accuracy, number=number)
        handles.append(_draw_band(right, line.ber, line.relative, number=number))
        handles[-1].set_label(f"{_short(line.model)}  ({_clean(line)})")
    if len(data.lines) == 1:
        handles[0].set_label(f"{data.lines[0].model}, with faults")
        handles += _draw_clean(left, data.lines[0].clean)
    right.axhline(1.0, color=GREY, linewidth=1.0, linestyle=DASHES[1], zorder=1)
    _frame(left, top=1.0, label="accuracy", unit=data.unit)
    _frame(right, top=_top(data), label="accuracy relative to clean", unit=data.unit)
    return handles


def _draw_changed(data: CurveData, axes: Axes) -> list[Line2D]:
    """The share of answers that change, of images without labels; what the legend names."""
    handles = [_draw_band(axes, line.ber, line.sdc, number=number) for number, line in enumerate(data.lines)]
    for handle, line in zip(handles, data.lines, strict=True):
        handle.set_label(line.model)
    _frame(axes, top=1.0, label="SDC: top-1 differs from the fault-free answer", unit=data.unit)
    return handles


def _shown(points: Iterable[Point]) -> list[Point]:
    return sorted((p for p in points if p.amount > 0 and p.n > 0), key=lambda p: p.amount)


def _line(sweep: Sweep) -> Line:
    shown = _shown(sweep.points)

    def column(value: Callable[[Point], float]) -> tuple[float, ...]:
        return tuple(map(value, shown))

    return Line(
        model=sweep.model,
        ber=column(lambda p: p.amount),
        accuracy=Band(
            rate=column(lambda p: p.accuracy),
            low=column(lambda p: p.low),
            high=column(lambda p: p.high),
        ),
        relative=Band(
            rate=column(lambda p: p.relative),
            low=column(lambda p: p.relative_low),
            high=column(lambda p: p.relative_high),
        ),
        sdc=Band(
            rate=column(lambda p: p.sdc),
            low=column(lambda p: p.sdc_low),
            high=column(lambda p: p.sdc_high),
        ),
        clean={recipe: p.accuracy for recipe, p in sweep.clean.items() if p.n > 0 and sweep.labelled},
    )


def _draw_band(axes: Axes, ber: Sequence[float], band: Band, *, number: int) -> Line2D:
    """The line of the `number`-th model, its intervals as bars and a band. What is infinite ends far off the figure."""
    colour = COLOURS[number % len(COLOURS)]
    high = [min(value, 10.0) for value in band.high]
    axes.fill_between(ber, band.low, high, color=colour, alpha=0.13, linewidth=0)
    axes.vlines(ber, band.low, high, color=colour, linewidth=1.0)
    (line,) = axes.plot(
        ber, band.rate, color=colour, linestyle=DASHES[number % len(DASHES)], linewidth=1.5,
        marker=MARKERS[number % len(MARKERS)], markersize=5.5, markeredgecolor="white", markeredgewidth=0.5,
    )  # fmt: skip
    return line


def _draw_clean(axes: Axes, clean: Mapping[str, float]) -> list[Line2D]:
    """The accuracies of a single model with no fault, as horizontal lines."""
    return [
        axes.axhline(accuracy, color=GREY, linewidth=1.0, linestyle=dash, label=f"{recipe}, no faults: {accuracy:.2%}")
        for dash, (recipe, accuracy) in zip(DASHES[1:], clean.items(), strict=False)
    ]


def _clean(line: Line) -> str:
    """`clean: float 91.20%, int8 91.05%`."""
    return (
        f"clean: {', '.join(f'{recipe} {accuracy:.2%}' for recipe, accuracy in line.clean.items()) or 'not measured'}"
    )


def _top(data: CurveData) -> float:
    """The upper end of the panel of relative accuracy: a little over 100 %, or over the highest point."""
    return max([1.1, *(1.05 * rate for line in data.lines for rate in line.relative.rate if rate > 0)])


def _frame(axes: Axes, *, top: float, label: str, unit: str) -> None:
    axes.set_ylim(0, top)
    axes.yaxis.set_major_formatter(percent_ticks())
    axes.set_xlabel("bit error rate: probability that an exposed bit flips" if unit == RATE else unit)
    axes.set_ylabel(label)
    axes.grid(visible=True, which="major", color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
