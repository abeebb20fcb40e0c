"""Coverage of the exported graph, as a table and as a record."""

from typing import TypedDict

from rich.table import Table

from radhard.program.coverage import Coverage
from radhard.report.fitted import FittedTable


class OpRecord(TypedDict):
    """All nodes of one operation with one role, and the operations of one image's inference by kind."""

    op: str
    role: str
    meaning: str
    nodes: int
    operations: dict[str, int]


class CoverageRecord(TypedDict):
    """What became of the nodes of a model's graph; `torch_macs` by PyTorch's counter, null where it cannot count."""

    model: str
    recipe: str
    nodes: int
    macs: int
    torch_macs: int | None
    rows: list[OpRecord]


def coverage_record(found: Coverage, *, torch_macs: int | None) -> CoverageRecord:
    """Coverage -> JSON values; `torch_macs` by PyTorch's counter, or None where it cannot count."""
    rows: list[OpRecord] = [
        {
            "op": row.op,
            "role": row.role,
            "meaning": row.meaning,
            "nodes": row.nodes,
            "operations": {str(kind): count for kind, count in row.operations.items()},
        }
        for row in found.rows
    ]
    return {
        "model": found.model,
        "recipe": found.recipe,
        "nodes": found.nodes,
        "macs": found.macs,
        "torch_macs": torch_macs,
        "rows": rows,
    }


def coverage_table(found: Coverage) -> Table:
    """Coverage -> a table with one line an operation and role."""
    table = FittedTable(
        f"{found.model}, recipe {found.recipe}: the {found.nodes:,} nodes of the exported graph, one image"
    )
    table.add_column("operation")
    table.add_column("what it is")
    for heading in ("nodes", "multiplications", "additions", "special", "scalings"):
        table.add_column(heading, justify="right")
    for row in found.rows:
        counts = [row.operations[kind] for kind in ("mul", "add", "special", "scale")]
        table.add_row(row.op, row.meaning, f"{row.nodes:,}", *(f"{n:,}" for n in counts))
    return table
