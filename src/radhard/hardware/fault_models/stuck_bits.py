"""Stuck bits: one bit of one cell of a systolic array is stuck at 0 or 1 throughout an inference."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from radhard.errors import InputError
from radhard.hardware.fault_models.array_products import array_of, products_on_array
from radhard.hardware.fault_models.broken_cells import BrokenCells, CopiesOn, check_copies
from radhard.hardware.fault_models.registry import ArraySizes, fault_model
from radhard.hardware.permanent import Dataflow
from radhard.hardware.stuck_at import CELL_PARTS, CellPart
from radhard.hardware.systolic import SystolicArray
from radhard.program import Program


@fault_model("stuck", about="a bit of a cell of a systolic array that is stuck at 0 or 1 (permanent)")
@dataclass(frozen=True, kw_only=True)
class StuckBits:
    """One bit of one cell is stuck, in all products of an inference: uniform over cells, bits and the two levels.

    `of`: of every `sum` that the cell's adder writes (32 bits), of the multiplier's `product` (16), or of the operands
    `a` or `b` (8), which the cell passes on. `array`, `dataflow`: as `RegisterUpsets` has them. Each image meets an
    array of its own. `copies`: whether redundant executions run on the `same` array, or on `other`, sound ones.

    >>> import radhard as rh
    >>> rh.StuckBits(of="product", array=(128, 128)).title
    'products of a 128x128 array, output stationary'
    """

    stored: ClassVar[bool] = False
    unprotected: ClassVar[str] = ""
    event: ClassVar[str] = "stuck bit"
    of: CellPart = "sum"
    array: ArraySizes = (16, 16)
    dataflow: Dataflow = "output"
    copies: CopiesOn = "same"

    def __post_init__(self) -> None:
        if self.of not in CELL_PARTS:
            raise InputError(f"of={self.of!r} is not known; choose from {', '.join(CELL_PARTS)}")
        check_copies(self.copies)
        _ = self.cells

    @property
    def cells(self) -> SystolicArray:
        """The array."""
        return array_of(self.array, self.dataflow)

    @property
    def title(self) -> str:
        """`sums of a 16x16 array, output stationary`."""
        words = {"sum": "sums", "product": "products", "a": "operands a", "b": "operands b"}[self.of]
        copies = "" if self.copies == "same" else ", copies on sound arrays"
        return f"{words} of a {self.array[0]}x{self.array[1]} array, {self.dataflow} stationary{copies}"

    def places(self, program: Program, *, sites: Collection[str] | None = None) -> BrokenCells:
        """Cells times bits times levels. InputError where there is no product of 8-bit words, or one of floats."""
        return BrokenCells(
            array=self.cells,
            part=self.of,
            dead=False,
            in_copies=self.copies == "same",
            products=products_on_array(program, sites=sites),
            selected=sites is not None,
        )
