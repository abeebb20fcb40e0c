"""The section of vulnerability factors: a dot with its intervals for each component, by layer, module or bit."""

from collections.abc import Mapping, Sequence
from typing import Any

from radhard.campaign.results import KeptResult
from radhard.report.page.component_panels import DrawnComponent, bit_panels, dot_panel
from radhard.report.page.numbers import counted_by, interval_points, listed, named_component, percent, rate
from radhard.report.page.records import record_of
from radhard.report.page.section import PageCell, PageFigure, PageTable, Section

_MOST_TITLES = {"bit": "bit position"}


def factor_section(results: Sequence[KeptResult], *, by: str) -> Section | None:
    """Factors by one kind of component, not by patch; None where there are none."""
    records = [record_of(kept) for kept in results]
    if not records:
        return None
    parts: list[PageFigure | PageTable] = []
    lines = []
    for record in records:
        for point in record["points"]:
            lines.append(most_vulnerable(record, point))
            if by == "bit":
                parts.append(_bits(record, point))
            else:
                parts.append(_figure(record, point))
            parts.append(_table(record, point))
    title = _MOST_TITLES.get(by, by)
    return Section(key=f"by-{by}", title=f"Vulnerability by {title}", lines=tuple(lines), parts=tuple(parts))


def measured(point: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The components with pairs of answers, the largest factor first."""
    return sorted((c for c in point["components"] if c["n"] and c["factor"] is not None), key=lambda c: -c["factor"])


def place(record: Mapping[str, Any], point: Mapping[str, Any]) -> str:
    """`at BER 1.56e-06, where 10.2 points are lost`."""
    lost = point["loss"]
    more = "" if lost is None or lost["rate"] is None else f", where {_lost(record, lost)}"
    return f"at BER {rate(point['ber'])}{more}"


def most_vulnerable(record: Mapping[str, Any], point: Mapping[str, Any]) -> str:
    """Which component accuracy depends on most, what is as vulnerable for all one knows, in a sentence."""
    found, by = measured(point), record["by"]
    where = f"{record['named']} {place(record, point)}"
    if not found:
        return f"{where}: no {by} was measured."
    first = found[0]
    value = interval_points(first["factor"], first["low"], first["high"])
    if not any(c["factor"] for c in found):
        return f"{where}: the factors of all {counted_by(len(found), by)} are 0; that of the first is {value} points."
    if first["all_low"] <= 0:
        return (
            f"{where}: looked at together, none of {counted_by(len(found), by)} is surely vulnerable; the largest "
            f"factor is that of {named_component(first['name'], by)}, {value} points."
        )
    alike = [c["name"] or "-" for c in found[1:] if c["rank"] == 1]
    tied = f" Not told apart from it: {listed(alike)}." if alike else ""
    gained = f"accuracy is {value} points higher" if record["labelled"] else f"{value} points fewer answers change"
    return (
        f"{where}: of {counted_by(len(found), by)}, {named_component(first['name'], by)} is the most vulnerable: "
        f"without its faults {gained}.{tied}"
    )


def _lost(record: Mapping[str, Any], lost: Mapping[str, Any]) -> str:
    what = "points are lost" if record["labelled"] else "points of answers are changed"
    return f"{interval_points(lost['rate'], lost['low'], lost['high'])} {what}"


def _named(name: str) -> str:
    return name or "-"


def _told(c: Mapping[str, Any]) -> str:
    return (
        f"{interval_points(c['factor'], c['low'], c['high'])} points; for all at once "
        f"{interval_points(c['factor'], c['all_low'], c['all_high'])}; rank {c['rank']}, "
        f"{percent(c['bits_share'])} of the exposed bits"
    )


def drawn_factors(point: Mapping[str, Any]) -> list[DrawnComponent]:
    """The components of a point that were measured, in the order of the program."""
    return [
        DrawnComponent(
            name=c["name"], value=c["factor"], low=c["low"], high=c["high"], all_low=c["all_low"],
            all_high=c["all_high"], told=_told(c),
        )
        for c in point["components"]
        if c["n"] and c["factor"] is not None
    ]  # fmt: skip


def _figure(record: Mapping[str, Any], point: Mapping[str, Any]) -> PageFigure:
    return PageFigure(
        title=f"{record['named']}, by {record['by']} at BER {rate(point['ber'])}",
        note="Percentage points of answers that the component's protection saves. Thick: its 95 % interval; thin: "
        "intervals that hold for all components together.",
        panels=(dot_panel(drawn_factors(point), title="factor, points"),),
        data=_data(record, point),
        name=f"factors-{record['by']}",
    )


def _bits(record: Mapping[str, Any], point: Mapping[str, Any]) -> PageFigure:
    return PageFigure(
        title=f"{record['named']}, by bit at BER {rate(point['ber'])}",
        note="Percentage points of answers that are saved where the bit never flips, with 95 % intervals.",
        panels=bit_panels(drawn_factors(point), title="factor, points"),
        data=_data(record, point),
        name="factors-bit",
    )


def _data(record: Mapping[str, Any], point: Mapping[str, Any]) -> tuple[Mapping[str, object], ...]:
    shared = {"model": record["model"], "recipe": record["recipe"], "by": record["by"], "ber": point["ber"]}
    return tuple({**shared, **component} for component in point["components"])


def _table(record: Mapping[str, Any], point: Mapping[str, Any]) -> PageTable:
    rows = tuple(
        (
            PageCell(text=f"{_named(c['name'])}{' ?' if c['guessed'] else ''}"),
            PageCell(text=f"{c['rank']}", number=c["rank"]),
            PageCell(text=interval_points(c["factor"], c["low"], c["high"]), number=c["factor"]),
            PageCell(text=interval_points(c["factor"], c["all_low"], c["all_high"]), number=c["factor"]),
            PageCell(text=f"{c['n']:,}", number=c["n"]),
            PageCell(text=percent(c["bits_share"]), number=c["bits_share"]),
        )
        for c in measured(point)
    )
    guessed = any(c["guessed"] for c in point["components"])
    return PageTable(
        title=f"Factors by {record['by']} at BER {rate(point['ber'])}",
        columns=(record["by"], "rank", "factor, points", "all at once", "pairs", "exposed bits"),
        rows=rows,
        note="Components share a rank where their intervals for all at once overlap."
        + (" ?: the layer or module is a guess." if guessed else ""),
    )
