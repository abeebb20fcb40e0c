"""The figure of vulnerability over bit positions: a panel a word, a stem a bit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from radhard.report.caption import Caption, sentences_of
from radhard.report.style import COLOURS, GREY, MARKERS, check_suffix, write_figure
from radhard.report.vulnerability import Bars, bars, described, measure_label, title_of
from radhard.report.vulnerability_record import VulnerabilityRecord

_NAME = re.compile(r"(?P<kind>\w+) (?P<word>\S+) bit (?P<bit>\d+)")
_WORDS = {"mul": "products", "add": "running sums and sums"}


@dataclass(frozen=True, kw_only=True)
class BitPanel:
    """Of one model and word of one kind of operation: the `bit` positions, and at each rate their factors (`groups`).

    Bit 0 is the least significant. `share`: of all exposed bits.
    """

    model: str
    kind: str
    word: str
    bit: tuple[int, ...]
    share: float
    groups: tuple[Bars, ...]

    @property
    def name(self) -> str:
        """`products, int16 (32.1% of exposed bits)`."""
        return f"{_WORDS.get(self.kind, self.kind)}, {self.word} ({self.share:.1%} of exposed bits)"


@dataclass(frozen=True, kw_only=True)
class BitsData:
    """What the figure shows; panels of integer words before those of floats."""

    title: str
    subtitle: str
    label: str
    panels: tuple[BitPanel, ...]


def are_bits(records: Sequence[VulnerabilityRecord]) -> bool:
    """Whether all components are bits of words."""
    points = [point for record in records for point in record["points"]]
    return all(_NAME.fullmatch(c["name"]) for point in points for c in point["components"])


def bits_drawn(records: Sequence[VulnerabilityRecord]) -> BitsData:
    """Records of studies by bit, as `--json` prints them -> what to draw."""
    return BitsData(
        title=title_of(records),
        subtitle=described(records[0]),
        label=measure_label(records[0]),
        panels=tuple(panel for record in records for panel in _panels(record)),
    )


def _panels(record: VulnerabilityRecord) -> list[BitPanel]:
    components = record["points"][0]["components"]
    places: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for place, component in enumerate(components):
        found = _NAME.fullmatch(component["name"])
        if found:
            places.setdefault((found["word"], found["kind"]), []).append((int(found["bit"]), place))
    groups = [bars(point, labelled=record["labelled"]) for point in record["points"]]
    ordered = sorted(places.items(), key=lambda it: (not it[0][0].startswith("int"), it[0][1] != "mul", it[0][0]))
    return [
        BitPanel(
            model=record["model"],
            kind=kind,
            word=word,
            bit=tuple(bit for bit, _ in own),
            share=sum(components[place]["bits"] for _, place in own) / record["exposed_bits"],
            groups=tuple(_part(group, [place for _, place in own]) for group in groups),
        )
        for (word, kind), own in ordered
    ]


def _part(group: Bars, places: Sequence[int]) -> Bars:
    columns = {name: tuple(values[k] for k in places) for name, values in vars(group).items() if name != "label"}
    return Bars(label=group.label, **columns)


def draw_bits(data: BitsData, path: Path) -> None:
    """Draw the figure into a .png, .svg or .pdf file, legible in black and white, and its caption beside it."""
    check_suffix(path)
    columns = min(2, len(data.panels))
    rows = -(-len(data.panels) // columns)
    width, height = 6.2 * columns, 1.7 + 2.5 * rows
    rect = (0, 0, 1, 1 - 0.8 / height)
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.07, rect=rect))
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    several = len({panel.model for panel in data.panels}) > 1
    for axes, panel in zip(grid.flat, data.panels, strict=False):
        _draw_panel(axes, panel)
        axes.set_title(f"{panel.model}: {panel.name}" if several else panel.name, loc="left", fontsize=9)
        axes.tick_params(labelleft=True)
    for axes in grid.flat[len(data.panels) :]:
        axes.set_axis_off()
    figure.supylabel(data.label.replace(": ", ":\n", 1), fontsize=8.5)
    figure.text(0.15 / width, 1 - 0.12 / height, data.title, va="top", fontsize=13, fontweight="bold")
    figure.text(0.15 / width, 1 - 0.40 / height, data.subtitle, va="top", fontsize=9, color=GREY)
    handles = [_handle(number, bars.label) for number, bars in enumerate(data.panels[0].groups)]
    handles.append(
        Line2D([], [], label="hollow: the interval for all at once reaches 0", marker="o", color=GREY,
               markerfacecolor="white", linestyle="")
    )  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8.5)
    write_figure(figure, path, caption=caption(data))


def caption(data: BitsData) -> Caption:
    """What the figure shows, and the bits whose factors are surely above 0."""
    told = []
    for panel in data.panels:
        for group in panel.groups:
            sure = [bit for bit, low in zip(panel.bit, group.all_low, strict=True) if low > 0]
            bits = f"bits {', '.join(map(str, sorted(sure)))} are" if sure else "no bit is"
            told.append(f"{panel.model}, {panel.name}, {group.label}: {bits} surely vulnerable, all at once")
    shown = f"stems over the bit position, 0 the least significant: {data.label}"
    return Caption(title=data.title, sentences=(shown, *sentences_of(data.subtitle), *told))


def _draw_panel(axes: Axes, panel: BitPanel) -> None:
    apart = 0.6 / len(panel.groups)
    for number, group in enumerate(panel.groups):
        colour = COLOURS[number % len(COLOURS)]
        places = [bit + (number - (len(panel.groups) - 1) / 2) * apart for bit in panel.bit]
        axes.vlines(places, 0.0, group.factor, color=colour, linewidth=0.8, zorder=2)
        axes.vlines(places, group.all_low, group.all_high, color=colour, linewidth=0.6, alpha=0.6, zorder=3)
        axes.vlines(places, group.low, group.high, color=colour, linewidth=1.8, alpha=0.6, zorder=3)
        sure = [low > 0 or high < 0 for low, high in zip(group.all_low, group.all_high, strict=True)]
        for place, factor, known in zip(places, group.factor, sure, strict=True):
            face = colour if known else "white"
            axes.plot(place, factor, marker=MARKERS[number % len(MARKERS)], markersize=4.0, color=colour,
                      markerfacecolor=face, markeredgewidth=0.8, linestyle="", zorder=4)  # fmt: skip
    axes.axhline(0.0, color="black", linewidth=0.8, zorder=1)
    axes.set_xlim(min(panel.bit) - 0.7, max(panel.bit) + 0.7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=16))
    axes.set_xlabel("bit, 0 the least significant", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(visible=True, axis="y", color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _handle(number: int, label: str) -> Line2D:
    return Line2D([], [], label=label, color=COLOURS[number % len(COLOURS)], marker=MARKERS[number % len(MARKERS)],
                  linewidth=1.0)  # fmt: skip
