"""Permanent faults: a systolic array in which one cell has stuck-at bits.

C = A B runs on `Array.rows` x `Array.columns` cells, each a multiplier and an adder. Two dataflows:

    output   cell (r, c) keeps the running sum of C[i, j] with i = r and j = c modulo the array's sizes
    weight   cell (r, c) keeps B[t, j] with t = r and j = c, and multiplies all rows of A by it

A product starts at cell (0, 0), whatever came before it. The bias is the last term, and cells beyond the product are
left out; `radhard.hardware.stuck_at` has the same cells in time, as an array runs them.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np

from radhard.errors import InputError
from radhard.hardware.fault import Column, FaultEffect, ImageProducts, check_mask

Dataflow = Literal["output", "weight"]


@dataclass(frozen=True, kw_only=True)
class Array:
    """The sizes of the array of cells."""

    rows: int = 16
    columns: int = 16

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            if getattr(self, name) < 1:
                raise InputError(f"an array with {name}={getattr(self, name)}: every size is at least 1")


@dataclass(frozen=True, kw_only=True)
class _Cell:
    row: int
    column: int
    mask: int
    level: int
    array: Array = field(default_factory=Array)
    image: ClassVar[None] = None
    bits: ClassVar[int]

    def __post_init__(self) -> None:
        if not (0 <= self.row < self.array.rows and 0 <= self.column < self.array.columns):
            raise InputError(
                f"cell ({self.row}, {self.column}): the array has {self.array.rows} x {self.array.columns} cells, "
                "counted from 0"
            )
        if self.level not in (0, 1):
            raise InputError(f"level={self.level}: a bit is stuck at 0 or at 1")
        check_mask(self.mask, self.bits)

    @property
    def keep(self) -> int:
        """The bits that are sound."""
        return ~self.mask

    @property
    def put(self) -> int:
        """The bits that are stuck at 1."""
        return self.mask if self.level else 0


@dataclass(frozen=True, kw_only=True)
class StuckSum(_Cell):
    """The bits `mask` of a cell's accumulator are stuck at `level`: in every sum that is written to it."""

    bits = 32

    def effect(self, products: ImageProducts) -> FaultEffect:
        """Every sum of the outputs that the cell serves."""
        return FaultEffect(units=_served(self, products), sum_keep=self.keep, sum_put=self.put)


@dataclass(frozen=True, kw_only=True)
class StuckProduct(_Cell):
    """A faulty multiplier: the bits `mask` of a cell's products are stuck at `level`. All 16 at 0: a dead one."""

    dataflow: Dataflow = "output"
    bits = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dataflow not in get_args(Dataflow):
            raise InputError(f"dataflow={self.dataflow!r} is not known; choose from output, weight")

    def effect(self, products: ImageProducts) -> FaultEffect:
        """All products of the outputs that the cell serves, or those of its terms."""
        if self.dataflow == "output":
            return FaultEffect(units=_served(self, products), product_keep=self.keep, product_put=self.put)
        columns = np.arange(self.column, products.n, self.array.columns)
        return FaultEffect(
            units=_of_all_groups(products, np.arange(products.m), columns),
            product_keep=self.keep,
            product_put=self.put,
            phase=self.row,
            period=self.array.rows,
        )


def _of_all_groups(products: ImageProducts, rows: Column, columns: Column) -> Column:
    return np.concatenate([products.units(group, rows, columns) for group in range(products.groups)])


def _served(cell: _Cell, products: ImageProducts) -> Column:
    rows = np.arange(cell.row, products.m, cell.array.rows)
    return _of_all_groups(products, rows, np.arange(cell.column, products.n, cell.array.columns))
