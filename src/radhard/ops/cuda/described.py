"""One large integer product whose operands the GPU's tensor memory unit loads, tile by tile, as a descriptor says."""

import triton
import triton.language as tl

from radhard.ops.cuda.tiles import begun, leave, place

_FREE = ["m", "n", "k", "step", "low", "high"]


@triton.jit(do_not_specialize=_FREE)  # type: ignore[untyped-decorator]
def described(  # type: ignore[no-untyped-def]
    a, b, c, bias, multiplier, m, n, k, step, zero, low, high,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, BAND: tl.constexpr,
):  # fmt: skip
    """a [m, k] and b [n, k] int8, described in tiles of [ROWS, DEPTH] and [COLUMNS, DEPTH] -> c [m, n]; 16 divides n.

    What is beyond an operand's end is loaded as zeros.
    """
    n = n // 16 * 16  # which the compiler sees in a product
    top, left = place(tl.program_id(0), m, n, ROWS, COLUMNS, BAND)
    total = begun(bias, left, n, ROWS, COLUMNS)
    for done in range(0, k, DEPTH):
        total = tl.dot(a.load([top, done]), b.load([left, done]).T, total, out_dtype=tl.int32)
    leave(c, total, multiplier, top, left, m, n, n, n, step, zero, low, high)
