"""Tiles of a matrix product: which tile a program computes, and how it stores it."""

import triton
import triton.language as tl

from radhard.kernels.cuda.epilogue import write_back


@triton.jit  # type: ignore[untyped-decorator]
def place(tile, m, n, ROWS: tl.constexpr, COLUMNS: tl.constexpr, BAND: tl.constexpr):  # type: ignore[no-untyped-def]
    """The number of a tile -> its first row and column.

    Tiles run down bands of BAND of them before they run on: those at work at a time share rows and columns.
    """
    down, across = tl.cdiv(m, ROWS), tl.cdiv(n, COLUMNS)
    first = tile // (BAND * across) * BAND
    height = tl.minimum(down - first, BAND)
    within = tile % (BAND * across)
    return (first + within % height) * ROWS, within // height * COLUMNS


@triton.jit  # type: ignore[untyped-decorator]
def begun(bias, left, n, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Accumulators [ROWS, COLUMNS] int32 before any product: the bias [n] int32 of the columns, or zeros for None.

    Loaded while the first tiles of operands are on their way.
    """
    total = tl.zeros((ROWS, COLUMNS), dtype=tl.int32)
    if bias is not None:
        column = left + tl.arange(0, COLUMNS)
        total += tl.load(bias + column, mask=column < n, other=0)[None, :]
    return total


@triton.jit  # type: ignore[untyped-decorator]
def leave(c, total, multiplier, top, left, m, n, row, pitch, zero, low, high, ONE: tl.constexpr):  # type: ignore[no-untyped-def]
    """Accumulators [ROWS, COLUMNS] int32 at (top, left) -> c [m, n] int32, float32 or words of 8 bits.

    Times `multiplier` [n] float32, or ONE for all. Rows of c lie `row` words apart, and of each the first `pitch` are
    written: those beyond n are nobody's. `zero` is None for 0, which nobody need add.
    """
    i, column = tl.arange(0, total.shape[0]), left + tl.arange(0, total.shape[1])
    if c.dtype.element_ty == tl.int32:
        out = total
    else:
        factor = tl.load(multiplier) if ONE else tl.load(multiplier + column, mask=column < n, other=0.0)[None, :]
        if c.dtype.element_ty == tl.float32:
            out = total.to(tl.float32) * factor
        else:
            out = write_back(total, factor, 0 if zero is None else zero, low, high).to(tl.int8)
    c += top.to(tl.int64) * row
    tl.store(c + i[:, None] * row + column[None, :], out, mask=(i < m - top)[:, None] & (column < pitch)[None, :])
