"""Dot products of 8-bit words, four in an instruction: rows are read as 32-bit words."""

import triton
import triton.language as tl

ALIGNED = 16
"""Octets that a thread reads at a time: of rows, their numbers and places are multiples."""


@triton.jit  # type: ignore[untyped-decorator]
def word_sums(  # type: ignore[no-untyped-def]
    a,
    b,
    last,
    mask,
    k,
    end,
    UNSIGNED: tl.constexpr,
    DP4A: tl.constexpr,
    UNITS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Pointers a and b [U] to rows of k octets -> [U] int32: the sums of all products, and of 0 ... `last` [U].

    Only words before octet `end` are read, of the rows that `mask` [U] names. Those of `a` may be unsigned.
    """
    left = a.to(tl.pointer_type(tl.int32))[:, None]
    right = b.to(tl.pointer_type(tl.int32))[:, None]
    words = k // 16 * 4
    whole = tl.zeros([UNITS, BLOCK], tl.int32)
    partial = tl.zeros([UNITS, BLOCK], tl.int32)
    every = tl.full([UNITS, BLOCK], 0xFFFFFFFF, tl.uint32)
    for start in range(0, (end + 3) // 4, BLOCK):
        at = start + tl.arange(0, BLOCK)
        here = mask[:, None] & (at < words)[None, :]
        x = tl.load(left + at[None, :], mask=here, other=0)
        y = tl.load(right + at[None, :], mask=here, other=0)
        whole = _four(x, y, whole, UNSIGNED, DP4A)
        beyond = 4 * at[None, :] + 3 - last[:, None]  # so many octets of a word are too many; little endian
        kept = tl.where(beyond < 4, every >> (8 * tl.maximum(beyond, 0)).to(tl.uint32), 0)
        partial = _four(x & kept.to(tl.int32, bitcast=True), y, partial, UNSIGNED, DP4A)
    return tl.sum(whole, 1), tl.sum(partial, 1)


@triton.jit  # type: ignore[untyped-decorator]
def _four(x, y, total, UNSIGNED: tl.constexpr, DP4A: tl.constexpr):  # type: ignore[no-untyped-def]
    """Words of four octets each -> `total` and their four products, int32; without DP4A as the interpreter can."""
    if DP4A:
        if UNSIGNED:
            total = tl.inline_asm_elementwise(
                "dp4a.u32.s32 $0, $1, $2, $3;", "=r,r,r,r", [x, y, total], dtype=tl.int32, is_pure=True, pack=1
            )
        else:
            total = tl.inline_asm_elementwise(
                "dp4a.s32.s32 $0, $1, $2, $3;", "=r,r,r,r", [x, y, total], dtype=tl.int32, is_pure=True, pack=1
            )
    else:
        for place in tl.static_range(0, 32, 8):
            one = (x >> place) & 0xFF if UNSIGNED else (x << (24 - place)) >> 24
            total += one * ((y << (24 - place)) >> 24)
    return total
