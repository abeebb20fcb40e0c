"""The section of a campaign that runs: what is done of each setting, and its accuracy so far."""

from collections.abc import Sequence

from radhard.analysis.so_far import SettingSoFar
from radhard.campaign.running_command import RunningCommand
from radhard.report.page.axes import ACCENT, axis, interval_bars, layout, log_axis, plain
from radhard.report.page.numbers import counted, duration_text, interval_percent, percent, rate
from radhard.report.page.section import PageCell, PageFigure, PageTable, Panel, Section


def progress_section(settings: Sequence[SettingSoFar], *, running: RunningCommand | None = None) -> Section:
    """What a store holds so far, and how far the command is that fills it, where one says so."""
    units, pairs = sum(one.units for one in settings), sum(one.pairs for one in settings)
    curves: dict[tuple[str, str], list[SettingSoFar]] = {}
    for one in settings:
        if one.ber > 0 and one.pairs and not (one.protected or one.selected):
            curves.setdefault((one.model, one.recipe), []).append(one)
    figure = PageFigure(
        title="So far, with nothing protected and everything exposed",
        note="Bars are 95 % intervals, clustered by image; they become narrower while the campaign runs.",
        panels=tuple(_panel(f"{model}, {recipe}", own) for (model, recipe), own in curves.items()),
        data=tuple(_row(one) for own in curves.values() for one in own),
        name="so-far",
    )
    done = f"{counted(units, 'unit')} of {counted(len(settings), 'setting')} done: {pairs:,} images x trials."
    return Section(
        key="so-far",
        title="So far",
        lines=(done, _running(running)),
        parts=(*((figure,) if curves else ()), _table(settings)),
        share=running.share if running is not None and running.alive else None,
    )


def _running(running: RunningCommand | None) -> str:
    """How far the command is, in a sentence."""
    if running is None:
        return "No command is filling this store at present."
    command = f"`{running.command}`" if running.command else "a call from Python"
    task = f", {running.task}" if running.task else ""
    known = f"; {running.known}" if running.known else ""
    so_far = f"{running.done:,} of {counted(running.total, 'unit')} ({percent(running.share)}){known}"
    if not running.alive:
        return f"Not running any more: {command}, of {running.model}{task}. It had done {so_far}; the same goes on."
    return f"Running: {command}, of {running.model}{task}: {so_far}; about {duration_text(running.seconds_left)} left."


def _row(one: SettingSoFar) -> dict[str, object]:
    names = ("model", "recipe", "data", "ber", "protected", "selected", "labelled", "units", "pairs")
    found = {"rate": one.rate.rate, "low": one.rate.low, "high": one.rate.high}
    return {**{name: getattr(one, name) for name in names}, **found, "setting": one.setting}


def _panel(title: str, settings: Sequence[SettingSoFar]) -> Panel:
    value, low, high = ([100 * getattr(s.rate, name) for s in settings] for name in ("rate", "low", "high"))
    trace = {
        "type": "scatter", "mode": "lines+markers", "x": [s.ber for s in settings], "y": value,
        "error_y": interval_bars(value, low, high, colour=ACCENT),
        "line": {"color": ACCENT, "width": 1}, "marker": {"color": ACCENT, "size": 7},
        "text": [plain(f"BER {rate(s.ber)}: {_told(s)}, {s.pairs:,} answers") for s in settings],
        "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip
    what = "accuracy, %" if all(s.labelled for s in settings) else "accuracy or, without labels, SDC, %"
    shown = layout(log_axis("bit error rate"), axis(what, range=[0, 101]))
    return Panel(title=title, traces=(trace,), layout=shown, height=300)


def _faults(one: SettingSoFar) -> str:
    if one.flips:
        return f"{counted(one.flips, 'flip')} an inference"
    return "no faults" if one.ber == 0 else rate(one.ber)


def _told(one: SettingSoFar) -> str:
    if not one.pairs:
        return interval_percent(None, None, None)
    text = interval_percent(one.rate.rate, one.rate.low, one.rate.high)
    return text if one.labelled else f"SDC {text}"


def _table(settings: Sequence[SettingSoFar]) -> PageTable:
    rows = tuple(
        (
            PageCell(text=one.model),
            PageCell(text=one.recipe),
            PageCell(text=_faults(one), number=one.ber),
            PageCell(text="some sites" if one.selected else "all"),
            PageCell(text="yes" if one.protected else "no"),
            PageCell(text=f"{one.units:,}", number=one.units),
            PageCell(text=f"{one.pairs:,}", number=one.pairs),
            PageCell(text=_told(one), number=one.rate.rate if one.pairs else None),
        )
        for one in settings
    )
    columns = ("model", "recipe", "BER", "exposed", "protected", "units", "images x trials", "accuracy so far")
    return PageTable(title="Settings", columns=columns, rows=rows)
