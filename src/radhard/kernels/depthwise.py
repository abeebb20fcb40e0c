"""Compiled loops of depthwise convolutions: every channel has a filter of its own, and no product to share.

Imported only where numba is installed.
"""

import numpy as np
from numba import carray, njit, types

from radhard.kernels.by_address import ANY, INT8, INT32, INT64, REAL, UINT8, N, R, by_address

_WORDS, _FLOATS = 0, 1  # what is written: words of 8 bits, float32, or else the accumulators


@njit(cache=True, nogil=True, error_model="numpy")
def _depthwise(x, offsets, filters, grid, channels, bias, multiplier, limits, out, kind, first, last):  # type: ignore[no-untyped-def]
    of_channel, height, width, of_row = grid
    zero, low, high = limits
    k = len(offsets)
    sums = np.empty(width, np.int32)
    for plane in range(first, last):
        c = plane % channels
        more, scale = bias[c], multiplier[c]
        for i in range(height):
            sums[:] = more
            start = plane * of_channel + i * of_row
            for t in range(k):
                weight = np.int32(filters[c, t])
                words = x[start + offsets[t] : start + offsets[t] + width]
                for j in range(width):
                    sums[j] += np.int32(words[j]) * weight
            to = (plane * height + i) * width
            if kind == _WORDS:
                octets = carray(out, to + width, np.int8)[to:]
                for j in range(width):
                    value = np.float32(sums[j]) * scale
                    value = min(max(np.rint(value) + zero, low), high)
                    octets[j] = np.int8(np.int32(value))
            elif kind == _FLOATS:
                floats = carray(out, to + width, np.float32)[to:]
                for j in range(width):
                    floats[j] = np.float32(sums[j]) * scale
            else:
                totals = carray(out, to + width, np.int32)[to:]
                for j in range(width):
                    totals[j] = sums[j]


# x [size] of 8 bits: planes (image, channel) `of_channel` words apart; offsets [k] int64, from an output's base to its
# words; filters [channels, k]; outputs are `height` x `width`, rows of their bases `of_row` apart; bias [channels]
# int32, multiplier [channels] float32 -> out; planes from `first` to `last` - 1


def _depthwise_at(  # type: ignore[no-untyped-def]
    x, size, offsets, k, filters, of_channel, height, width, of_row, channels,
    bias, multiplier, zero, low, high, out, kind, first, last,
):  # fmt: skip
    grid, limits = (of_channel, height, width, of_row), (zero, low, high)
    factors, more, scale = carray(filters, (channels, k)), carray(bias, channels), carray(multiplier, channels)
    source, places = carray(x, size), carray(offsets, k)
    _depthwise(source, places, factors, grid, channels, more, scale, limits, out, kind, first, last)


depthwise_signed, depthwise_unsigned = (
    by_address(types.void, words, N, INT64, N, INT8, N, N, N, N, N, INT32, REAL, R, R, R, ANY, N, N, N)(_depthwise_at)
    for words in (INT8, UINT8)
)
