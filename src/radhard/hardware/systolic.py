"""A systolic array in time: its dataflow, its registers, and the cycles that each tile of a product takes.

C = A B, A [m, k], B [k, n], runs in tiles on `rows` x `columns` cells, each a multiplier, an adder and three registers.
Cycles of a tile are counted from 0; operands enter skewed and move on by one cell a cycle:

    output   Tile (p, q) is the words C[i0 ..., j0 ...], i0 = p rows, j0 = q columns; all k terms stream through. In
             each cycle, cell (r, c) holds A[i0 + r, t] in register `a`, B[t, j0 + c] in `b`, t = cycle - r - c, and the
             sum of the terms before t in `sum`, where the bias stands from cycle 0 on. From cycle
             k + rows + columns - 2 on the sums leave through the bottom row, one cell a cycle, in `rows` cycles.
    weight   Tile (p, q) keeps the words B[k0 ..., j0 ...], k0 = p rows, j0 = q columns; all m rows stream through.
             First the weights enter through the top row in `rows` cycles, the lowest one first. Then cell (r, c) holds
             A[t, k0 + r] in register `a`, t = cycle - rows - r - c, its weight in `weight`, and writes the sum of the
             terms k0 ... k0 + r of row t to `sum`. Sums of the tiles of a column, and the bias, are added outside.

A tile takes k (output) or m (weight) + 2 rows + columns - 2 cycles (Samajdar et al., *A Systematic Methodology for
Characterizing Scalability of DNN Accelerators using SCALE-Sim*, ISPASS 2020); tiles do not overlap. Cells
that a tile does not fill compute with words 0, and nobody reads their results.

A convolution is a product of patches and filters: row i is a position of the output, row by row, and term t a weight of
the filter in the order (channel, row, column). Every group and every head is a product of its own. So a depthwise
convolution occupies one column of the array, one channel after the other; an array with a mode of its own for it is not
modelled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from radhard.errors import InputError
from radhard.hardware.fault import ImageProducts
from radhard.hardware.permanent import Array, Dataflow

Register = Literal["a", "b", "weight", "sum"]
_REGISTERS: Mapping[Dataflow, Mapping[Register, int]] = {
    "output": {"a": 8, "b": 8, "sum": 32},
    "weight": {"a": 8, "weight": 8, "sum": 32},
}


@dataclass(frozen=True, kw_only=True)
class SystolicArray(Array):
    """`rows` x `columns` cells with a dataflow: each sum stays in its cell (`output`), or each weight does (`weight`).

    >>> from radhard.hardware import ImageProducts, SystolicArray
    >>> array = SystolicArray(rows=16, columns=16, dataflow="weight")
    >>> dict(array.registers)  # bits of each in a cell
    {'a': 8, 'weight': 8, 'sum': 32}
    >>> product = ImageProducts(groups=1, m=50, k=96, n=288, terms=97)
    >>> array.tiles(product), array.cycles(product)
    ((6, 18), 96)
    """

    dataflow: Dataflow = "output"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dataflow not in get_args(Dataflow):
            raise InputError(f"dataflow={self.dataflow!r} is not known; choose from {', '.join(get_args(Dataflow))}")

    @property
    def registers(self) -> Mapping[Register, int]:
        """The bits of each register of a cell, 48 in all."""
        return _REGISTERS[self.dataflow]

    @property
    def cells(self) -> int:
        """Cells of the array."""
        return self.rows * self.columns

    def tiles(self, products: ImageProducts) -> tuple[int, int]:
        """Tiles of one product: down, along m (output) or k (weight), and across, along n."""
        along = products.m if self.dataflow == "output" else products.k
        return -(-along // self.rows), -(-products.n // self.columns)

    def cycles(self, products: ImageProducts) -> int:
        """Cycles of one tile."""
        streamed = products.k if self.dataflow == "output" else products.m
        return streamed + 2 * self.rows + self.columns - 2

    def cell_cycles(self, products: ImageProducts) -> int:
        """Cycles of all cells, for all tiles of all products of one image: each register may be upset once in each."""
        down, across = self.tiles(products)
        return products.groups * down * across * self.cycles(products) * self.cells

    def bit_cycles(self, products: ImageProducts) -> int:
        """Bits of all registers times their cycles, for all products of one image."""
        return sum(self.registers.values()) * self.cell_cycles(products)
