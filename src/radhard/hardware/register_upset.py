"""An upset of a register of a systolic array: bits of the word that it holds in one cycle flip, and the word moves on.

The effect follows in closed form from the place and the cycle (`radhard.hardware.systolic` has their meaning). With
t, i0, j0 and k0 as there, for an upset of cell (r, c):

    dataflow  register  effect
    output    a         term t of row i0 + r reads A XOR mask, in the columns j0 + c ... end of the tile
    output    b         term t of column j0 + c reads B XOR mask, in the rows i0 + r ... end of the tile
    output    sum       the bias and the terms before t, XOR mask; from the end on the finished word that passes by
    weight    a         term k0 + r of row t reads A XOR mask, in the columns j0 + c ... end of the tile
    weight    weight    term k0 + r of column j0 + c reads B XOR mask, in the rows t ... m - 1; a weight that is on its
                        way to its cell, in all rows
    weight    sum       the sum of the terms k0 ... k0 + r of output (t, j0 + c), XOR mask

An upset of a register that holds nothing an output depends on has no effect: idle cycles, cells beyond the product.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from radhard.errors import InputError
from radhard.hardware.fault import FaultEffect, ImageProducts, check_mask, check_place
from radhard.hardware.fault_model import PlaceRecord, whole
from radhard.hardware.machine import strike
from radhard.hardware.systolic import Register, SystolicArray
from radhard.machine import Operator, Site

_NOTHING = range(0)


@dataclass(frozen=True, kw_only=True)
class RegisterUpset:
    """The bits `mask` of `register` of cell (`row`, `column`) flip in cycle `cycle` of tile `tile`, of one group.

    >>> from radhard.hardware import ImageProducts, RegisterUpset, SystolicArray
    >>> array = SystolicArray(rows=4, columns=4, dataflow="output")
    >>> product = ImageProducts(groups=1, m=6, k=8, n=10, terms=8)
    >>> upset = RegisterUpset(array=array, register="a", row=1, column=2, cycle=5, mask=1 << 6, tile=(0, 1))
    >>> effect = upset.effect(product)  # term 2 of row 1, in columns 6 and 7 of 10
    >>> effect.misread_at, effect.units.tolist()
    (2, [16, 17])
    """

    register: Register
    row: int
    column: int
    cycle: int
    mask: int
    tile: tuple[int, int] = (0, 0)
    array: SystolicArray = field(default_factory=SystolicArray)
    group: int = 0
    image: int = 0

    def __post_init__(self) -> None:
        array = self.array
        if self.register not in array.registers:
            raise InputError(
                f"register={self.register!r}: a cell of an array with dataflow={array.dataflow!r} has "
                f"{', '.join(array.registers)}"
            )
        if not (0 <= self.row < array.rows and 0 <= self.column < array.columns):
            raise InputError(
                f"cell ({self.row}, {self.column}): the array has {array.rows} x {array.columns} cells, counted from 0"
            )
        check_mask(self.mask, array.registers[self.register])

    def effect(self, products: ImageProducts) -> FaultEffect:
        """A word misread in a part of a row or column, one sum that is wrong, or nothing."""
        check_place("group", self.group, size=1, limit=products.groups)
        down, across = self.array.tiles(products)
        if not (0 <= self.tile[0] < down and 0 <= self.tile[1] < across):
            raise InputError(f"tile {self.tile}: the product has {down} x {across} tiles, counted from 0")
        cycles = self.array.cycles(products)
        if not 0 <= self.cycle < cycles:
            raise InputError(f"cycle={self.cycle}: a tile of the product takes {cycles} cycles, counted from 0")
        return (_output if self.array.dataflow == "output" else _weight)(self, products)

    def strike(
        self, out: Tensor, operator: Operator, inputs: Sequence[Tensor | None], site: Site, *, images: Tensor
    ) -> None:
        """Recompute in place what it reaches of an operator's output `out`, for a batch of the `images` [B] int64."""
        strike(out, operator, inputs, site, self, images=images)

    def told(self, products: ImageProducts) -> str:
        """What is wrong by it: `term 2 of row 1, in columns 6 to 7`; a sum, by the terms in it; or `idle`."""
        effect = self.effect(products)
        if not len(effect.units):
            return "idle"
        rows, columns = np.divmod(effect.units - self.group * products.m * products.n, products.n)
        first, left = int(rows[0]), int(columns[0])
        if effect.misread_at < 0:
            last = effect.upset_at
            first_term = 0 if not effect.segment else last // effect.segment * effect.segment
            held = "before its first term" if last < first_term else f"of terms {first_term} to {last}"
            return f"sum {held}, of row {first}, column {left}"
        if effect.misread_a:
            return f"term {effect.misread_at} of row {first}, in columns {left} to {int(columns[-1])}"
        return f"term {effect.misread_at} of column {left}, in rows {first} to {int(rows[-1])}"

    def record(self) -> PlaceRecord:
        """Register, bit, cell, cycle, tile and group."""
        numbers = {
            "bit": self.mask.bit_length() - 1,
            "row": self.row,
            "column": self.column,
            "cycle": self.cycle,
            "tile_row": self.tile[0],
            "tile_column": self.tile[1],
            "group": self.group,
        }
        return {"register": self.register, **numbers}

    @classmethod
    def from_record(cls, record: Mapping[str, object], *, array: SystolicArray, image: int) -> "RegisterUpset":
        """The inverse of `record`, for one bit. InputError for what is missing, and for a bit that is not there."""
        register, bit = record.get("register"), whole(record, "bit")
        bits = next((bits for name, bits in array.registers.items() if name == register), None)
        if bits is not None and bit >= bits:
            raise InputError(f"bit {bit}: register {register} has {bits} bits, counted from 0")
        return cls(
            array=array,
            register=register,  # type: ignore[arg-type]  # what is none is refused
            row=whole(record, "row"),
            column=whole(record, "column"),
            cycle=whole(record, "cycle"),
            mask=1 << min(bit, 31),
            tile=(whole(record, "tile_row"), whole(record, "tile_column")),
            group=whole(record, "group"),
            image=image,
        )


def _output(upset: RegisterUpset, products: ImageProducts) -> FaultEffect:
    """Effect where sums stay in their cells."""
    array = upset.array
    top, left = upset.tile[0] * array.rows, upset.tile[1] * array.columns
    rows = range(top + upset.row, min(top + array.rows, products.m))  # of the cell and those below
    columns = range(left + upset.column, min(left + array.columns, products.n))  # and those to the right
    term = upset.cycle - upset.row - upset.column
    if upset.register == "a":
        return _misread(upset, products, rows[:1], columns, term=term)
    if upset.register == "b":
        return _misread(upset, products, rows, columns[:1], term=term)
    drained = upset.cycle - (products.k + array.rows + array.columns - 2)
    if drained > 0:  # the sum of a cell above passes by
        row = top + upset.row - drained
        rows = range(row, row + 1) if top <= row < products.m else _NOTHING
    after = min(max(term, 0), products.k) - 1
    return _struck(upset, products, rows[:1], columns[:1], after=after, bias_first=True)


def _weight(upset: RegisterUpset, products: ImageProducts) -> FaultEffect:
    """Effect where weights stay in their cells."""
    array = upset.array
    first, left = upset.tile[0] * array.rows, upset.tile[1] * array.columns
    columns = range(left + upset.column, min(left + array.columns, products.n))
    term, row = first + upset.row, upset.cycle - array.rows - upset.row - upset.column
    own = range(row, row + 1) if 0 <= row < products.m else _NOTHING
    if upset.register == "a":
        return _misread(upset, products, own, columns, term=term)
    if upset.register == "sum":
        after = min(term, products.k - 1)  # a cell beyond the product passes the sum on
        return _struck(upset, products, own, columns[:1], after=after, segment=array.rows)
    if upset.cycle < array.rows:  # weights move down to their cells
        below = array.rows - 1 - upset.cycle
        term = term + below if upset.row + below < array.rows else -1
    return _misread(upset, products, range(max(row, 0), products.m), columns[:1], term=term)


def _misread(upset: RegisterUpset, products: ImageProducts, rows: range, columns: range, *, term: int) -> FaultEffect:
    units = products.units(upset.group, np.array(rows, np.int64), np.array(columns, np.int64))
    if not (len(units) and 0 <= term < products.k):
        return FaultEffect(units=units[:0])
    of_a = upset.register == "a"
    return FaultEffect(
        units=units,
        misread_at=term,
        misread_a=upset.mask if of_a else 0,
        misread_b=0 if of_a else upset.mask,
    )


def _struck(
    upset: RegisterUpset,
    products: ImageProducts,
    rows: range,
    columns: range,
    *,
    after: int,
    segment: int = 0,
    bias_first: bool = False,
) -> FaultEffect:
    units = products.units(upset.group, np.array(rows, np.int64), np.array(columns, np.int64))
    return FaultEffect(
        units=units,
        upset_at=after,
        upset_flip=np.full(len(units), upset.mask, np.int64),
        segment=segment,
        bias_first=bias_first,
    )
