"""A stuck-at fault of one cell of a systolic array, in all products that the array computes for an image.

Bits of a word are stuck where it is made. `a` and `b` are the cell's operand registers, which pass the word on as they
hold it: `a` to the cells to the right, `b` (output stationary) to those below; `b` is the weight's register where
weights stay, and weights of the cells below have passed through it. `product` is what the multiplier yields, `sum` what
the adder writes. With the places of `radhard.hardware.systolic`, for cell (r, c):

    dataflow  part     what is wrong
    output    a        all terms of the rows i0 + r, in the columns j0 + c ... end of each tile
    output    b        all terms of the columns j0 + c, in the rows i0 + r ... end of each tile
    output    product  all products of the outputs (i0 + r, j0 + c)
    output    sum      all sums of these, each with the bias in it
    weight    a        the terms k0 + r, in the columns j0 + c ... end of each tile
    weight    b        the terms k0 + r ... end of each tile, in the columns j0 + c
    weight    product  the products of the terms k0 + r, in the columns j0 + c
    weight    sum      the sums of the terms k0 ... k0 + r, in the columns j0 + c

Where sums stay, a cell adds in the k cycles in which it has operands. Where weights stay, sums pass through all rows of
the array: a cell beyond the last term multiplies 0 by 0 and adds that, with what is stuck (Zhang et al., *Analyzing and
Mitigating the Impact of Permanent Faults on a Systolic Array Based Neural Network Accelerator*, VTS 2018).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from torch import Tensor

from radhard.errors import InputError
from radhard.hardware.fault import Column, FaultEffect, ImageProducts, check_mask
from radhard.hardware.machine import strike
from radhard.hardware.systolic import SystolicArray
from radhard.machine import Operator, Site

CellPart = Literal["sum", "product", "a", "b"]
CELL_PARTS: Mapping[CellPart, int] = {"sum": 32, "product": 16, "a": 8, "b": 8}
"""The words of a cell, and their bits."""


@dataclass(frozen=True, kw_only=True)
class StuckAt:
    """The bits `mask` of a `part` of cell (`row`, `column`) are stuck at `level`, for `image`, or for all (None).

    >>> from radhard.hardware import ImageProducts, StuckAt, SystolicArray
    >>> array = SystolicArray(rows=4, columns=4, dataflow="output")
    >>> product = ImageProducts(groups=1, m=6, k=8, n=10, terms=8)
    >>> fault = StuckAt(array=array, part="sum", row=1, column=2, mask=1 << 20, level=1)
    >>> fault.effect(product).units.tolist()  # rows 1 and 5, columns 2 and 6
    [12, 16, 52, 56]
    """

    part: CellPart
    row: int
    column: int
    mask: int
    level: int
    array: SystolicArray = field(default_factory=SystolicArray)
    image: int | None = None

    def __post_init__(self) -> None:
        array = self.array
        if self.part not in CELL_PARTS:
            raise InputError(f"part={self.part!r} is not known; choose from {', '.join(get_args(CellPart))}")
        if not (0 <= self.row < array.rows and 0 <= self.column < array.columns):
            raise InputError(
                f"cell ({self.row}, {self.column}): the array has {array.rows} x {array.columns} cells, counted from 0"
            )
        if self.level not in (0, 1):
            raise InputError(f"level={self.level}: a bit is stuck at 0 or at 1")
        check_mask(self.mask, CELL_PARTS[self.part])

    def words(self, products: ImageProducts) -> int:
        """Outputs of one image that depend on what is stuck."""
        rows, columns = self._reach(products)
        return products.groups * len(rows) * len(columns)

    def effect(self, products: ImageProducts) -> FaultEffect:
        """What is wrong in the products of one image; nothing where these leave the cell alone."""
        rows, columns = self._reach(products)
        units = [products.units(group, rows, columns) for group in range(products.groups)]
        part, stays, own = self.part, self.array.dataflow == "weight", self.array.rows
        stuck: dict[str, Any] = {f"{part}_keep": ~self.mask, f"{part}_put": self.mask if self.level else 0}
        return FaultEffect(
            units=np.concatenate(units),
            **stuck,
            phase=self.row if stays else 0,
            span=own - self.row if stays and part == "b" else 1,
            period=own if stays else 1,
            idle=-products.k % own if stays else 0,
            segment=own if stays and part == "sum" else 0,
            bias_first=part == "sum" and not stays,
        )

    def strike(
        self, out: Tensor, operator: Operator, inputs: Sequence[Tensor | None], site: Site, *, images: Tensor
    ) -> None:
        """Recompute in place what it reaches of an operator's output `out`, for a batch of the `images` [B] int64."""
        strike(out, operator, inputs, site, self, images=images)

    def _reach(self, products: ImageProducts) -> tuple[Column, Column]:
        """The rows and columns of outputs that depend on what is stuck, in each group."""
        array = self.array
        rows, columns = np.arange(products.m), np.arange(products.n)
        if array.dataflow == "output":
            below = rows % array.rows
            rows = rows[below >= self.row if self.part == "b" else below == self.row]
        elif self.row >= products.k and (self.part in ("a", "b") or (self.part, self.level) == ("product", 0)):
            rows = rows[:0]  # no term is there, and its product is 0 as it should be
        right = columns % array.columns
        return rows, columns[right >= self.column if self.part == "a" else right == self.column]
