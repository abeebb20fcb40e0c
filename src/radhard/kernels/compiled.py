"""Numba loops for write-back and look-up on the CPU. Imported only where numba is installed.

A loop over a matrix product's accumulators may check each row's sum on its way: the accumulators are in registers
there, and the sums, which wrap in int32, cost no pass of their own. Loops are called with addresses, which costs a
microsecond where arrays would cost ten; whoever calls them keeps the tensors alive, contiguous and of the right type.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import carray, cfunc, njit, types

_P, _SIZE, _FLOAT = ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_float
_INT8, _UINT8, _INT32, _INT64, _REAL = (
    types.CPointer(t) for t in (types.int8, types.uint8, types.int32, types.int64, types.float32)
)
_N, _R = types.intp, types.float32


def _compiled(result: Any, *kinds: Any) -> Callable[[Any], Callable[..., Any]]:
    """Compile a loop with arguments of these kinds, and call it by address without the interpreter's lock."""
    c_type: dict[Any, Any] = {_N: _SIZE, _R: _FLOAT}
    prototype = ctypes.CFUNCTYPE(None if result == types.void else _SIZE, *(c_type.get(kind, _P) for kind in kinds))

    def compile_(loop: Any) -> Callable[..., Any]:
        code = cfunc(result(*kinds), cache=True, error_model="numpy")(loop)
        call = prototype(code.address)
        call.code = code  # type: ignore[attr-defined]  # as long as it may be called
        return call

    return compile_


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


@_compiled(types.void, _INT32, _N, _INT32, _REAL, _R, _R, _R, _INT8, _N, _N)
def words(total, width, bias, multiplier, zero, low, high, out, rows, columns):  # type: ignore[no-untyped-def]
    """-> int8."""
    x, y = carray(total, (rows, width)), carray(out, (rows, columns))
    _words(x, carray(bias, columns), carray(multiplier, columns), zero, low, high, y)


@_compiled(types.void, _INT32, _N, _INT32, _REAL, _REAL, _N, _N)
def floats(total, width, bias, multiplier, out, rows, columns):  # type: ignore[no-untyped-def]
    """-> float32."""
    x, y = carray(total, (rows, width)), carray(out, (rows, columns))
    _floats(x, carray(bias, columns), carray(multiplier, columns), y)


@_compiled(_N, _INT32, _N, _INT32, _REAL, _R, _R, _R, _INT64, _INT8, _N, _N)
def checked_words(total, width, bias, multiplier, zero, low, high, offset, out, rows, columns):  # type: ignore[no-untyped-def]
    """-> int8."""
    x, y = carray(total, (rows, width)), carray(out, (rows, columns))
    return _checked_words(x, carray(bias, columns), carray(multiplier, columns), zero, low, high, offset[0], y)


@_compiled(_N, _INT32, _N, _INT32, _REAL, _INT64, _REAL, _N, _N)
def checked_floats(total, width, bias, multiplier, offset, out, rows, columns):  # type: ignore[no-untyped-def]
    """-> float32."""
    x, y = carray(total, (rows, width)), carray(out, (rows, columns))
    return _checked_floats(x, carray(bias, columns), carray(multiplier, columns), offset[0], y)


@_compiled(types.void, _INT64, _N)
def add(counter, number):  # type: ignore[no-untyped-def]
    """Add to the first word of a counter."""
    carray(counter, 1)[0] += number


@_compiled(_N, _INT32, _N, _INT32, _INT64, _N, _N)
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


@_compiled(types.void, _INT8, _INT8, _INT64, _N, _N, _N)
def chains(a, b, out, m, n, k):  # type: ignore[no-untyped-def]
    """a [m, k] int8, b [n, k] int8 -> a b^T [m, n] int64, exact for k < 2^17: one product and one sum at a time."""
    _chains(carray(a, (m, k)), carray(b, (n, k)), carray(out, (m, n)))


@_compiled(types.void, _UINT8, _INT8, _INT64, _N, _N, _N)
def unsigned_chains(a, b, out, m, n, k):  # type: ignore[no-untyped-def]
    """The same of a uint8, exact for k < 2^16."""
    _chains(carray(a, (m, k)), carray(b, (n, k)), carray(out, (m, n)))


@_compiled(_N, _REAL, _R, _R, _R, _R, _INT8, _N)
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


@_compiled(_N, _REAL, _R, _R, _REAL, _N)
def copy_in_range(x, low, high, out, size):  # type: ignore[no-untyped-def]
    """Float32 [size] -> the same; whether all are from low to high."""
    source, target, inside = carray(x, size), carray(out, size), True
    for i in range(size):
        value = source[i]
        inside &= (low <= value) & (value <= high)
        target[i] = value
    return inside


@_compiled(_N, _REAL, _R, _R, _R, _R, _R, _REAL, _N)
def into_range(x, low, high, below, above, neither, out, size):  # type: ignore[no-untyped-def]
    """Float32 [size] -> float32 [size], values outside the bounds replaced; their number."""
    source, target, found = carray(x, size), carray(out, size), 0
    for i in range(size):
        value = source[i]
        found += not (low <= value <= high)
        target[i] = _within(value, low, high, below, above, neither)
    return found


@_compiled(_N, _REAL, _R, _R, _R, _R, _R, _R, _INT8, _N)
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


@_compiled(types.void, _INT8, _INT8, _INT8, _N)
def look_up_words(x, table, out, size):  # type: ignore[no-untyped-def]
    """Int8 [size], table [256] int8 -> table[x + 128] [size]."""
    _look_up(carray(x, size), carray(table, 256), carray(out, size))


@_compiled(types.void, _INT8, _INT32, _INT32, _N)
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


@_compiled(_N, _INT8, _INT8, _N, _N, _R, _R, _INT8, _N)
def look_up_words_within(x, table, first, last, low, high, out, size):  # type: ignore[no-untyped-def]
    """As `look_up_words`; 1 if a word is not from first to last, and 2 more if an entry is not from low to high."""
    source, target = carray(x, size), carray(out, size)
    return _look_up_within(source, carray(table, 256), first, last, np.int8(low), np.int8(high), target)


@_compiled(_N, _INT8, _UINT8, _N, _N, _R, _R, _UINT8, _N)
def look_up_unsigned_within(x, table, first, last, low, high, out, size):  # type: ignore[no-untyped-def]
    """As `look_up_words_within`, of a table of uint8."""
    source, target = carray(x, size), carray(out, size)
    return _look_up_within(source, carray(table, 256), first, last, np.uint8(low), np.uint8(high), target)


@_compiled(_N, _INT8, _REAL, _N, _N, _R, _R, _REAL, _N)
def look_up_floats_within(x, table, first, last, low, high, out, size):  # type: ignore[no-untyped-def]
    """As `look_up_words_within`, of a table of float32."""
    return _look_up_within(carray(x, size), carray(table, 256), first, last, low, high, carray(out, size))


@_compiled(_N, _INT8, _INT8, _N)
def uses(x, table, size):  # type: ignore[no-untyped-def]
    """Int8 [size], table [256] of 0 and 1 -> how many of the words have a 1."""
    source, entries, found = carray(x, size), carray(table, 256), 0
    for i in range(size):
        found += entries[np.int64(source[i]) + 128]
    return found


# x int8: outer times inner matrices whose words lie side by side in rows, `of_*` words from each to the next


@_compiled(types.void, _INT8, _N, _N, _N, _N, _N, _N, _N, _INT8)
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


@_compiled(types.void, _INT8, _N, _N, _N, _N, _N, _N, _N, _N, _INT8)
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
