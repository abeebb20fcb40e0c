"""Running sums with flips in them: recomputed term after term, only for outputs that a flip hits.

Compiled loops on the host. A flip of a product changes the sum by the difference of that word; a flip of a
running sum replaces the sum, faulty as it already is, and everything after goes on from there.

Flips come as columns `unit`, `at`, `bit` [f] int64, ordered by unit, then place: `at` is t for the product p_t, and
t - 1 for the running sum s_t (s_k adds the bias). Units are numbered as in `out`, whose part `first` ... `last` - 1
a call fills.
"""

import numpy as np
from numba import njit

from radhard.kernels.twos_complement import wrapped

_NAN = np.uint32(0x7FC00000)  # as `radhard.words.canonical` makes it
_SAFE = 1 << 16  # products with int8 words (at most 255 x 128) that int32 adds exactly


@njit(cache=True, nogil=True)
def dot(x, y, first, last):  # type: ignore[no-untyped-def]
    """int8 or uint8 [k], int8 [k] -> sum of products first ... last - 1, in a form that compilers vectorise."""
    total = np.int64(0)
    for start in range(first, last, _SAFE):
        u, v = x[start : min(start + _SAFE, last)], y[start : min(start + _SAFE, last)]
        part = np.int32(0)
        for t in range(u.shape[0]):
            part = np.int32(part + np.int32(np.int16(u[t]) * np.int16(v[t])))
        total += part
    return total


@njit(cache=True, nogil=True)
def int_chains(a, a_row, b, b_row, bias, ends, products, sums, bits, first, last, out):  # type: ignore[no-untyped-def]
    """Chains of rows `a`[a_row] and `b`[b_row] [.., k] -> out [u, e] int64, wrapped to the accumulator's bits.

    Rows of a are int8 or uint8, those of b int8. Columns of `out` are the sums after `ends` [e] products, ascending to
    k, the last one with the bias. `products` and `sums` are the columns of the flips, `bits` the widths of their two
    words; `bias` [u] int64, or empty for none.
    """
    k = a.shape[1]
    p_unit, p_at, p_bit = products
    s_unit, s_at, s_bit = sums
    p, s = np.searchsorted(p_unit, first), np.searchsorted(s_unit, first)
    for u in range(first, last):
        x, y = a[a_row[u]], b[b_row[u]]
        total = np.int64(0)
        done = 0
        biased = len(bias) == 0
        for e in range(len(ends)):
            end = ends[e]
            reach = end if end < k else k + 1  # the addition of the bias, t = k, belongs to the last
            while True:
                more = s < len(s_unit) and s_unit[s] == u and s_at[s] + 1 < reach
                product = p < len(p_unit) and p_unit[p] == u and p_at[p] < end
                if product and (not more or p_at[p] <= s_at[s] + 1):
                    # the difference of a product, ahead of the products themselves: no sum that is read lies between
                    word = np.int64(x[p_at[p]]) * np.int64(y[p_at[p]])
                    total += (word ^ wrapped(np.int64(1) << p_bit[p], bits[0])) - word
                    p += 1
                elif more:
                    t = s_at[s] + 1
                    total += dot(x, y, done, min(t + 1, k))
                    done = min(t + 1, k)
                    if t == k and not biased:
                        total += bias[u]
                        biased = True
                    total = wrapped(total, bits[1]) ^ wrapped(np.int64(1) << s_bit[s], bits[1])
                    s += 1
                else:
                    break
            total += dot(x, y, done, end)
            done = end
            if end == k and not biased:
                total += bias[u]
            out[u, e] = wrapped(total, bits[1])


@njit(cache=True, nogil=True)
def float_chains(a, a_row, b, b_row, bias, products, sums, first, last, out):  # type: ignore[no-untyped-def]
    """The same for float32 words: every product and every running sum rounded to float32, in order."""
    k = a.shape[1]
    p_unit, p_at, p_bit = products
    s_unit, s_at, s_bit = sums
    p, s = np.searchsorted(p_unit, first), np.searchsorted(s_unit, first)
    word = np.empty(1, dtype=np.float32)
    raw = word.view(np.uint32)
    for u in range(first, last):
        x, y = a[a_row[u]], b[b_row[u]]
        total = np.float32(0.0)
        for t in range(k + (1 if len(bias) else 0)):
            word[0] = x[t] * y[t] if t < k else bias[u]
            if word[0] != word[0] and p < len(p_unit) and p_unit[p] == u and p_at[p] == t:
                raw[0] = _NAN
            while p < len(p_unit) and p_unit[p] == u and p_at[p] == t:
                raw[0] ^= np.uint32(1) << np.uint32(p_bit[p])
                p += 1
            word[0] = word[0] if t == 0 else total + word[0]
            if word[0] != word[0] and s < len(s_unit) and s_unit[s] == u and s_at[s] + 1 == t:
                raw[0] = _NAN
            while s < len(s_unit) and s_unit[s] == u and s_at[s] + 1 == t:
                raw[0] ^= np.uint32(1) << np.uint32(s_bit[s])
                s += 1
            total = word[0]
        out[u] = total


@njit(cache=True, nogil=True)
def float_sums(x, sums, out):  # type: ignore[no-untyped-def]
    """Running sums of rows x [u, n] float32 -> out [u], each rounded to float32, in order."""
    unit, at, bit = sums
    s = 0
    word = np.empty(1, dtype=np.float32)
    raw = word.view(np.uint32)
    for u in range(x.shape[0]):
        word[0] = x[u, 0]
        for t in range(1, x.shape[1]):
            word[0] = word[0] + x[u, t]
            if word[0] != word[0] and s < len(unit) and unit[s] == u and at[s] + 1 == t:
                raw[0] = _NAN
            while s < len(unit) and unit[s] == u and at[s] + 1 == t:
                raw[0] ^= np.uint32(1) << np.uint32(bit[s])
                s += 1
        out[u] = word[0]


@njit(cache=True, nogil=True)
def int_sums(x, sums, bits, out):  # type: ignore[no-untyped-def]
    """Running sums of rows x [u, n] int64 -> out [u] int64, wrapped to `bits`; the flips in order."""
    unit, at, bit = sums
    s = 0
    for u in range(x.shape[0]):
        total = np.int64(0)
        done = 0
        while s < len(unit) and unit[s] == u:
            while done < at[s] + 2:
                total += x[u, done]
                done += 1
            total = wrapped(total, bits) ^ wrapped(np.int64(1) << bit[s], bits)
            s += 1
        while done < x.shape[1]:
            total += x[u, done]
            done += 1
        out[u] = wrapped(total, bits)
