"""Compiled loops of matrix products and convolutions: factors are packed in pairs, multiplied by tiles, written back.

`packed` factors are int16 [panels, pairs, rows of a panel, 2]: pair t of a row are its words 2 t and 2 t + 1, zero
beyond k and beyond the last row. Imported only where numba is installed and the processor has what tiles take.
"""

import numpy as np
from numba import carray, njit, types

from radhard.kernels.by_address import ANY, INT8, INT16, INT32, INT64, REAL, UINT8, N, R, by_address
from radhard.kernels.depthwise import depthwise_signed, depthwise_unsigned
from radhard.kernels.tile import COLUMNS, ROWS, interleave, narrow_tile, wide_tile

__all__ = [
    "ROWS",
    "WIDTH",
    "convolve_signed",
    "convolve_unsigned",
    "depthwise_signed",
    "depthwise_unsigned",
    "pack_signed",
    "pack_unsigned",
    "product",
]

_WORDS, _FLOATS = 0, 1  # what is written: words of 8 bits, float32, or else the accumulators
_SLAB = 320  # pairs at a time: two panels of them fit in a processor's first cache
_BLOCK = 192  # columns of a convolution at a time: a slab of them fits in its second cache
WIDTH = 64  # columns of a product at a time: four panels
_HEIGHT = 32  # panels of rows at a time


@njit(cache=True, nogil=True, error_model="numpy")
def _pack_panel(x, start, rows, k, of_row, of_word, out):  # type: ignore[no-untyped-def]
    """`rows` rows of words x, the first from `start` on -> out int16 [pairs, rows of a panel, 2]."""
    pairs, panel, _ = out.shape
    for i in range(panel):
        if i >= rows:
            for t in range(pairs):
                out[t, i, 0] = 0
                out[t, i, 1] = 0
            continue
        row = start + i * of_row
        if of_word == 1:
            words = x[row : row + k]
            for t in range(k // 2):
                out[t, i, 0] = words[2 * t]
                out[t, i, 1] = words[2 * t + 1]
        else:
            for t in range(k // 2):
                out[t, i, 0] = x[row + 2 * t * of_word]
                out[t, i, 1] = x[row + (2 * t + 1) * of_word]
        if k % 2:
            out[pairs - 1, i, 0] = x[row + (k - 1) * of_word]
            out[pairs - 1, i, 1] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _pack_columns(x, start, rows, k, of_word, out):  # type: ignore[no-untyped-def]
    """The same of rows whose words are `of_word` apart while rows are side by side; a panel of 16."""
    pairs, size = len(out), len(x)
    for t in range(pairs):
        one = start + 2 * t * of_word
        other = one + of_word if 2 * t + 1 < k else one
        if rows == COLUMNS and other + COLUMNS <= size:
            interleave(x, one, other, out[t].ctypes.data)
        else:
            for i in range(COLUMNS):
                out[t, i, 0] = x[one + i] if i < rows else 0
                out[t, i, 1] = x[other + i] if i < rows else 0
        if 2 * t + 1 == k:
            for i in range(COLUMNS):
                out[t, i, 1] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _pack_left(x, m, k, strides, out, first, last):  # type: ignore[no-untyped-def]
    """Panels first ... last - 1, numbered (group, panel), of x [g, m, k] with `strides` (group, row, word)."""
    panels = (m + ROWS - 1) // ROWS
    for p in range(first, last):
        row = p % panels * ROWS
        start = p // panels * strides[0] + row * strides[1]
        _pack_panel(x, start, min(ROWS, m - row), k, strides[1], strides[2], out[p])


# x [size] of 8 bits, rows [g, m, k] with strides (group, row, word) -> out int16 [g panels, pairs, 6, 2]


def _pack(x, size, m, k, of_group, of_row, of_word, out, first, last):  # type: ignore[no-untyped-def]
    packed = carray(out, (last, (k + 1) // 2, ROWS, 2))
    _pack_left(carray(x, size), m, k, (of_group, of_row, of_word), packed, first, last)


pack_signed, pack_unsigned = (
    by_address(types.void, words, N, N, N, N, N, N, INT16, N, N)(_pack) for words in (INT8, UINT8)
)


@njit(cache=True, nogil=True, error_model="numpy")
def _multiply(a, a_panel, panels, b, b_panel, b_step, pairs, columns, sums, sums_step):  # type: ignore[no-untyped-def]
    """Tiles of `panels` of a by `columns` of b, all addresses; steps and sizes of panels are bytes."""
    for i in range(panels):
        left, total = a + i * a_panel, sums + i * ROWS * sums_step
        j = 0
        while j < columns:
            right = b + j // COLUMNS * b_panel
            if columns - j > COLUMNS // 2:
                wide_tile(left, right, b_step, pairs, total + 4 * j, sums_step)
            else:
                narrow_tile(left, right, b_step, pairs, total + 4 * j, sums_step)
            j += COLUMNS


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(x, offsets, runs, count, out, step):  # type: ignore[no-untyped-def]
    """Pairs of words x[base + offset] -> out int16 [pairs, step, 2]: row t those of offsets 2 t and 2 t + 1.

    `runs` [count, 3] are columns whose words lie side by side: their first one, its base, their number. Whatever lies
    behind the last column is overwritten.
    """
    size, row = len(x), out.ctypes.data
    for t in range(len(offsets) // 2):
        one, other = offsets[2 * t], offsets[2 * t + 1]
        far, target = max(one, other), out[t]
        for r in range(count):
            column, base, length = runs[r, 0], runs[r, 1], runs[r, 2]
            for j in range(0, length, 16):
                if base + far + j + 16 <= size:
                    interleave(x, base + one + j, base + other + j, row + 4 * (column + j))
                else:
                    for i in range(j, min(j + 16, length)):
                        target[column + i, 0] = x[base + one + i]
                        target[column + i, 1] = x[base + other + i]
        row += 4 * step


@njit(cache=True, nogil=True, error_model="numpy")
def _find_runs(first, last, image, height, width, of_row, runs):  # type: ignore[no-untyped-def]
    """Columns first ... last - 1 of images of height x width -> how many `runs` they are, which are written."""
    count, column = 0, first
    while column < last:
        own, place = column // (height * width), column % (height * width)
        y, x = place // width, place % width
        length = min(width - x, last - column)
        runs[count, 0] = column - first
        runs[count, 1] = own * image + y * of_row + x
        runs[count, 2] = length
        count += 1
        column += length
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _convolve(x, offsets, filters, grid, n, bias, multiplier, limits, out, kind, spread, first, last):  # type: ignore[no-untyped-def]
    image, height, width, of_row = grid
    zero, low, high = limits
    pairs, plane = len(offsets) // 2, height * width
    panels = (n + ROWS - 1) // ROWS
    slabs = (pairs + _SLAB - 1) // _SLAB
    slab = (pairs + slabs - 1) // slabs
    step = _BLOCK + 2 * COLUMNS
    gathered = np.empty((slab, step, 2), np.int16)
    sums = np.empty((panels * ROWS, step), np.int32)
    runs = np.empty((_BLOCK, 3), np.int64)
    for start in range(first, last, _BLOCK):
        end = min(start + _BLOCK, last)
        columns, count = end - start, _find_runs(start, end, image, height, width, of_row, runs)
        sums[:, :columns] = 0
        for pair in range(0, pairs, slab):
            own = min(slab, pairs - pair)
            _gather(x, offsets[2 * pair : 2 * (pair + own)], runs, count, gathered, step)
            _multiply(
                filters + 4 * ROWS * pair,
                4 * ROWS * pairs,
                panels,
                gathered.ctypes.data,
                4 * COLUMNS,
                4 * step,
                own,
                columns,
                sums.ctypes.data,
                4 * step,
            )
        column = start
        while column < end:
            own, place = column // plane, column % plane
            length, skip = min(plane - place, end - column), column - start
            for r in range(n):
                row, more, scale = sums[r, skip : skip + length], bias[r], multiplier[r]
                to = own * spread + r * plane + place
                if kind == _WORDS:
                    words = carray(out, to + length, np.int8)[to:]
                    for i in range(length):
                        value = np.float32(np.int32(row[i] + more)) * scale
                        value = min(max(np.rint(value) + zero, low), high)
                        words[i] = np.int8(np.int32(value))
                elif kind == _FLOATS:
                    floats = carray(out, to + length, np.float32)[to:]
                    for i in range(length):
                        floats[i] = np.float32(np.int32(row[i] + more)) * scale
                else:
                    totals = carray(out, to + length, np.int32)[to:]
                    for i in range(length):
                        totals[i] = np.int32(row[i] + more)
            column += length


# x [size] of 8 bits: the sources of images, `image` words apart; offsets [2 pairs] int64, from an output's base to its
# words in the order of the filter; filters packed; outputs are `height` x `width`, rows of their bases `of_row` apart;
# bias [n] int32, multiplier [n] float32 -> out, channels side by side, images `spread` words apart; columns, numbered
# (image, row, column), from `first` to `last` - 1


def _convolve_at(  # type: ignore[no-untyped-def]
    x, size, offsets, pairs, filters, image, height, width, of_row, n,
    bias, multiplier, zero, low, high, out, kind, spread, first, last,
):  # fmt: skip
    grid, limits, packed = (image, height, width, of_row), (zero, low, high), carray(filters, 1).ctypes.data
    source, places, more, scale = carray(x, size), carray(offsets, 2 * pairs), carray(bias, n), carray(multiplier, n)
    _convolve(source, places, packed, grid, n, more, scale, limits, out, kind, spread, first, last)


convolve_signed, convolve_unsigned = (
    by_address(types.void, words, N, INT64, N, INT16, N, N, N, N, N, INT32, REAL, R, R, R, ANY, N, N, N, N)(
        _convolve_at
    )
    for words in (INT8, UINT8)
)


@njit(cache=True, nogil=True, error_model="numpy")
def _product(left, m, b, n, k, strides, bias, multiplier, limits, out, kind, first, last):  # type: ignore[no-untyped-def]
    zero, low, high = limits
    pairs, panels = (k + 1) // 2, (m + ROWS - 1) // ROWS
    slabs = (pairs + _SLAB - 1) // _SLAB
    slab = (pairs + slabs - 1) // slabs
    blocks = (n + WIDTH - 1) // WIDTH
    right = np.empty((WIDTH // COLUMNS, pairs, COLUMNS, 2), np.int16)
    sums = np.empty((min(panels, _HEIGHT) * ROWS, WIDTH), np.int32)
    of_panel = 4 * ROWS * pairs
    for part in range(first, last):
        group, column = part // blocks, part % blocks * WIDTH
        columns = min(WIDTH, n - column)
        for j in range(0, columns, COLUMNS):
            start, rows = group * strides[0] + (column + j) * strides[1], min(COLUMNS, columns - j)
            if strides[1] == 1 and strides[2] != 1:
                _pack_columns(b, start, rows, k, strides[2], right[j // COLUMNS])
            else:
                _pack_panel(b, start, rows, k, strides[1], strides[2], right[j // COLUMNS])
        for panel in range(0, panels, _HEIGHT):
            own = min(_HEIGHT, panels - panel)
            sums[: own * ROWS] = 0
            for pair in range(0, pairs, slab):
                _multiply(
                    left + (group * panels + panel) * of_panel + 4 * ROWS * pair,
                    of_panel,
                    own,
                    right.ctypes.data + 4 * COLUMNS * pair,
                    4 * COLUMNS * pairs,
                    4 * COLUMNS,
                    min(slab, pairs - pair),
                    columns,
                    sums.ctypes.data,
                    4 * WIDTH,
                )
            more, scale = bias[column : column + columns], multiplier[column : column + columns]
            for i in range(min(own * ROWS, m - panel * ROWS)):
                row, to = sums[i, :columns], (group * m + panel * ROWS + i) * n + column
                if kind == _WORDS:
                    words = carray(out, to + columns, np.int8)[to:]
                    for j in range(columns):
                        value = np.float32(np.int32(row[j] + more[j])) * scale[j]
                        value = min(max(np.rint(value) + zero, low), high)
                        words[j] = np.int8(np.int32(value))
                elif kind == _FLOATS:
                    floats = carray(out, to + columns, np.float32)[to:]
                    for j in range(columns):
                        floats[j] = np.float32(np.int32(row[j] + more[j])) * scale[j]
                else:
                    totals = carray(out, to + columns, np.int32)[to:]
                    for j in range(columns):
                        totals[j] = np.int32(row[j] + more[j])


@by_address(types.void, INT16, N, INT8, N, N, N, N, N, N, INT32, REAL, R, R, R, ANY, N, N, N)
def product(  # type: ignore[no-untyped-def]
    left, m, b, size, n, k, of_group, of_row, of_word, bias, multiplier, zero, low, high, out, kind, first, last
):
    """Left packed [g, m, k], b [size] int8: rows [g, n, k] with strides (group, row, word); bias [n], multiplier [n].

    -> out [g, m, n]; parts from `first` to `last` - 1, numbered (group, block of 64 columns).
    """
    _product(
        carray(left, 1).ctypes.data,
        m,
        carray(b, size),
        n,
        k,
        (of_group, of_row, of_word),
        carray(bias, n),
        carray(multiplier, n),
        (zero, low, high),
        out,
        kind,
        first,
        last,
    )
