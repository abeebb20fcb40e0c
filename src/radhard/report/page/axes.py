"""Traces and axes of Plotly that figures of the page share: no network, no colour but the page's own.

A text that begins with `--` is a variable of the page's style, which its script reads when it draws.
"""

import html
from collections.abc import Sequence

from radhard.report.page.section import Values

INK, MUTED, GRID, ACCENT, BAND = "--ink", "--muted", "--grid", "--accent", "--band"
OTHERS = ("--accent", "--second", "--third", "--fourth")
"""Of several series."""


def plain(text: str) -> str:
    """A user's text, which Plotly would read as its markup, as it is."""
    return html.escape(text, quote=False)


def axis(title: str = "", **more: object) -> dict[str, object]:
    """An axis with a quiet grid."""
    shown: dict[str, object] = {"title": {"text": title, "standoff": 8}} if title else {}
    return {
        "automargin": True, "gridcolor": GRID, "linecolor": GRID, "zerolinecolor": MUTED, "ticks": "", **shown, **more,
    }  # fmt: skip


def log_axis(title: str) -> dict[str, object]:
    """An axis of bit error rates."""
    return axis(title, type="log", exponentformat="power", dtick=1)


def layout(x: Values, y: Values, **more: object) -> dict[str, object]:
    """A figure with these axes and no frame."""
    return {
        "xaxis": dict(x),
        "yaxis": dict(y),
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "font": {"color": INK, "size": 12, "family": "system-ui, sans-serif"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"align": "left", "bgcolor": "--paper", "bordercolor": ACCENT, "font": {"color": INK}},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": MUTED, "activecolor": ACCENT},
        "showlegend": False,
        "dragmode": False,
        **more,
    }


def interval_bars(
    values: Sequence[float | None], low: Sequence[float | None], high: Sequence[float | None], *, colour: str
) -> dict[str, object]:
    """Bars from `low` to `high` around values; none where a limit is not known."""
    up = [None if v is None or h is None else max(0.0, h - v) for v, h in zip(values, high, strict=True)]
    down = [None if v is None or each is None else max(0.0, v - each) for v, each in zip(values, low, strict=True)]
    return {
        "type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": colour, "thickness": 1.2,
        "width": 0,
    }  # fmt: skip


def dots(
    names: Sequence[str],
    values: Sequence[float | None],
    low: Sequence[float | None],
    high: Sequence[float | None],
    *,
    hover: Sequence[str],
    colour: str = ACCENT,
    name: str = "",
    places: Sequence[float] | None = None,
) -> dict[str, object]:
    """A dot with its interval for each name, the first at the top. `values` are in what the axis shows."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain(name),
        "x": list(values),
        "y": list(names if places is None else places),
        "error_x": interval_bars(values, low, high, colour=colour),
        "marker": {"color": colour, "size": 7},
        "text": [plain(text) for text in hover],
        "hovertemplate": "%{text}<extra></extra>",
    }


def scaled(values: Sequence[float | None]) -> list[float | None]:
    """Shares -> percent or percentage points."""
    return [None if value is None else 100 * value for value in values]
