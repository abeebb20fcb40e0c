"""The summary: what breaks first, at which rate, what to protect, what it costs, and what is not known."""

from collections.abc import Mapping, Sequence
from typing import Any

from radhard.analysis.intervals import wilson
from radhard.campaign.results import KeptResult
from radhard.report.fault_amount import amount_of, amount_told, unit_of
from radhard.report.page.avf import avf_lines
from radhard.report.page.configurations import checked_lines, compared_lines
from radhard.report.page.curve import crossing_line
from radhard.report.page.factors import most_vulnerable
from radhard.report.page.frontier import plan_line
from radhard.report.page.hardened_model import hardened_line
from radhard.report.page.numbers import counted, counted_by, interval_percent, listed, points
from radhard.report.page.records import record_of, selection_of
from radhard.report.page.section import Section

_ASKED = {
    "sweep": "accuracy over the rate (`radhard sweep`)",
    "layer": "vulnerability by layer (`radhard vulnerability --by layer`)",
    "module": "vulnerability by module (`radhard vulnerability --by module`)",
    "bit": "vulnerability by bit (`radhard vulnerability --by bit`)",
    "patch": "vulnerability by patch (`radhard vulnerability --by patch`)",
    "avf": "what exactly one flip does (`radhard avf`)",
    "plan": "a plan (`radhard plan`)",
    "evaluate": "a plan on images that did not choose it (`radhard evaluate`)",
    "compare": "other schemes (`radhard compare`)",
}


def summary_section(results: Sequence[KeptResult]) -> Section:
    """What all results say, in sentences."""
    lines: list[str] = []
    for model in dict.fromkeys(kept.model for kept in results):
        lines += _of_model([kept for kept in results if kept.model == model])
    return Section(key="summary", title="Summary", lines=tuple(lines or ["The store holds no result yet."]))


def asked_of(kept: KeptResult) -> str:
    """The question that a result answers: its verb, of a vulnerability study by what it is."""
    return str(kept.record["by"]) if kept.verb == "vulnerability" else kept.verb


def _of_model(results: Sequence[KeptResult]) -> list[str]:
    last: dict[str, Mapping[str, Any]] = {}
    for kept in sorted(results, key=lambda one: not selection_of(one)):  # the whole model goes last
        last[asked_of(kept)] = record_of(kept)
    lines = []
    if sweep := last.get("sweep"):
        lines += [*_clean_line(sweep), crossing_line(sweep)]
    for by in ("layer", "module", "operator", "site", "bit", "kind", "patch"):
        if study := last.get(by):
            lines += [most_vulnerable(study, point) for point in study["points"]]
    lines += avf_lines(last["avf"]) if "avf" in last else []
    if planned := last.get("plan"):
        lines.append(plan_line({**planned["plan"], "named": planned["named"]}))
    lines += checked_lines(last["evaluate"]) if "evaluate" in last else []
    lines += compared_lines(last["compare"]) if "compare" in last else []
    lines += [hardened_line(last["harden"])] if "harden" in last else []
    return [*lines, *_not_known(last, model=results[0].model)]


def _clean_line(record: Mapping[str, Any]) -> list[str]:
    """Accuracy without faults, quantised beside float."""
    clean = {recipe: value for recipe, value in record["clean"].items() if value is not None}
    if not clean:
        return []
    told = listed([f"{_with_limits(value, n=record['images'])} as {recipe}" for recipe, value in clean.items()])
    return [f"Without faults {record['model']} is right on {told}, of {counted(record['images'], 'image')}."]


def _with_limits(value: float, *, n: int) -> str:
    """An accuracy of `n` images, each run once, with its interval."""
    found = wilson(value, n=n)
    return interval_percent(value, found.low, found.high)


def _not_known(last: Mapping[str, Mapping[str, Any]], *, model: str) -> list[str]:
    """How wide intervals are with these images and trials, and what was not measured."""
    told = []
    if sweep := last.get("sweep"):
        names = ("accuracy", "low", "high") if sweep["labelled"] else ("changed", "changed_low", "changed_high")
        known = [p for p in sweep["points"] if p["n"]]
        if known:
            widest = max(known, key=lambda p: p[names[2]] - p[names[1]])
            place = amount_told(amount_of(widest), unit=unit_of([widest]))
            told.append(
                f"the curve is known to within {points((widest[names[2]] - widest[names[1]]) / 2)} points at worst "
                f"({interval_percent(*(widest[name] for name in names))} at {place}, "
                f"{counted(widest['n'], 'answer')})"
            )
    for by, study in last.items():
        if "components" in (study.get("points") or [{}])[0]:
            found = [c for point in study["points"] for c in point["components"] if c["n"]]
            unsure = [c for c in found if c["low"] <= 0 <= c["high"]]
            if unsure:
                told.append(f"the factors of {len(unsure)} of {counted_by(len(found), by)} may be 0")
    pairs = last.get("compare", {}).get("pairs", [])
    if unsure := [pair for pair in pairs if pair["relation"] == "cannot tell"]:
        told.append(
            f"{len(unsure)} of {counted(len(pairs), 'paired difference')} can be neither told from 0 nor called "
            "equivalent"
        )
    lines = [f"Not known of {model} with these numbers of images and trials: {'; '.join(told)}."] if told else []
    missing = [text for name, text in _ASKED.items() if name not in last]
    if missing:
        lines.append(f"Not measured of {model}: {listed(missing, most=len(missing))}.")
    return lines
