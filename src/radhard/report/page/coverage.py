"""The section of what is exposed to faults in each program, and what is not."""

from collections.abc import Mapping, Sequence
from typing import Any

from radhard.campaign.results import KeptResult
from radhard.report.page.numbers import counted
from radhard.report.page.records import record_of
from radhard.report.page.section import PageCell, PageTable, Section

NOT_EXPOSED = (
    "Not exposed in any result: comparisons, rounding, data movement, weights in memory and control logic; and the "
    "kinds load, special and scale, unless they were asked for."
)


def coverage_section(results: Sequence[KeptResult]) -> Section | None:
    """What became of every node of the exported graphs; None where none is known."""
    records = {(kept.model, kept.record["recipe"]): record_of(kept) for kept in results if "nodes" in kept.record}
    if not records:
        return None
    return Section(
        key="exposed",
        title="What is exposed, and what is not",
        lines=(*map(_line, records.values()), NOT_EXPOSED),
        parts=tuple(map(_table, records.values())),
    )


def _line(record: Mapping[str, Any]) -> str:
    exposed = [row for row in record["rows"] if row["operations"]["mul"] or row["operations"]["add"]]
    nodes = sum(row["nodes"] for row in exposed)
    return (
        f"{record['model']} ({record['recipe']}): {nodes:,} of {counted(record['nodes'], 'node')} of the graph "
        f"multiply or add, {record['macs']:,} multiply-accumulates an image; the others compute no word that flips by "
        "default."
    )


def _table(record: Mapping[str, Any]) -> PageTable:
    kinds = ("mul", "add", "special", "load")
    return PageTable(
        title=f"Operations of one image: {record['model']}, {record['recipe']}",
        columns=("operation", "what it is", "nodes", "multiplications", "additions", "special", "loads"),
        rows=tuple(
            (
                PageCell(text=row["op"]),
                PageCell(text=row["meaning"]),
                PageCell(text=f"{row['nodes']:,}", number=row["nodes"]),
                *(PageCell(text=f"{row['operations'][k]:,}", number=row["operations"][k]) for k in kinds),
            )
            for row in record["rows"]
        ),
    )
