"""The sections of `compare` and `evaluate`: accuracy or agreement as dots with intervals, one panel a rate."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from radhard.campaign.results import KeptResult
from radhard.report.configurations.quality import NO_LABELS, labelled_in, points_of, quality, quality_name
from radhard.report.fault_amount import RATE, amount_of, amount_told, unit_of
from radhard.report.page.axes import ACCENT, axis, dots, layout, scaled
from radhard.report.page.component_panels import short
from radhard.report.page.frontier import overhead_of
from radhard.report.page.numbers import (
    UNKNOWN,
    counted,
    interval_percent,
    interval_points,
    limited_points,
    listed,
    percent,
    rate,
    target_text,
)
from radhard.report.page.records import record_of
from radhard.report.page.section import PageCell, PageFigure, PageTable, Panel, Section

_ROW = 26  # pixels


def compared_section(results: Sequence[KeptResult]) -> Section | None:
    """Schemes under the same faults, each beside the reference; None without a comparison."""
    records = [record_of(kept) for kept in results]
    if not records:
        return None
    parts = [part for record in records for part in (*_parts(record, name="schemes"), _pairs(record))]
    return Section(
        key="schemes",
        title="Schemes compared",
        lines=tuple(line for record in records for line in compared_lines(record)),
        parts=tuple(part for part in parts if part is not None),
    )


def evaluated_section(results: Sequence[KeptResult]) -> Section | None:
    """Plans on images that did not choose them; None without an evaluation."""
    records = [record_of(kept) for kept in results]
    if not records:
        return None
    return Section(
        key="evaluation",
        title="Plans evaluated",
        lines=tuple(line for record in records for line in checked_lines(record)),
        parts=tuple(part for record in records for part in _parts(record, name="evaluation")),
    )


def checked_lines(record: Mapping[str, Any]) -> list[str]:
    """A sentence for each target: whether it is met on images that did not choose the plan."""
    of = points_of(labelled=labelled_in(record))
    return [
        f"{record['named']}, plan for BER {rate(check['ber'])}, on "
        f"{counted(check['images'], 'image')} that did not choose it: "
        f"{limited_points(check['loss'], level=check['level'], of=of)} are lost: "
        f"{_target(check, of=of)}."
        for check in record["checks"]
    ]


def _target(check: Mapping[str, Any], *, of: str) -> str:
    needed = check.get("images_needed")
    return target_text(check["verdict"], target=100 * check["target"], images_needed=needed, of=of)


def compared_lines(record: Mapping[str, Any]) -> list[str]:
    """A sentence for each rate: what is better and worse than the reference, and what is as good."""
    lines = []
    unit, of = unit_of(record["pairs"]), points_of(labelled=labelled_in(record))
    for amount in dict.fromkeys(map(amount_of, record["pairs"])):
        pairs = [pair for pair in record["pairs"] if amount_of(pair) == amount]
        margin, reference = pairs[0]["equivalence"]["margin"], pairs[0]["reference"]
        parts = []
        for relation in ("better", "equivalent", "worse", "cannot tell"):
            names = [pair["configuration"] for pair in pairs if pair["relation"] == relation]
            told = f"cannot tell for {listed(names)}" if relation == "cannot tell" else f"{listed(names)} {relation}"
            parts += [told] if names else []
        lines.append(
            f"{record['named']} at {_told(amount, unit=unit)}, compared with {reference} (equivalent: within "
            f"{100 * margin:g} {of}): {'; '.join(parts)}."
        )
    return lines


def _parts(record: Mapping[str, Any], *, name: str) -> list[PageFigure | PageTable]:
    labelled = labelled_in(record)
    found = [
        one for one in record["configurations"] if one["n"] and math.isfinite(quality(one, labelled=labelled).rate)
    ]
    rates, unit = sorted(set(map(amount_of, found))), unit_of(found)
    title = f"{record['named']}, on {counted(record['images'], 'image')}"
    lowest = min((100 * quality(one, labelled=labelled).low for one in found), default=0.0)
    panels = tuple(
        _panel(
            [one for one in found if amount_of(one) == each],
            told=_told(each, unit=unit),
            lowest=lowest,
            labelled=labelled,
        )
        for each in rates
    )
    shared = {"model": record["model"], "recipe": record["recipe"]}
    return [
        PageFigure(
            title=f"{quality_name(labelled=labelled).capitalize()} of each configuration: {title}",
            note="All under the same faults on the same images; bars are 95 % intervals. Hover: the overhead."
            + _unlabelled_note(record),
            panels=panels,
            data=tuple({**shared, **one} for one in record["configurations"]),
            name=name,
        ),
        _table(record, found, title=title),
    ]


def _unlabelled_note(record: Mapping[str, Any]) -> str:
    """What agreement is, as a sentence after others; nothing of images with labels."""
    return "" if labelled_in(record) else f" {NO_LABELS[0].upper()}{NO_LABELS[1:]}."


def _panel(found: Sequence[Mapping[str, Any]], *, told: str, lowest: float, labelled: bool) -> Panel:
    shares = [quality(one, labelled=labelled) for one in found]
    columns = [scaled([getattr(share, end) for share in shares]) for end in ("rate", "low", "high")]
    places = [float(k) for k in range(len(found))]
    hover = [
        f"{_name(one)}: {interval_percent(share.rate, share.low, share.high)}{_cost(one)}"
        for one, share in zip(found, shares, strict=True)
    ]
    y = axis(
        tickmode="array", tickvals=places, ticktext=[short(_name(one)) for one in found],
        range=[len(found) - 0.5, -0.5], showgrid=False, zeroline=False,
    )  # fmt: skip
    return Panel(
        title=told,
        traces=(dots([], *columns, hover=hover, colour=ACCENT, places=places),),
        layout=layout(
            axis(f"{quality_name(labelled=labelled)}, %", range=[max(0.0, lowest - 2), 101], zeroline=False), y
        ),
        height=80 + _ROW * len(found),
    )


def _told(amount: float, *, unit: str) -> str:
    if amount == 0:
        return "no faults"
    return f"BER {rate(amount)}" if unit == RATE else amount_told(amount, unit=unit)


def _name(one: Mapping[str, Any]) -> str:
    return f"{one['configuration']} ({one['note']})" if one["note"] else str(one["configuration"])


def _cost(one: Mapping[str, Any]) -> str:
    share = overhead_of(one)
    return "" if share is None else f"; {percent(share)} more operations"


def _table(record: Mapping[str, Any], found: Sequence[Mapping[str, Any]], *, title: str) -> PageTable:
    rows, labelled = [], labelled_in(record)
    of = points_of(labelled=labelled)
    for one in found:
        loss, share, right = one["loss"], overhead_of(one), quality(one, labelled=labelled)
        spent = one["overhead"]
        text = UNKNOWN if share is None else f"{percent(share)} ({_limits(spent)})"
        rows.append(
            (
                PageCell(text=_name(one)),
                PageCell(text=rate(amount_of(one)), number=amount_of(one)),
                PageCell(text=f"{one['n']:,}", number=one["n"]),
                PageCell(text=interval_percent(right.rate, right.low, right.high), number=right.rate),
                PageCell(text=interval_points(loss["rate"], loss["low"], loss["high"]), number=loss["rate"]),
                PageCell(text=text, number=share),
            )
        )
    weights = record["weights"]
    return PageTable(
        title=f"Configurations: {title}",
        columns=(
            "configuration",
            unit_of(found),
            "answers",
            quality_name(labelled=labelled),
            f"{of} lost",
            "overhead",
        ),
        rows=tuple(rows),
        note="Points lost: to the same program without faults, paired. Overhead: operations that were executed for "
        f"protection, over the model's own; weights mul {weights['mul']:g}, add {weights['add']:g}, cmp "
        f"{weights['cmp']:g}.{_unlabelled_note(record)}",
    )


def _limits(spent: Mapping[str, Any]) -> str:
    low, high = spent["low"], spent["high"]
    if low is None or high is None:
        return "limits not known: one unit"
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _pairs(record: Mapping[str, Any]) -> PageTable | None:
    if not record["pairs"]:
        return None
    rows = tuple(
        (
            PageCell(text=pair["configuration"]),
            PageCell(text=rate(amount_of(pair)), number=amount_of(pair)),
            PageCell(
                text=interval_points(*(pair["difference"][name] for name in ("rate", "low", "high"))),
                number=pair["difference"]["rate"],
            ),
            PageCell(text=pair["relation"]),
        )
        for pair in record["pairs"]
    )
    first, of = record["pairs"][0], points_of(labelled=labelled_in(record))
    return PageTable(
        title=f"Paired differences to {first['reference']}: {record['named']}",
        columns=("configuration", unit_of(record["pairs"]), f"difference, {of}", "relation"),
        rows=rows,
        note="Intervals hold for all schemes at a rate together; equivalence by two one-sided tests within "
        f"{100 * first['equivalence']['margin']:g} {of}.",
    )
