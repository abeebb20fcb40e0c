"""The section of AVFs: how often exactly one flip in a component makes the answer another one, in silence."""

from collections.abc import Mapping, Sequence
from typing import Any

from radhard.campaign.results import KeptResult
from radhard.report.page.component_panels import DrawnComponent, bit_panels, dot_panel, map_panel
from radhard.report.page.numbers import counted, counted_by, interval_percent, listed, named_component, percent
from radhard.report.page.records import record_of
from radhard.report.page.section import PageCell, PageFigure, PageTable, Panel, Section

_DIGITS = 2
"""Of percent: an AVF is often below 1 %."""

_SHARES: Mapping[str, str] = {
    "masked": "masked",
    "benign": "benign",
    "sdc5": "SDC-5",
    "critical": "critical SDC",
    "due": "NaN (DUE)",
}
"""Shares of a component's flips beside its AVF, by their keys: the columns of the table."""


def avf_section(results: Sequence[KeptResult]) -> Section | None:
    """The AVFs of components and of the whole; None without a result of `radhard avf`."""
    records = [record_of(kept) for kept in results]
    if not records:
        return None
    parts = [part for record in records for part in (_figure(record), _table(record))]
    lines = tuple(line for record in records for line in avf_lines(record))
    return Section(key="avf", title="One flip an inference: AVF", lines=lines, parts=tuple(parts))


def avf_lines(record: Mapping[str, Any]) -> list[str]:
    """The AVF of the whole in a sentence, and the component in which a flip does most harm in another."""
    by, found = record["by"], _measured(record)
    name = record["named"]
    if not found:
        return [f"{name}, one flip an inference: no {by} was measured."]
    within = "" if record["bits_share"] == 1 else f" in {percent(record['bits_share'])} of the exposed bits"
    flips = f"{counted(record['n'], 'flip')} on {counted(record['images'], 'image')}"
    first = max(found, key=lambda one: float(one["sdc"]["rate"]))
    if not first["sdc"]["rate"]:
        return [
            f"{name}: of {flips}, one an inference{within}, none changed the top-1 class: the AVF is at most "
            f"{percent(record['sdc']['high'], digits=_DIGITS)}."
        ]
    whole = (
        f"{name}: the AVF is {_share(record['sdc'])}: so often exactly one flip{within} changes the top-1 class in "
        f"silence ({flips})."
    )
    alike = [
        one["component"] or "-" for one in found if one is not first and _high(one["sdc_all"]) > _low(first["sdc_all"])
    ]
    tied = f" Not told apart from it: {listed(alike)}." if alike else ""
    most = (
        f"{name}: of {counted_by(len(found), by)}, {named_component(first['component'], by)} has "
        f"the highest AVF, {_share(first['sdc'])}.{tied}"
    )
    return [whole, most]


def _measured(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The components with flips, in the order of the program."""
    return [one for one in record["components"] if one["n"] and one["sdc"]["rate"] is not None]


def _low(rate: Mapping[str, float | None]) -> float:
    return rate["low"] or 0.0


def _high(rate: Mapping[str, float | None]) -> float:
    return 1.0 if rate["high"] is None else rate["high"]


def _share(rate: Mapping[str, float | None] | None) -> str:
    """A share of flips with its interval: `0.41 % (0.35 to 0.48)`."""
    return interval_percent(*(None if rate is None else rate[end] for end in ("rate", "low", "high")), digits=_DIGITS)


def _drawn(one: Mapping[str, Any]) -> DrawnComponent:
    own, every = one["sdc"], one["sdc_all"]
    told = (
        f"{_share(own)} of {counted(one['n'], 'flip')}; for all at once {_share({**every, 'rate': own['rate']})}; "
        f"{percent(one['bits_share'])} of the exposed bits"
    )
    return DrawnComponent(
        name=one["component"], value=own["rate"], low=own["low"], high=own["high"], all_low=every["low"],
        all_high=every["high"], told=told,
    )  # fmt: skip


def _figure(record: Mapping[str, Any]) -> PageFigure:
    shared = {name: record[name] for name in ("model", "recipe", "by")}
    return PageFigure(
        title=f"{record['named']}: AVF by {record['by']}",
        note="Percent of single flips in the component that change the top-1 class while nothing reports it (SDC). "
        "Thick: its 95 % interval; thin: intervals that hold for all components together.",
        panels=_panels(list(map(_drawn, _measured(record))), by=record["by"]),
        data=tuple({**shared, **one} for one in record["components"]),
        name=f"avf-{record['by']}",
    )


def _panels(shown: Sequence[DrawnComponent], *, by: str) -> tuple[Panel, ...]:
    if by == "bit":
        return bit_panels(shown, title="AVF, %")
    if by == "patch":
        places = [tuple(map(int, one.name.split(","))) for one in shown if "," in one.name]
        rows, columns = (1 + max((place[end] for place in places), default=0) for end in (0, 1))
        return (map_panel(shown, rows=rows, columns=columns, unit="AVF, %", signed=False),)
    return (dot_panel(shown, title="AVF, %"),)


def _table(record: Mapping[str, Any]) -> PageTable:
    found = _measured(record)
    shares = {key: heading for key, heading in _SHARES.items() if any(one.get(key) for one in found)}
    rows = tuple(
        (
            PageCell(text=f"{one['component'] or '-'}{' ?' if one['guessed'] else ''}"),
            PageCell(text=_share(one["sdc"]), number=one["sdc"]["rate"]),
            PageCell(text=_share({**one["sdc_all"], "rate": one["sdc"]["rate"]}), number=one["sdc"]["rate"]),
            *(PageCell(text=_share(one.get(key)), number=(one.get(key) or {}).get("rate")) for key in shares),
            PageCell(text=f"{one['n']:,}", number=one["n"]),
            PageCell(text=percent(one["bits_share"]), number=one["bits_share"]),
        )
        for one in found
    )
    notes = ["Masked: no site writes another word; benign: a word is another one, the answer is not."]
    notes = notes if "masked" in shares else []
    notes += ["SDC-5: not among the five leading classes of the fault-free answer."] if "sdc5" in shares else []
    notes += ["Critical SDC: a right answer became wrong."] if "critical" in shares else []
    notes += ["NaN: a user can see it, so it is no SDC."] if "due" in shares else []
    if any(one["part"] for one in found):
        notes.append("A component named MODULE: OPERATOR is a part of its module, and counts once in the whole.")
    notes += ["?: the layer or module is a guess."] if any(one["guessed"] for one in found) else []
    return PageTable(
        title=f"AVF by {record['by']}: {record['named']}",
        columns=(record["by"], "AVF (SDC)", "all at once", *shares.values(), "flips", "exposed bits"),
        rows=rows,
        note=" ".join(notes),
    )
