"""A large integer product that loads its tiles by the GPU's tensor memory accelerator (TMA)."""

import triton
import triton.language as tl

from radhard.kernels.cuda.tiles import begun, leave, place

_FREE = ["m", "n", "k", "low", "high"]


@triton.jit(do_not_specialize=_FREE)  # type: ignore[untyped-decorator]
def described(  # type: ignore[no-untyped-def]
    a, b, c, bias, multiplier, m, n, k, zero, low, high, ONE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, BAND: tl.constexpr, MANY: tl.constexpr,
):  # fmt: skip
    """a [m, k] and b [n, k] int8, described in tiles of [ROWS, DEPTH] and [COLUMNS, DEPTH] -> c [m, n]; 16 divides n.

    What is beyond an operand's end is loaded as zeros. With MANY a program makes one tile after another, as one loop:
    operands of the next are on their way while a tile is written.
    """
    n = n // 16 * 16  # which the compiler sees in a product
    tiles = tl.cdiv(m, ROWS) * tl.cdiv(n, COLUMNS)
    for tile in tl.range(tl.program_id(0), tiles, tl.num_programs(0), flatten=MANY):
        top, left = place(tile, m, n, ROWS, COLUMNS, BAND)
        total = begun(None if MANY else bias, left, n, ROWS, COLUMNS)
        for done in range(0, k, DEPTH):
            total = tl.dot(a.load([top, done]), b.load([left, done]).T, total, out_dtype=tl.int32)
        if MANY:  # loops become one only where nothing is loaded before the inner one
            total += begun(bias, left, n, 1, COLUMNS)
        leave(c, total, multiplier, top, left, m, n, n, n, zero, low, high, ONE)
