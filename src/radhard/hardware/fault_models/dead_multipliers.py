"""Dead multipliers: the multiplier of one cell of a systolic array yields 0 throughout an inference."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from radhard.hardware.fault_models.array_products import array_of, products_on_array
from radhard.hardware.fault_models.broken_cells import BrokenCells, CopiesOn, check_copies
from radhard.hardware.fault_models.registry import ArraySizes, fault_model
from radhard.hardware.permanent import Dataflow
from radhard.hardware.systolic import SystolicArray
from radhard.program import Program


@fault_model("dead", about="a cell of a systolic array whose multiplier yields 0 (permanent)")
@dataclass(frozen=True, kw_only=True)
class DeadMultipliers:
    """The multiplier of one cell yields 0, in all products of an inference: uniform over cells.

    The options are those of `StuckBits`.

    >>> import radhard as rh
    >>> rh.DeadMultipliers(array=(8, 8), dataflow="weight").title
    'a 8x8 array, weight stationary'
    """

    stored: ClassVar[bool] = False
    unprotected: ClassVar[str] = ""
    event: ClassVar[str] = "dead multiplier"
    array: ArraySizes = (16, 16)
    dataflow: Dataflow = "output"
    copies: CopiesOn = "same"

    def __post_init__(self) -> None:
        check_copies(self.copies)
        _ = self.cells

    @property
    def cells(self) -> SystolicArray:
        """The array."""
        return array_of(self.array, self.dataflow)

    @property
    def title(self) -> str:
        """`a 16x16 array, output stationary`."""
        copies = "" if self.copies == "same" else ", copies on sound arrays"
        return f"a {self.array[0]}x{self.array[1]} array, {self.dataflow} stationary{copies}"

    def places(self, program: Program, *, sites: Collection[str] | None = None) -> BrokenCells:
        """Cells. InputError where there is no product of 8-bit words, or one of floats."""
        return BrokenCells(
            array=self.cells,
            part="product",
            dead=True,
            in_copies=self.copies == "same",
            products=products_on_array(program, sites=sites),
            selected=sites is not None,
        )
