"""The section of sweeps: accuracy over the bit error rate, one panel a model, with 95 % bands."""

from collections.abc import Mapping, Sequence
from typing import Any

from radhard.campaign.results import KeptResult
from radhard.report.fault_amount import RATE, amount_of, amount_told, unit_of
from radhard.report.page.axes import ACCENT, BAND, MUTED, axis, layout, log_axis
from radhard.report.page.numbers import UNKNOWN, counted, interval_percent, percent, rate
from radhard.report.page.records import record_of
from radhard.report.page.section import PageCell, PageFigure, PageTable, Panel, Section


def curve_section(sweeps: Sequence[KeptResult]) -> Section | None:
    """What sweeps found; None without one."""
    records = [record_of(kept) for kept in sweeps]
    if not records:
        return None
    labelled = all(record["labelled"] for record in records)
    figure = PageFigure(
        title=f"{'Accuracy' if labelled else 'SDC rate'} over the bit error rate",
        note="Bands are 95 % intervals, clustered by image. "
        + ("Dashed: accuracy without faults." if labelled else "SDC: top-1 differs from the fault-free answer."),
        panels=tuple(_panel(record) for record in records),
        data=tuple(
            {"model": r["model"], "recipe": r["recipe"], "ber": point["ber"], **point}
            for r in records
            for point in r["points"]
        ),
        name="curve",
    )
    return Section(
        key="curve",
        title="Accuracy over the bit error rate" if labelled else "SDC over the bit error rate",
        lines=tuple(crossing_line(record) for record in records),
        parts=(figure, *(_table(record) for record in records)),
    )


def crossing_line(record: Mapping[str, Any]) -> str:
    """Where 10 points and half of the accuracy are lost, in a sentence."""
    name = record["named"]
    what = ("loses 10 points of accuracy", "half of it") if record["labelled"] else ("10 % SDC", "50 %")
    verb = "" if record["labelled"] else "reaches "
    return (
        f"{name} {verb}{what[0]} {_place(record['loses_10_points'], record)}, and {what[1]} "
        f"{_place(record['loses_half'], record)}."
    )


def _place(crossing: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    rates, unit = [amount_of(point) for point in record["points"] if point["n"]], unit_of(record["points"])
    found = crossing.get("flips_an_inference") if crossing["ber"] is None else crossing["ber"]
    if crossing["below"] is None:
        return f"at no measured rate (up to {_told(max(rates), unit)})" if rates else "at no measured rate"
    if found is None:
        return f"already at or below the lowest measured rate, {_told(crossing['below'], unit)}"
    return f"at about {_told(found, unit)} (between {rate(crossing['above'])} and {rate(crossing['below'])})"


def _panel(record: Mapping[str, Any]) -> Panel:
    shown = sorted((p for p in record["points"] if amount_of(p) > 0 and p["n"]), key=amount_of)
    names = ("accuracy", "low", "high") if record["labelled"] else ("changed", "changed_low", "changed_high")
    value, low, high = ([100 * p[name] for p in shown] for name in names)
    ber, unit = [amount_of(p) for p in shown], unit_of(record["points"])
    hover = [
        f"{_told(amount_of(p), unit)}<br>{interval_percent(*(p[name] for name in names))}<br>"
        f"{p['n']:,} answers, {p['flips']:,.3g} flips an image"
        for p in shown
    ]
    edge = {"type": "scatter", "mode": "lines", "x": ber, "line": {"width": 0}, "hoverinfo": "skip"}
    traces: list[Mapping[str, object]] = [
        {**edge, "y": low},
        {**edge, "y": high, "fill": "tonexty", "fillcolor": BAND},
        {
            "type": "scatter", "mode": "lines+markers", "x": ber, "y": value, "text": hover,
            "line": {"color": ACCENT, "width": 2}, "marker": {"size": 6, "color": ACCENT},
            "hovertemplate": "%{text}<extra></extra>",
        },
    ]  # fmt: skip
    clean = record["clean"].get(record["recipe"])
    if clean is not None and ber and record["labelled"]:
        traces.append(
            {
                "type": "scatter", "mode": "lines", "x": [ber[0], ber[-1]], "y": [100 * clean] * 2,
                "line": {"color": MUTED, "width": 1, "dash": "dash"}, "text": [f"no faults: {percent(clean)}"] * 2,
                "hovertemplate": "%{text}<extra></extra>",
            }
        )  # fmt: skip
    what = "accuracy, %" if record["labelled"] else "SDC, %"
    return Panel(
        title=record["named"],
        traces=tuple(traces),
        layout=layout(log_axis("bit error rate" if unit == RATE else unit), axis(what, range=[0, 101])),
        height=340,
    )


def _table(record: Mapping[str, Any]) -> PageTable:
    labelled = record["labelled"]
    columns = (unit_of(record["points"]), "answers", "flips an image", "accuracy", "of clean", "SDC", "non-finite")
    rows = []
    for p in record["points"]:
        cells = [
            PageCell(text=rate(amount_of(p)), number=amount_of(p)),
            PageCell(text=f"{p['n']:,}", number=p["n"]),
            PageCell(text=UNKNOWN if p["flips"] is None else f"{p['flips']:,.4g}", number=p["flips"]),
            PageCell(text=interval_percent(p["accuracy"], p["low"], p["high"]), number=p["accuracy"]),
            PageCell(
                text=interval_percent(p["relative"], p["relative_low"], p["relative_high"]), number=p["relative"]
            ),
            PageCell(text=interval_percent(p["changed"], p["changed_low"], p["changed_high"]), number=p["changed"]),
            PageCell(text=percent(p["non_finite"]), number=p["non_finite"]),
        ]  # fmt: skip
        rows.append(tuple(cells if labelled else [*cells[:3], *cells[5:]]))
    return PageTable(
        title=f"{record['named']}, on {counted(record['images'], 'image')} of {record['data']}",
        columns=columns if labelled else (*columns[:3], *columns[5:]),
        rows=tuple(rows),
        note=f"Clean: {_clean(record)}." if labelled else "",
    )


def _told(amount: float, unit: str) -> str:
    return f"BER {rate(amount)}" if unit == RATE else amount_told(amount, unit=unit)


def _clean(record: Mapping[str, Any]) -> str:
    found = {recipe: value for recipe, value in record["clean"].items() if value is not None}
    return ", ".join(f"{recipe} {percent(value)}" for recipe, value in found.items())
