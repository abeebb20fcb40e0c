"""Chains of products and running sums with flips in them, one word after the other, only where a flip hits.

Compiled loops on the host. A flip of a product changes the sum by the difference of that word; a flip of a
running sum replaces the sum, faulty as it already is, and everything after goes on from there.
"""

import numpy as np
from numba import njit

_SAFE = 1 << 16  # products of int8 values (at most 2^14) that int32 adds exactly


@njit(cache=True, nogil=True)
def _dot(x, y, first, last):  # type: ignore[no-untyped-def]
    """int8 [k], int8 [k] -> sum of products first ... last - 1, in a form that compilers vectorise."""
    total = np.int64(0)
    for start in range(first, last, _SAFE):
        u, v = x[start : min(start + _SAFE, last)], y[start : min(start + _SAFE, last)]
        part = np.int32(0)
        for t in range(u.shape[0]):
            part = np.int32(part + np.int32(np.int16(u[t]) * np.int16(v[t])))
        total += part
    return total


@njit(cache=True, nogil=True)
def int_chains(a, a_row, b, b_row, bias, first, at, is_add, mask, bits, out):  # type: ignore[no-untyped-def]
    """Chains [u] of int8 rows `a`[a_row] and `b`[b_row] [.., k] -> out [u] int64, wrapped to `bits`.

    The flips of chain u are `first[u] ... first[u+1] - 1`, ordered by `at` (t of the product; of the running sum
    s_t, with t = k the bias addition), products before sums; `mask` int64 is sign-extended to the word's width.
    `bias` [u] int64, or empty for none.
    """
    k = a.shape[1]
    shift = np.int64(64 - bits)
    for u in range(len(a_row)):
        x, y = a[a_row[u]], b[b_row[u]]
        total = np.int64(0)
        done = 0
        biased = False
        for f in range(first[u], first[u + 1]):
            t = at[f]
            if not is_add[f]:  # a product's difference; its sum is still to come
                word = np.int64(x[t]) * np.int64(y[t])
                total += (word ^ mask[f]) - word
                continue
            upto = min(t + 1, k)
            total += _dot(x, y, done, upto)
            done = upto
            if t == k and not biased:
                total += bias[u]
                biased = True
            total = ((total << shift) >> shift) ^ mask[f]
        total += _dot(x, y, done, k)
        if len(bias) and not biased:
            total += bias[u]
        out[u] = (total << shift) >> shift


@njit(cache=True, nogil=True)
def float_chains(a, a_row, b, b_row, bias, first, at, is_add, mask, out):  # type: ignore[no-untyped-def]
    """The same for float32 words: every product and every running sum rounded to float32, in order."""
    k = a.shape[1]
    word = np.empty(1, dtype=np.float32)
    raw = word.view(np.int32)
    for u in range(len(a_row)):
        x, y = a[a_row[u]], b[b_row[u]]
        f, last = first[u], first[u + 1]
        total = np.float32(0.0)
        for t in range(k + (1 if len(bias) else 0)):
            word[0] = x[t] * y[t] if t < k else bias[u]
            while f < last and at[f] == t and not is_add[f]:
                raw[0] ^= np.int32(mask[f])
                f += 1
            word[0] = word[0] if t == 0 else total + word[0]
            while f < last and at[f] == t and is_add[f]:
                raw[0] ^= np.int32(mask[f])
                f += 1
            total = word[0]
        out[u] = total


@njit(cache=True, nogil=True)
def float_sums(x, first, at, mask, out):  # type: ignore[no-untyped-def]
    """Running sums of rows x [u, n] float32 -> out [u]; the flips of row u hit the sum s_t at t = `at`, t >= 1."""
    word = np.empty(1, dtype=np.float32)
    raw = word.view(np.int32)
    for u in range(x.shape[0]):
        f, last = first[u], first[u + 1]
        word[0] = x[u, 0]
        for t in range(1, x.shape[1]):
            word[0] = word[0] + x[u, t]
            while f < last and at[f] == t:
                raw[0] ^= np.int32(mask[f])
                f += 1
        out[u] = word[0]
