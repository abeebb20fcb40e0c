"""The catalogue of fault models: samples a hardware fault of each class from a seed, for the products of one image.

An upset of a register is one that reaches an output (their share of all: `register_duties`). A multi-bit upset (MBU) is
2 to 8 neighbouring bits of one word: what one particle changes in a line of cells.
"""

from collections.abc import Callable, Mapping

import numpy as np

from radhard.errors import InputError
from radhard.hardware.fault import HardwareFault, ImageProducts
from radhard.hardware.permanent import Array, Dataflow, StuckProduct, StuckSum
from radhard.hardware.register_upset import RegisterUpset
from radhard.hardware.systolic import Register, SystolicArray
from radhard.hardware.transient import AccumulatorUpset, Area, Factor, Misread, Replaced, RowAddressFault

Draw = np.random.Generator
TILE = Array()  # words of C that an array computes at a time


def sample_fault(model: str, products: ImageProducts, *, seed: int) -> HardwareFault:
    """A fault of the class `model` to the products of image 0, the same for the same seed. InputError if unknown."""
    if model not in FAULT_MODELS:
        raise InputError(f"fault model {model!r} is not known; choose from {', '.join(FAULT_MODELS)}")
    place = list(FAULT_MODELS).index(model)
    return FAULT_MODELS[model](products, np.random.default_rng((seed, place)))


def multi_bit(width: int, draw: Draw) -> int:
    """2 to 8 neighbouring bits of a word of so many -> their mask."""
    size = int(draw.integers(2, 9))
    return ((1 << size) - 1) << int(draw.integers(0, width - size + 1))


def single_bit(width: int, draw: Draw) -> int:
    """One bit of a word of so many -> its mask."""
    return 1 << int(draw.integers(0, width))


Mask = Callable[[int, Draw], int]
FaultSampler = Callable[[ImageProducts, Draw], HardwareFault]


def _misread(operand: Factor, mask: Mask) -> FaultSampler:
    def drawn(products: ImageProducts, draw: Draw) -> HardwareFault:
        return Misread(
            operand=operand,
            index=_below(products.m if operand == "a" else products.n, draw),
            term=_below(products.k, draw),
            mask=mask(8, draw),
            group=_below(products.groups, draw),
        )

    return drawn


def _upset(mask: Mask) -> FaultSampler:
    def drawn(products: ImageProducts, draw: Draw) -> HardwareFault:
        area = Area(row=_below(products.m, draw), column=_below(products.n, draw), group=_below(products.groups, draw))
        return AccumulatorUpset(area=area, term=_below(products.terms, draw), mask=mask(32, draw))

    return drawn


def _row(products: ImageProducts, draw: Draw) -> HardwareFault:
    area = Area(row=_below(products.m, draw), column=0, width=products.n, group=_below(products.groups, draw))
    return Replaced(area=area, term=_below(products.terms, draw), seed=_seed(draw))


def _tile(products: ImageProducts, draw: Draw) -> Area:
    row = TILE.rows * _below(-(-products.m // TILE.rows), draw)
    column = TILE.columns * _below(-(-products.n // TILE.columns), draw)
    return Area(
        row=row,
        column=column,
        height=min(TILE.rows, products.m - row),
        width=min(TILE.columns, products.n - column),
        group=_below(products.groups, draw),
    )


def _garbled_tile(products: ImageProducts, draw: Draw) -> HardwareFault:
    return Replaced(area=_tile(products, draw), term=_below(products.terms, draw), seed=_seed(draw))


def _lost_tile(products: ImageProducts, draw: Draw) -> HardwareFault:
    return Replaced(area=_tile(products, draw), term=products.terms - 1, seed=None)


def _exchanged(products: ImageProducts, draw: Draw) -> HardwareFault:
    if products.m < 2:
        raise InputError("a product of one row has none to exchange it with: choose another fault model")
    first, second = draw.choice(products.m, 2, replace=False).tolist()
    return RowAddressFault(first=first, second=second, group=_below(products.groups, draw))


def _stuck_sum(products: ImageProducts, draw: Draw) -> HardwareFault:
    row, column = _cell(min(products.m, TILE.rows), min(products.n, TILE.columns), draw)
    return StuckSum(row=row, column=column, mask=single_bit(32, draw), level=_below(2, draw))


def _stuck_product(dataflow: Dataflow) -> FaultSampler:
    def drawn(products: ImageProducts, draw: Draw) -> HardwareFault:
        along = products.m if dataflow == "output" else products.k
        row, column = _cell(min(along, TILE.rows), min(products.n, TILE.columns), draw)
        return StuckProduct(row=row, column=column, mask=single_bit(16, draw), level=_below(2, draw), dataflow=dataflow)

    return drawn


def _dead_multiplier(products: ImageProducts, draw: Draw) -> HardwareFault:
    row, column = _cell(min(products.m, TILE.rows), min(products.n, TILE.columns), draw)
    return StuckProduct(row=row, column=column, mask=(1 << 16) - 1, level=0)


def _register(dataflow: Dataflow, register: Register) -> FaultSampler:
    array = SystolicArray(rows=TILE.rows, columns=TILE.columns, dataflow=dataflow)

    def drawn(products: ImageProducts, draw: Draw) -> HardwareFault:
        down, across = array.tiles(products)
        while True:
            row, column = _cell(array.rows, array.columns, draw)
            upset = RegisterUpset(
                array=array,
                register=register,
                row=row,
                column=column,
                cycle=_below(array.cycles(products), draw),
                mask=single_bit(array.registers[register], draw),
                tile=(_below(down, draw), _below(across, draw)),
                group=_below(products.groups, draw),
            )
            if len(upset.effect(products).units):
                return upset

    return drawn


def _cell(rows: int, columns: int, draw: Draw) -> tuple[int, int]:
    """A cell of the array that these sizes use."""
    return _below(rows, draw), _below(columns, draw)


def _below(limit: int, draw: Draw) -> int:
    return int(draw.integers(0, limit))


def _seed(draw: Draw) -> int:
    return int(draw.integers(0, 2**31))


FAULT_MODELS: Mapping[str, FaultSampler] = {
    "a misread, one bit": _misread("a", single_bit),
    "a misread, MBU": _misread("a", multi_bit),
    "b misread, one bit": _misread("b", single_bit),
    "b misread, MBU": _misread("b", multi_bit),
    "sum, one bit": _upset(single_bit),
    "sum, MBU": _upset(multi_bit),
    "sum, stuck bit": _stuck_sum,
    "multiplier, stuck bit": _stuck_product("output"),
    "multiplier of weights, stuck bit": _stuck_product("weight"),
    "dead multiplier": _dead_multiplier,
    "row garbled": _row,
    "tile garbled": _garbled_tile,
    "tile lost": _lost_tile,
    "rows exchanged": _exchanged,
    "a register, output stationary": _register("output", "a"),
    "b register, output stationary": _register("output", "b"),
    "sum register, output stationary": _register("output", "sum"),
    "a register, weight stationary": _register("weight", "a"),
    "weight register": _register("weight", "weight"),
    "sum register, weight stationary": _register("weight", "sum"),
}
