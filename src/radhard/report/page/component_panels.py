"""Figures of components: dots or stems with two intervals, and maps over the image, whatever the quantity is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radhard.report.page.axes import ACCENT, MUTED, axis, dots, interval_bars, layout, plain, scaled
from radhard.report.page.section import Panel, Values

_LONGEST = 24  # characters of a name beside an axis
_ROW = 22  # pixels
_MAP_HEIGHT = 380
_DENSE = 16  # up to so many rows or columns each has its number


@dataclass(frozen=True, kw_only=True)
class DrawnComponent:
    """A component's `value` as a share, its interval, that of all at once; `told` stands after its name on hover."""

    name: str
    value: float
    low: float | None
    high: float | None
    all_low: float | None
    all_high: float | None
    told: str

    @property
    def hover(self) -> str:
        """What the mouse says of it."""
        return f"{self.name or '-'}: {self.told}"


def short(name: str) -> str:
    """A name beside an axis."""
    return plain(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…") or "-"


def dot_panel(shown: Sequence[DrawnComponent], *, title: str) -> Panel:
    """A dot a component: the thick interval is its own, the thin one holds for all at once."""
    value, low, high, all_low, all_high = _columns(shown)
    places = [float(k) for k in range(len(shown))]
    wide = dots([], value, all_low, all_high, hover=[""] * len(shown), colour=MUTED, places=places)
    near = dots([], value, low, high, hover=[one.hover for one in shown], places=places)
    near["error_x"] = {**interval_bars(value, low, high, colour=ACCENT), "thickness": 3}
    y = axis(
        tickmode="array", tickvals=places, ticktext=[short(one.name) for one in shown],
        range=[len(shown) - 0.5, -0.5], showgrid=False, zeroline=False,
    )  # fmt: skip
    return Panel(
        traces=({**wide, "hoverinfo": "skip", "hovertemplate": None}, near),
        layout=layout(axis(title, zeroline=True), y),
        height=90 + _ROW * len(shown),
    )


def bit_panels(shown: Sequence[DrawnComponent], *, title: str) -> tuple[Panel, ...]:
    """A stem for each bit position, one panel a kind of word; names are such as `mul int16 bit 15`."""
    words: dict[str, list[tuple[int, DrawnComponent]]] = {}
    for one in shown:
        word, _, bit = one.name.rpartition(" bit ")
        if bit.isdecimal():
            words.setdefault(word or "word", []).append((int(bit), one))
    found = [one for bits in words.values() for _, one in bits]
    top = max((100 * one.all_high for one in found if one.all_high is not None), default=1.0)
    least = min((100 * one.all_low for one in found if one.all_low is not None), default=0.0)
    panels = []
    for word, bits in words.items():
        value, low, high, _, _ = _columns([one for _, one in bits])
        trace = {
            "type": "scatter", "mode": "markers", "x": [bit for bit, _ in bits], "y": value,
            "error_y": interval_bars(value, low, high, colour=ACCENT), "marker": {"size": 6, "color": ACCENT},
            "text": [plain(one.hover) for _, one in bits], "hovertemplate": "%{text}<extra></extra>",
        }  # fmt: skip
        shape = layout(axis("bit, 0 the least significant", zeroline=False), axis(title, range=[least, top]))
        panels.append(Panel(title=word, traces=(trace,), layout=shape, height=260))
    return tuple(panels)


def map_panel(
    shown: Sequence[DrawnComponent], *, rows: int, columns: int, unit: str, signed: bool, title: str = ""
) -> Panel:
    """A cell a patch; names are `row,column`. A `signed` quantity has another colour below 0."""
    value: list[list[float | None]] = [[None] * columns for _ in range(rows)]
    hover = [[""] * columns for _ in range(rows)]
    for one in shown:
        row, comma, column = one.name.partition(",")
        if comma and row.isdecimal() and column.isdecimal():
            value[int(row)][int(column)] = 100 * one.value
            hover[int(row)][int(column)] = plain(f"row {row}, column {column}: {one.told}")
    most = max((abs(v) for line in value for v in line if v is not None), default=0.0) or 1.0
    scale = [[0.0, "--second"], [0.5, "--grid"], [1.0, "--accent"]] if signed else [[0.0, "--grid"], [1.0, "--accent"]]
    trace: Values = {
        "type": "heatmap", "z": value, "text": hover, "hovertemplate": "%{text}<extra></extra>", "xgap": 1, "ygap": 1,
        "zmin": -most if signed else 0.0, "zmax": most, "colorscale": scale,
        "colorbar": {"title": {"text": unit, "side": "right"}, "thickness": 12, "outlinewidth": 0},
    }  # fmt: skip
    return Panel(title=title, traces=(trace,), layout=_square(rows, columns), height=_MAP_HEIGHT)


def image_panel(levels: Sequence[Sequence[int]], *, rows: int, columns: int, title: str) -> Panel:
    """Grey levels 0 ... 255 [H, W] under the lines between `rows` x `columns` patches, placed as their map is."""
    height, width = len(levels), len(levels[0])
    trace: Values = {
        "type": "heatmap", "z": [list(line) for line in levels], "zmin": 0, "zmax": 255, "showscale": False,
        "colorscale": [[0.0, "#000000"], [1.0, "#ffffff"]], "hoverinfo": "skip",
        "x0": columns / width / 2 - 0.5, "dx": columns / width, "y0": rows / height / 2 - 0.5, "dy": rows / height,
    }  # fmt: skip
    ends = {"x0": -0.5, "x1": columns - 0.5, "y0": -0.5, "y1": rows - 0.5}
    lines: list[Mapping[str, float]] = [{**ends, "x0": k - 0.5, "x1": k - 0.5} for k in range(1, columns)]
    lines += [{**ends, "y0": k - 0.5, "y1": k - 0.5} for k in range(1, rows)]
    # dark under light, so that they are seen on any image
    shapes = [
        {"type": "line", **line, "line": {"color": colour, "width": width}}
        for colour, width in (("#000000", 1.6), ("#ffffff", 0.8))
        for line in lines
    ]
    return Panel(title=title, traces=(trace,), layout={**_square(rows, columns), "shapes": shapes}, height=_MAP_HEIGHT)


def _square(rows: int, columns: int) -> dict[str, object]:
    """Axes of a map with square cells, the first row at the top."""
    quiet = {"showgrid": False, "zeroline": False, "constrain": "domain"}
    x = axis(dtick=1 if columns <= _DENSE else 4, range=[-0.5, columns - 0.5])
    y = axis(dtick=1 if rows <= _DENSE else 4, range=[rows - 0.5, -0.5], scaleanchor="x")
    return layout({**x, **quiet}, {**y, **quiet})


def _columns(shown: Sequence[DrawnComponent]) -> tuple[list[float | None], ...]:
    """Values and limits in percent or percentage points."""
    return tuple(
        scaled([getattr(one, name) for one in shown]) for name in ("value", "low", "high", "all_low", "all_high")
    )
