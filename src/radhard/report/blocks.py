"""Block sizes and their overhead, as a table, as records and as CSV."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypedDict

from rich.table import Table

from radhard.protection import PricedBlock, Shape
from radhard.report.fitted import FittedTable


@dataclass(frozen=True, kw_only=True)
class BlockRow:
    """A block at one bit error rate by one model: expected operations of one product, and shares of what it costs.

    `overhead` and its parts count multiplications and additions, over those of the product itself; `mul_share` is the
    share of multiplications in them. `faulty` and `block_faulty` are the probabilities that recovery is invoked for the
    product, and for one block.
    """

    ber: float
    model: str
    block: str
    mul: float
    add: float
    cmp: float
    overhead: float
    detection: float
    recovery: float
    mul_share: float
    faulty: float
    block_faulty: float


def block_row(choice: PricedBlock, *, shape: Shape, ber: float, model: str) -> BlockRow:
    """What the choice of one model says."""
    overhead = choice.overhead
    own = shape.volume + shape.m * shape.n * (shape.terms - 1)
    total = overhead.total
    return BlockRow(
        ber=ber,
        model=model,
        block=str(choice.block),
        mul=total.mul,
        add=total.add,
        cmp=total.cmp,
        overhead=total.arithmetic / own,
        detection=overhead.detection.arithmetic / own,
        recovery=overhead.recovery.arithmetic / own,
        mul_share=total.mul / total.arithmetic,
        faulty=overhead.faulty,
        block_faulty=overhead.block_faulty,
    )


def blocks_table(rows: Sequence[BlockRow], *, shape: Shape) -> Table:
    """One row a rate and a model."""
    title = f"LB-ABFT of one product {shape.m} x {shape.k} x {shape.n}: the cube that costs least, expected operations"
    table = FittedTable(title, keys=3)
    headings = (
        "BER", "model", "block", "mul", "add", "cmp", "overhead", "detection", "recovery", "of it mul", "GEMM faulty",
        "block faulty",
    )  # fmt: skip
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for row in rows:
        table.add_row(
            f"{row.ber:.3g}",
            row.model,
            row.block.partition("x")[0],
            *(f"{value:,.4g}" for value in (row.mul, row.add, row.cmp)),
            *(f"{value:.3%}" for value in (row.overhead, row.detection, row.recovery)),
            f"{row.mul_share:.1%}",
            *(f"{value:.3g}" for value in (row.faulty, row.block_faulty)),
        )
    return table


class BlocksRecord(TypedDict):
    """A matrix product of `m` x `k` and `k` x `n`, and a row for each rate and cost model."""

    m: int
    k: int
    n: int
    bias: bool
    stored: bool
    rows: list[Annotated[dict[str, Any], BlockRow]]


def blocks_record(rows: Sequence[BlockRow], *, shape: Shape) -> BlocksRecord:
    """Ready for JSON; `stored`: the right factor is a weight, whose sums are made once."""
    return {
        "m": shape.m,
        "k": shape.k,
        "n": shape.n,
        "bias": shape.bias,
        "stored": shape.stored,
        "rows": [asdict(row) for row in rows],
    }


def write_blocks(rows: Sequence[BlockRow], path: Path) -> None:
    """One row a rate and a model, the fields of `BlockRow`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=[field.name for field in fields(BlockRow)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
