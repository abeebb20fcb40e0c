"""The checked int8 product for many rows: a persistent kernel that loads tiles by tensor descriptors.

A loop over tiles and products that is one loop has no room for a tile that is made otherwise: so every tile carries the
columns of digits, not the first of each row alone.
"""

import triton
import triton.language as tl

from radhard.kernels.cuda.tiles import begun, leave, place

_FREE = ["m", "n", "k", "low", "high"]


@triton.jit(do_not_specialize=_FREE)  # type: ignore[untyped-decorator]
def checked_described(  # type: ignore[no-untyped-def]
    a, b, digits, c, partial, bias, offset, multiplier, m, n, k, zero, low, high,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, BAND: tl.constexpr,
):  # fmt: skip
    """a [m, k], b [n, k], digits [3, k] int8, described in tiles -> c [m, n], partial [tiles + 1, m]; 16 divides n."""
    n = n // 16 * 16  # which the compiler sees in a product
    across = tl.cdiv(n, COLUMNS)
    tiles = tl.cdiv(m, ROWS) * across
    digit = tl.arange(0, 16)
    worth = tl.where(digit == 0, 1, tl.where(digit == 1, 256, tl.where(digit == 2, 65536, 0)))
    for tile in tl.range(tl.program_id(0), tiles, tl.num_programs(0), flatten=True):
        top, left = place(tile, m, n, ROWS, COLUMNS, BAND)
        total, said = tl.zeros((ROWS, COLUMNS), dtype=tl.int32), tl.zeros((ROWS, 16), dtype=tl.int32)
        for done in range(0, k, DEPTH):
            p = a.load([top, done])
            total = tl.dot(p, b.load([left, done]).T, total, out_dtype=tl.int32)
            said = tl.dot(p, digits.load([0, done]).T, said, out_dtype=tl.int32)
        total += begun(bias, left, n, 1, COLUMNS)  # what is beyond n adds up to 0
        row = top + tl.arange(0, ROWS)
        tl.store(partial + left // COLUMNS * m + row, tl.sum(total, 1), mask=row < m)
        wanted = tl.sum(said * worth[None, :], 1) + tl.load(offset).to(tl.int32)
        tl.store(partial + across * m + row, wanted, mask=(row < m) & (left == 0))
        leave(c, total, multiplier, top, left, m, n, n, n, zero, low, high, False)
