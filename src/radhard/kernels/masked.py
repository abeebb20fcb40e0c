"""Counts the single flips of an integer matrix product that its write-back masks: exactly, and without a run.

A flip at bit b of a product or a running sum moves the final accumulator by +-2^b (mod 2^32): up where the bit was 0,
down where it was 1; of the topmost bit of a product the other way round. So an output word has at most 63 effects, and
those that leave the written word as it is are found first: the bits that mask a move up, and those that mask one down.
Then the chain is executed once more, and of each product and running sum the masked bits are counted at its own zeros
and ones.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic


@intrinsic  # type: ignore[untyped-decorator]
def _ones(typing_context: Any, value: Any) -> Any:  # noqa: ARG001 - as numba calls it
    """The number of ones of a uint32; loops over it are vectorised."""

    def generated(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.ctpop(args[0])

    return types.uint32(types.uint32), generated


@njit(cache=True, nogil=True, error_model="numpy")
def _word(total, factor, zero, low, high, rounds):  # type: ignore[no-untyped-def]
    """int32 -> what is written: a word where it `rounds`, else the float32 product."""
    value = np.float32(total) * factor
    return min(max(np.rint(value) + zero, low), high) if rounds else value


@njit(cache=True, nogil=True, error_model="numpy")
def _masking(total, factor, zero, low, high, rounds, up, down):  # type: ignore[no-untyped-def]
    """Accumulators [n] int32 -> into `up` and `down` [n] uint32: the bits b at which +-2^b leaves the word as it is."""
    n = len(total)
    word = np.empty(n, dtype=np.float32)
    for j in range(n):
        word[j] = _word(total[j], factor[j], zero, low, high, rounds)
        up[j], down[j] = np.uint32(0), np.uint32(0)
    for bit in range(32):
        move, one = np.int32(np.uint32(1) << np.uint32(bit)), np.uint32(1) << np.uint32(bit)
        for j in range(n):
            more = _word(np.int32(total[j] + move), factor[j], zero, low, high, rounds) == word[j]
            less = _word(np.int32(total[j] - move), factor[j], zero, low, high, rounds) == word[j]
            up[j] |= one if more else np.uint32(0)
            down[j] |= one if less else np.uint32(0)


@njit(cache=True, nogil=True, error_model="numpy")
def count_masked(a, b, bias, factor, zero, low, high, rounds, product_bits, exposed):  # type: ignore[no-untyped-def]
    """a [m, k] of 8 bits, b [k, n] int8, bias [n] int32 or empty, factor [n] float32 -> masked flips (products, sums).

    `zero`, `low`, `high` float32: of the grid that is written. Products are words of `product_bits`; of them and of the
    sums the low bits of the masks `exposed` (two uint32) can flip.
    """
    (m, k), n = a.shape, b.shape[1]
    biased = len(bias) > 0
    top = np.uint32(1) << np.uint32(product_bits - 1)
    in_products, in_sums = np.int64(0), np.int64(0)
    total, s = np.empty(n, np.int32), np.empty(n, np.int32)
    up, down, either = np.empty(n, np.uint32), np.empty(n, np.uint32), np.empty(n, np.uint32)
    of_zeros, of_either = np.empty(n, np.uint32), np.empty(n, np.uint32)
    for i in range(m):
        for j in range(n):
            total[j] = bias[j] if biased else np.int32(0)
        for t in range(k):
            x, row = np.int32(a[i, t]), b[t]
            for j in range(n):
                total[j] = np.int32(total[j] + np.int32(x * np.int32(row[j])))
        _masking(total, factor, zero, low, high, rounds, up, down)
        for j in range(n):  # of a bit 0 the mask of one side counts, of a bit 1 that of the other
            zeros, ones = (up[j] & ~top) | (down[j] & top), (down[j] & ~top) | (up[j] & top)
            of_zeros[j], of_either[j] = zeros & exposed[0], (zeros ^ ones) & exposed[0]
            up[j], either[j] = up[j] & exposed[1], (up[j] ^ down[j]) & exposed[1]
            s[j] = np.int32(0)
        for t in range(k):
            x, row = np.int32(a[i, t]), b[t]
            products, sums = np.uint32(0), np.uint32(0)
            for j in range(n):  # casts keep all of it in lanes of 32 bits
                p = np.int32(x * np.int32(row[j]))
                now = np.int32(s[j] + p)
                s[j] = now
                products = np.uint32(products + _ones(np.uint32((np.uint32(p) & of_either[j]) ^ of_zeros[j])))
                sums = np.uint32(sums + _ones(np.uint32((np.uint32(now) & either[j]) ^ up[j])))
            in_products += np.int64(products)
            in_sums += np.int64(sums) if t else 0
        for j in range(n if biased else 0):
            in_sums += np.int64(_ones((np.uint32(s[j] + bias[j]) & either[j]) ^ up[j]))
    return in_products, in_sums
