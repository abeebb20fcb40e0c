"""Numba loops for write-back and look-up on the CPU. Imported only where numba is installed.

A loop over a matrix product's accumulators may check each row's sum on its way: the accumulators are in registers
there, and the sums, which wrap in int32, cost no pass of their own.
"""

import numpy as np
from numba import carray, njit, types

from radhard.kernels.by_address import INT8, INT32, INT64, REAL, UINT8, N, R, by_address


@njit(cache=True, nogil=True, error_model="numpy")
def _words(total, bias, multiplier, zero, low, high, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            value = np.float32(np.int32(np.int32(total[i, j]) + bias[j])) * multiplier[j]  # the sum wraps
            value = min(max(np.rint(value) + zero, low), high)
            out[i, j] = np.int8(np.int32(value))


@njit(cache=True, nogil=True, error_model="numpy")
def _floats(total, bias, multiplier, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.float32(np.int32(np.int32(total[i, j]) + bias[j])) * multiplier[j]


@njit(cache=True, nogil=True, error_model="numpy")
def _predicted(total, i, n, offset):  # type: ignore[no-untyped-def]
    """What row i adds up to by its three digits in columns n, n + 1, n + 2, and `offset`; wraps to int32."""
    low, middle, top = np.int64(total[i, n]), np.int64(total[i, n + 1]), np.int64(total[i, n + 2])
    return np.int32(low + (middle << 8) + (top << 16) + offset)


@njit(cache=True, nogil=True, error_model="numpy")
def _checked_words(total, bias, multiplier, zero, low, high, offset, out):  # type: ignore[no-untyped-def]
    n, wrong = out.shape[1], 0
    for i in range(out.shape[0]):
        found = np.int32(0)
        for j in range(n):
            sum_ = np.int32(np.int32(total[i, j]) + bias[j])
            found = np.int32(found + sum_)
            value = np.float32(sum_) * multiplier[j]
            value = min(max(np.rint(value) + zero, low), high)
            out[i, j] = np.int8(np.int32(value))
        wrong += found != _predicted(total, i, n, offset)
    return wrong


@njit(cache=True, nogil=True, error_model="numpy")
def _checked_floats(total, bias, multiplier, offset, out):  # type: ignore[no-untyped-def]
    n, wrong = out.shape[1], 0
    for i in range(out.shape[0]):
        found = np.int32(0)
        for j in range(n):
            sum_ = np.int32(np.int32(total[i, j]) + bias[j])
            found = np.int32(found + sum_)
            out[i, j] = np.float32(sum_) * multiplier[j]
        wrong += found != _predicted(total, i, n, offset)
    return wrong


# total [rows, width] int32, bias [columns] int32, multiplier [columns] float32, limits -> out [rows, columns]; those of
# checked loops return the number of rows that do not add up, `offset` [1] int64 added to what their digits say


@by_address(types.void, INT32, N, INT32, REAL, R, R, R, INT8, N, N)
def words(total, width, bias, multiplier, zero, low, high, out, rows, columns):  # type: ignore[no-untyped-def]
    """-> int8."""
    x, y = carray(total, (rows, width)), carray(out, (rows, columns))
    _words(x, carray(bias, columns), carray(multiplier, columns), zero, low, high, y)


@by_address(types.void, INT32, N, INT32, REAL, REAL, N, N)
def floats(total, width, bias, multiplier, out, rows, columns):  # type: ignore[no-untyped-def]
    """-> float32."""
    x, y = carray(total, (rows, width)), carray(out, (rows, columns))
    _floats(x, carray(bias, columns), carray(multiplier, columns), y)


@by_address(N, INT32, N, INT32, REAL, R, R, R, INT64, INT8, N, N)
def checked_words(total, width, bias, multiplier, zero, low, high, offset, out, rows, columns):  # type: ignore[no-untyped-def]
    """-> int8."""
    x, y = carray(total, (rows, width)), carray(out, (rows, columns))
    return _checked_words(x, carray(bias, columns), carray(multiplier, columns), zero, low, high, offset[0], y)


@by_address(N, INT32, N, INT32, REAL, INT64, REAL, N, N)
def checked_floats(total, width, bias, multiplier, offset, out, rows, columns):  # type: ignore[no-untyped-def]
    """-> float32."""
    x, y = carray(total, (rows, width)), carray(out, (rows, columns))
    return _checked_floats(x, carray(bias, columns), carray(multiplier, columns), offset[0], y)


@njit(cache=True, nogil=True, error_model="numpy")
def _unequal(found, low, middle, top, offset):  # type: ignore[no-untyped-def]
    """How many of the sums [w] are not what their three digits [w] and `offset` say; these wrap to int32."""
    wrong = 0
    for q in range(len(found)):
        wrong += found[q] != np.int32(np.int64(low[q]) + (np.int64(middle[q]) << 8) + (np.int64(top[q]) << 16) + offset)
    return wrong


PLACES = 512
"""Places whose sums are kept while the channels are gone through: their words stay in the processor's cache."""


@njit(cache=True, nogil=True, error_model="numpy")
def _checked_planes(x, bias, multiplier, limits, offset, y, first, last):  # type: ignore[no-untyped-def]
    """Parts `first` to `last` - 1, of `PLACES` places each, of the planes y; `limits` of words, None for floats."""
    groups, n, places, wrong = bias.shape[0], y.shape[1], y.shape[2], 0
    parts = (places + PLACES - 1) // PLACES
    found = np.empty(PLACES, np.int32)
    for part in range(first, last):
        plane, start = part // parts, part % parts * PLACES
        g, stop = plane % groups, min(start + PLACES, places)
        found[:] = 0
        for j in range(n):
            row, to = x[plane, j, start:stop], y[plane, j, start:stop]
            for q in range(stop - start):
                sum_ = np.int32(row[q] + bias[g, j])
                found[q] = np.int32(found[q] + sum_)
                value = np.float32(sum_) * multiplier[g, j]
                if limits is None:
                    to[q] = value
                else:
                    to[q] = np.int8(np.int32(min(max(np.rint(value) + limits[0], limits[1]), limits[2])))
        low, middle, top = x[plane, n, start:stop], x[plane, n + 1, start:stop], x[plane, n + 2, start:stop]
        wrong += _unequal(found[: stop - start], low, middle, top, offset[g, -1])
    return wrong


@njit(cache=True, nogil=True)
def _planes(address, channels, places, parts):  # type: ignore[no-untyped-def]
    """The array [planes, channels, places] that has so many parts of `PLACES` places."""
    return carray(address, (parts // ((places + PLACES - 1) // PLACES) + 1, channels, places))


# total [images x groups, n + 3, places] int32, channels of an image and group as rows, bias and multiplier [groups, n],
# `offset` [groups, step] int64, of which the last count -> out [images x groups, n, places]; and how many places do
# not add up


@by_address(N, INT32, INT32, REAL, R, R, R, INT64, N, INT8, N, N, N, N, N)
def checked_planes(total, bias, multiplier, zero, low, high, offset, step, out, groups, n, places, first, last):  # type: ignore[no-untyped-def]
    """-> int8."""
    x, y = _planes(total, n + 3, places, last), _planes(out, n, places, last)
    more, scale, extra = (carray(bias, (groups, n)), carray(multiplier, (groups, n)), carray(offset, (groups, step)))
    return _checked_planes(x, more, scale, (zero, low, high), extra, y, first, last)


@by_address(N, INT32, INT32, REAL, INT64, N, REAL, N, N, N, N, N)
def checked_planes_of_floats(total, bias, multiplier, offset, step, out, groups, n, places, first, last):  # type: ignore[no-untyped-def]
    """-> float32."""
    x, y = _planes(total, n + 3, places, last), _planes(out, n, places, last)
    more, scale, extra = (carray(bias, (groups, n)), carray(multiplier, (groups, n)), carray(offset, (groups, step)))
    return _checked_planes(x, more, scale, None, extra, y, first, last)


@by_address(types.void, INT64, N)
def add(counter, number):  # type: ignore[no-untyped-def]
    """Add to the first word of a counter."""
    carray(counter, 1)[0] += number


@by_address(N, INT32, N, INT32, INT64, N, N)
def mismatches(total, width, bias, offset, rows, columns):  # type: ignore[no-untyped-def]
    """The number of rows alone."""
    x, extra, wrong = carray(total, (rows, width)), carray(bias, columns), 0
    for i in range(rows):
        found = np.int32(0)
        for j in range(columns):
            found = np.int32(found + x[i, j])
            found = np.int32(found + extra[j])
        wrong += found != _predicted(x, i, columns, offset[0])
    return wrong


@njit(cache=True, nogil=True)
def _chains(x, y, z):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        row = x[i]
        for j in range(y.shape[0]):
            column, total = y[j], np.int32(0)
            for t in range(x.shape[1]):
                total = np.int32(total + np.int32(np.int32(row[t]) * np.int32(column[t])))
            z[i, j] = total


@by_address(types.void, INT8, INT8, INT64, N, N, N)
def chains(a, b, out, m, n, k):  # type: ignore[no-untyped-def]
    """a [m, k] int8, b [n, k] int8 -> a b^T [m, n] int64, exact for k < 2^17: one product and one sum at a time."""
    _chains(carray(a, (m, k)), carray(b, (n, k)), carray(out, (m, n)))


@by_address(types.void, UINT8, INT8, INT64, N, N, N)
def unsigned_chains(a, b, out, m, n, k):  # type: ignore[no-untyped-def]
    """The same of a uint8, exact for k < 2^16."""
    _chains(carray(a, (m, k)), carray(b, (n, k)), carray(out, (m, n)))


@by_address(N, REAL, R, R, R, R, INT8, N)
def from_float(x, factor, zero, low, high, out, size):  # type: ignore[no-untyped-def]
    """Float32 [size] -> int8 [size]; the number of products that are not finite."""
    source, target, non_finite = carray(x, size), carray(out, size), 0
    for i in range(size):
        value = source[i] * factor
        non_finite += not (abs(value) <= np.float32(3.4028234663852886e38))
        value = np.rint(value)
        value = zero if value != value else value + zero
        value = low if value < low else value
        value = high if value > high else value
        target[i] = np.int8(np.int32(value))
    return non_finite


@njit(cache=True, nogil=True, error_model="numpy")
def _within(value, low, high, below, above, neither):  # type: ignore[no-untyped-def]
    """A float32 as it is within bounds, or what stands for it."""
    value = neither if value != value else value
    return above if value > high else (below if value < low else value)


@by_address(N, REAL, R, R, REAL, N)
def copy_in_range(x, low, high, out, size):  # type: ignore[no-untyped-def]
    """Float32 [size] -> the same; whether all are from low to high."""
    source, target, inside = carray(x, size), carray(out, size), True
    for i in range(size):
        value = source[i]
        inside &= (low <= value) & (value <= high)
        target[i] = value
    return inside


@by_address(N, REAL, R, R, R, R, R, REAL, N)
def into_range(x, low, high, below, above, neither, out, size):  # type: ignore[no-untyped-def]
    """Float32 [size] -> float32 [size], values outside the bounds replaced; their number."""
    source, target, found = carray(x, size), carray(out, size), 0
    for i in range(size):
        value = source[i]
        found += not (low <= value <= high)
        target[i] = _within(value, low, high, below, above, neither)
    return found


@by_address(N, REAL, R, R, R, R, R, R, INT8, N)
def from_range(x, low, high, factor, zero, least, most, out, size):  # type: ignore[no-untyped-def]
    """As `from_float`; whether all values are from low to high."""
    source, target, inside = carray(x, size), carray(out, size), True
    for i in range(size):
        value = source[i]
        inside &= (low <= value) & (value <= high)
        value = np.rint(value * factor) + zero
        value = zero if value != value else value
        value = least if value < least else value
        value = most if value > most else value
        target[i] = np.int8(np.int32(value))
    return inside


@njit(cache=True, nogil=True)
def _look_up(source, entries, target):  # type: ignore[no-untyped-def]
    for i in range(len(source)):
        target[i] = entries[np.int64(source[i]) + 128]


@by_address(types.void, INT8, INT8, INT8, N)
def look_up_words(x, table, out, size):  # type: ignore[no-untyped-def]
    """Int8 [size], table [256] int8 -> table[x + 128] [size]."""
    _look_up(carray(x, size), carray(table, 256), carray(out, size))


@by_address(types.void, INT8, INT32, INT32, N)
def look_up_floats(x, table, out, size):  # type: ignore[no-untyped-def]
    """Int8 [size], table [256] of four bytes each -> table[x + 128] [size]."""
    _look_up(carray(x, size), carray(table, 256), carray(out, size))


@njit(cache=True, nogil=True)
def _between(x, low, high):  # type: ignore[no-untyped-def]
    """Whether all of x are from low to high."""
    inside = True
    for i in range(len(x)):
        inside &= (low <= x[i]) & (x[i] <= high)
    return inside


@njit(cache=True, nogil=True)
def _look_up_within(source, entries, first, last, low, high, target):  # type: ignore[no-untyped-def]
    used, changed, part = False, False, 4096  # looked at again while they are near
    for i in range(0, len(source), part):
        words, values = source[i : i + part], target[i : i + part]
        _look_up(words, entries, values)
        if first > -128 or last < 127:
            used |= not _between(words, np.int8(first), np.int8(last))
        changed |= not _between(values, low, high)
    return used + 2 * changed


@by_address(N, INT8, INT8, N, N, R, R, INT8, N)
def look_up_words_within(x, table, first, last, low, high, out, size):  # type: ignore[no-untyped-def]
    """As `look_up_words`; 1 if a word is not from first to last, and 2 more if an entry is not from low to high."""
    source, target = carray(x, size), carray(out, size)
    return _look_up_within(source, carray(table, 256), first, last, np.int8(low), np.int8(high), target)


@by_address(N, INT8, UINT8, N, N, R, R, UINT8, N)
def look_up_unsigned_within(x, table, first, last, low, high, out, size):  # type: ignore[no-untyped-def]
    """As `look_up_words_within`, of a table of uint8."""
    source, target = carray(x, size), carray(out, size)
    return _look_up_within(source, carray(table, 256), first, last, np.uint8(low), np.uint8(high), target)


@by_address(N, INT8, REAL, N, N, R, R, REAL, N)
def look_up_floats_within(x, table, first, last, low, high, out, size):  # type: ignore[no-untyped-def]
    """As `look_up_words_within`, of a table of float32."""
    return _look_up_within(carray(x, size), carray(table, 256), first, last, low, high, carray(out, size))


@by_address(N, INT8, INT8, N)
def uses(x, table, size):  # type: ignore[no-untyped-def]
    """Int8 [size], table [256] of 0 and 1 -> how many of the words have a 1."""
    source, entries, found = carray(x, size), carray(table, 256), 0
    for i in range(size):
        found += entries[np.int64(source[i]) + 128]
    return found


# x int8: outer times inner matrices whose words lie side by side in rows, `of_*` words from each to the next


@by_address(types.void, INT8, N, N, N, N, N, N, N, INT8)
def widen_rows(x, outer, of_outer, inner, of_inner, n, of_row, k, out):  # type: ignore[no-untyped-def]
    """[n, k] -> out [outer inner, n + 3, k]: the last three rows are the digits of the sum of the others."""
    size = (outer - 1) * of_outer + (inner - 1) * of_inner + (n - 1) * of_row + k
    source, wide, sums = carray(x, size), carray(out, (outer * inner, n + 3, k)), np.empty(k, np.int32)
    for g in range(outer * inner):
        start = g // inner * of_outer + g % inner * of_inner
        sums[:] = 0
        for i in range(n):
            row, copy = source[start + i * of_row : start + i * of_row + k], wide[g, i]
            for t in range(k):
                copy[t] = row[t]
                sums[t] += row[t]
        for place in range(3):
            row = wide[g, n + place]
            for t in range(k):
                row[t] = np.int8(sums[t])
                sums[t] = np.int32(sums[t] - np.int32(row[t])) >> 8


@by_address(types.void, INT8, N, N, N, N, N, N, N, N, INT8)
def widen_columns(x, outer, of_outer, inner, of_inner, k, of_row, n, width, out):  # type: ignore[no-untyped-def]
    """[k, n] -> out [outer inner, k, width]: after n columns the digits of their sum, then zeros."""
    size = (outer - 1) * of_outer + (inner - 1) * of_inner + (k - 1) * of_row + n
    source, wide = carray(x, size), carray(out, (outer * inner, k, width))
    for g in range(outer * inner):
        start = g // inner * of_outer + g % inner * of_inner
        for t in range(k):
            row, copy, total = source[start + t * of_row : start + t * of_row + n], wide[g, t], np.int32(0)
            for i in range(n):
                copy[i] = row[i]
                total = np.int32(total + row[i])
            for place in range(3):
                copy[n + place] = np.int8(total)
                total = np.int32(total - np.int32(copy[n + place])) >> 8
            for i in range(n + 3, width):
                copy[i] = 0
