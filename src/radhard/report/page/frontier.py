"""The section of plans: accuracy or agreement over overhead of the steps, what is protected, and what judged it."""

from collections.abc import Mapping, Sequence
from typing import Any

from radhard.campaign.results import KeptResult
from radhard.report.configurations.quality import NO_LABELS, points_of, quality, quality_name
from radhard.report.page.axes import ACCENT, MUTED, axis, interval_bars, layout, plain
from radhard.report.page.numbers import (
    counted,
    interval_percent,
    interval_points,
    limited_points,
    percent,
    rate,
    target_text,
)
from radhard.report.page.records import record_of
from radhard.report.page.section import PageCell, PageFigure, PageTable, Panel, Section

_STRATEGIES = {
    "gain": ", chosen by gain per operation",
    "algorithm1": ", chosen by the paper's Algorithm 1",
}


def plan_section(results: Sequence[KeptResult]) -> Section | None:
    """What plans protect and cost; None without one."""
    plans = [{**record["plan"], "named": record["named"]} for record in map(record_of, results)]
    if not plans:
        return None
    parts = [part for plan in plans for part in _parts(plan)]
    return Section(key="plan", title="What to protect", lines=tuple(map(plan_line, plans)), parts=tuple(parts))


def plan_line(plan: Mapping[str, Any]) -> str:
    """What a plan protects, what it costs, and whether its target is met, in a sentence."""
    expected, judged, limits = plan.get("expected"), plan.get("judged"), plan.get("limits")
    sites = counted(len(plan["protection"]["sites"]), "site")
    scheme = plan["method"]["name"] if plan.get("method") else "the plan's schemes"
    how = _STRATEGIES.get(plan.get("strategy") or "", "")
    text = f"{plan['named']} at BER {rate(plan['ber'])}: protect {sites} with {scheme}{how}"
    share = overhead_of(expected) if expected else None
    if share is not None:
        text += f", for {percent(share)} more operations"
    if judged and limits and limits.get("loss") is not None:
        of = points_of(labelled=_labelled(plan))
        told = target_text(
            plan.get("verdict") or "", target=100 * limits["loss"], images_needed=judged.get("images_needed"), of=of
        )
        text += (
            f". On {counted(judged['images'], 'image')} that did not choose it "
            f"{limited_points(judged['loss'], level=judged['level'], of=of)} are lost: {told}"
        )
    return f"{text}."


def overhead_of(outcome: Mapping[str, Any]) -> float | None:
    """The share of operations that protection adds; None where it is not known."""
    spent = outcome.get("overhead")
    return None if spent is None else spent["share"]


def _parts(plan: Mapping[str, Any]) -> list[PageFigure | PageTable]:
    title = f"{plan['named']}, at BER {rate(plan['ber'])}"
    labelled = _labelled(plan)
    known = [(step, quality(step, labelled=labelled)) for step in plan.get("frontier") or () if _known(step, labelled)]
    steps, measured = [step for step, _ in known], quality_name(labelled=labelled)
    parts: list[PageFigure | PageTable] = []
    if steps:
        shares = [100 * (overhead_of(step) or 0.0) for step in steps]
        value, low, high = ([100 * getattr(share, end) for _, share in known] for end in ("rate", "low", "high"))
        trace = {
            "type": "scatter", "mode": "lines+markers", "x": shares, "y": value,
            "error_y": interval_bars(value, low, high, colour=MUTED), "line": {"color": MUTED, "width": 1},
            "marker": {"color": MUTED, "size": 7}, "hovertemplate": "%{text}<extra></extra>",
            "text": [
                plain(f"{step['condition']}: {measured} {a:.1f} % ({b:.1f} to {c:.1f}), {s:.2f} % more operations")
                for step, a, b, c, s in zip(steps, value, low, high, shares, strict=True)
            ],
        }  # fmt: skip
        judged = _judged(plan.get("expected") or {}, labelled=labelled)
        parts.append(
            PageFigure(
                title=f"{measured.capitalize()} over overhead: {title}",
                note="Grey: steps that protect more and more, on the images that choose. In colour: the plan, on those "
                "that judge. Bars are 95 % intervals."
                + ("" if labelled else f" {NO_LABELS[0].upper()}{NO_LABELS[1:]}."),
                panels=(
                    Panel(
                        traces=(trace, *judged),
                        layout=layout(
                            axis("overhead, % of the model's operations", zeroline=False), axis(f"{measured}, %")
                        ),
                        height=320,
                    ),
                ),
                data=tuple({"model": plan["model"], "condition": step["condition"], **step} for step in steps),
                name="frontier",
            )
        )
    if plan.get("order"):
        parts.append(_order(plan, title=title))
    return parts


def _labelled(plan: Mapping[str, Any]) -> bool:
    """Whether the images that chose a plan had labels."""
    return (plan.get("chosen_on") or {}).get("measure") is None


def _known(step: Mapping[str, Any], labelled: bool) -> bool:
    """Whether what a step gave is known."""
    return step.get("accuracy" if labelled else "changed") is not None


def _judged(outcome: Mapping[str, Any], *, labelled: bool) -> list[dict[str, object]]:
    """The plan as it was judged, a dot in colour; nothing where it was not measured."""
    share = overhead_of(outcome)
    if share is None or not _known(outcome, labelled):
        return []
    found = quality(outcome, labelled=labelled)
    value, low, high = ([100 * each] for each in (found.rate, found.low, found.high))
    told = interval_percent(found.rate, found.low, found.high)
    return [
        {
            "type": "scatter", "mode": "markers", "x": [100 * share], "y": value,
            "error_y": interval_bars(value, low, high, colour=ACCENT), "marker": {"color": ACCENT, "size": 11},
            "text": [plain(f"the plan, {outcome['condition']}: {told}, {100 * share:.2f} % more operations")],
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]  # fmt: skip


def _order(plan: Mapping[str, Any], *, title: str) -> PageTable:
    """Products in the order in which they are protected."""
    protected = plan["protection"]["sites"]
    rows = []
    for place, product in enumerate(plan["order"], start=1):
        factor = product["factor"]
        low, high, value = (None if factor is None else factor[name] for name in ("low", "high", "rate"))
        rows.append(
            (
                PageCell(text=f"{place}", number=place),
                PageCell(text=product["site"]),
                PageCell(text=f"{product['layer'] or '-'}{' ?' if product.get('guessed') else ''}"),
                PageCell(text=interval_points(value, low, high), number=value),
                PageCell(text=f"{product['operations']:,.4g}", number=product["operations"]),
                PageCell(text="yes" if product["site"] in protected else "no"),
            )
        )
    return PageTable(
        title=f"Products in the plan's order: {title}",
        columns=("order", "site", "layer", "factor, points", "operations to protect it", "protected"),
        rows=tuple(rows),
    )
