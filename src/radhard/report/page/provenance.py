"""The section of how results were made: commands, settings, digests, versions, back ends and devices."""

import json
from collections.abc import Iterator, Mapping, Sequence

from radhard.campaign.contents import Held
from radhard.campaign.results import KeptResult
from radhard.report.page.section import PageCell, PageTable, Section

DRAWN = {"sweep", "vulnerability", "avf", "plan", "evaluate", "compare", "harden", "inspect"}
"""The verbs whose results have a section."""
_UNSET: tuple[object, ...] = (None, [], {}, False, "")


def provenance_section(results: Sequence[KeptResult], *, held: Sequence[Held], made_by: Sequence[str]) -> Section:
    """How all results were made. `made_by`: what computed the units, as the store has it."""
    return Section(
        key="made",
        title="How it was made",
        lines=tuple(_lines(results)),
        parts=tuple(
            table for table in (_results(results), _settings(results), _held(held), _versions(made_by)) if table
        ),
    )


def _lines(results: Sequence[KeptResult]) -> Iterator[str]:
    if any(kept.command for kept in results):
        yield "The commands that gave these results stand above, to be run again: a store goes on where it is."
    if others := sorted({kept.verb for kept in results} - DRAWN):
        yield f"Kept in the store, and not drawn on this page: {', '.join(others)}."


def commands_of(results: Sequence[KeptResult]) -> tuple[str, ...]:
    """Each command line once, as a shell takes it, in the order in which they were run."""
    return tuple(dict.fromkeys(kept.command for kept in results if kept.command))


def _results(results: Sequence[KeptResult]) -> PageTable:
    rows = tuple(
        tuple(
            PageCell(text=text)
            for text in (
                kept.verb,
                kept.model,
                kept.made.partition(".")[0].replace("T", " "),
                kept.device,
                kept.version,
                kept.digest[:12],
                "command" if kept.command else "Python" if kept.verb != "inspect" else "with the others",
            )
        )
        for kept in results
    )
    columns = ("result", "model", "made (UTC)", "device", "radhard", "digest", "called from")
    return PageTable(title="Results", columns=columns, rows=rows)


def _settings(results: Sequence[KeptResult]) -> PageTable:
    rows = tuple(
        (PageCell(text=kept.verb), PageCell(text=kept.model), PageCell(text=name), PageCell(text=_value(value)))
        for kept in results
        for name, value in kept.settings.items()
        if value not in _UNSET
    )
    note = "Settings that are empty or off are left out."
    return PageTable(title="Settings", columns=("result", "model", "setting", "value"), rows=rows, note=note)


def _held(held: Sequence[Held]) -> PageTable:
    rows = tuple(
        (
            PageCell(text=one.model),
            PageCell(text=one.recipe),
            PageCell(text=one.program[:12]),
            PageCell(text=one.data),
            PageCell(text=one.data_digest[:12]),
            PageCell(text=f"{one.units:,}", number=one.units),
            PageCell(text=f"{one.pairs:,}", number=one.pairs),
        )
        for one in held
    )
    columns = ("model", "recipe", "program", "data", "data digest", "units", "images x trials")
    return PageTable(title="Programs and data in the store", columns=columns, rows=rows)


def _versions(made_by: Sequence[str]) -> PageTable:
    rows = []
    for text in made_by:
        values = json.loads(text)
        if isinstance(values, Mapping):
            shown = {name: value for name, value in values.items() if name != "pixels" and value}
            rows.append((PageCell(text="; ".join(f"{name} {_value(value)}" for name, value in shown.items())),))
    return PageTable(
        title="What computed the outcomes", columns=("versions, device, back ends",), rows=tuple(dict.fromkeys(rows))
    )


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_value(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
