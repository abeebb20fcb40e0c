"""The section of hardened modules: how long they take beside the same module without protection, and the user's own."""

from collections.abc import Mapping, Sequence
from typing import Any

from radhard.campaign.results import KeptResult
from radhard.report.page.numbers import counted
from radhard.report.page.records import record_of
from radhard.report.page.section import PageCell, PageTable, Section

_MODULES = {"hardened": "hardened", "unprotected": "without protection", "eager": "your own module in PyTorch"}


def hardened_section(results: Sequence[KeptResult]) -> Section | None:
    """What a study's hardened modules take; None without one."""
    records = [record_of(kept) for kept in results]
    if not records:
        return None
    return Section(
        key="hardened",
        title="The hardened model",
        lines=tuple(map(hardened_line, records)),
        parts=tuple(map(_table, records)),
    )


def hardened_line(record: Mapping[str, Any]) -> str:
    """The file, what it protects, and how much longer it takes, in a sentence."""
    own = "" if record["to_eager"] is None else f", and {record['to_eager']:.2f} times your own module in PyTorch"
    return (
        f"{record['named']}: {record['file']} protects {counted(record['sites'], 'site')} by the plan of step "
        f"{record['plan']}. An image takes {record['hardened']['median']:.1f} ms, {record['ratio']:.2f} times the same "
        f"module without protection (the middle half of all rounds: {record['low']:.2f} to {record['high']:.2f}){own}."
    )


def _table(record: Mapping[str, Any]) -> PageTable:
    rows = tuple(
        (
            PageCell(text=name),
            PageCell(text=f"{record[key]['median']:.2f}", number=record[key]["median"]),
            PageCell(text=f"{record[key]['low']:.2f} to {record[key]['high']:.2f}", number=record[key]["median"]),
        )
        for key, name in _MODULES.items()
        if record[key] is not None
    )
    return PageTable(
        title=f"Milliseconds an image: {record['named']}",
        columns=("module", "median", "middle half"),
        rows=rows,
        note=f"The modules took turns, {counted(record['rounds'], 'round')} of one image each, on {record['device']} "
        f"with {counted(record['threads'], 'thread')}. The middle half of all rounds lies in the last column.",
    )
