"""Writing words back: int32 accumulators and float32 results to int8, one pass over the data each.

On the host these are compiled loops; elsewhere torch operations that compute the same, bit for bit (tests hold
the two together).
"""

import numpy as np
import torch
from numba import njit
from torch import Tensor

from radhard.machine.arithmetic import SYMMETRIC, Grid, saturate
from radhard.machine.threads import split


@njit(cache=True, nogil=True, error_model="numpy")
def _from_accumulator(total, bias, multiplier, zero, low, high, out):  # type: ignore[no-untyped-def]
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            value = np.float32(np.int32(np.int32(total[i, j]) + bias[j])) * multiplier[j]  # the sum wraps
            value = min(max(np.rint(value) + zero, low), high)
            out[i, j] = np.int8(value)


@njit(cache=True, nogil=True, error_model="numpy")
def _to_float(total, bias, multiplier, out):  # type: ignore[no-untyped-def]
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            out[i, j] = np.float32(np.int32(np.int32(total[i, j]) + bias[j])) * multiplier[j]


@njit(cache=True, nogil=True, error_model="numpy")
def _from_float(x, factor, zero, low, high, out):  # type: ignore[no-untyped-def]
    """Float32 [n] -> int8 [n]; the number of products that are not finite."""
    strange = 0
    for i in range(x.shape[0]):
        value = x[i] * factor
        strange += not (abs(value) <= np.float32(3.4028234663852886e38))
        value = np.rint(value)
        value = zero if value != value else value + zero
        value = low if value < low else value
        value = high if value > high else value
        out[i] = np.int8(value)
    return strange


@njit(cache=True, nogil=True)
def _look_up(x, table, out):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        out[i] = table[np.int64(x[i]) + 128]


def write_accumulator(
    total: Tensor, bias: Tensor | None, multiplier: Tensor, dtype: torch.dtype, *, grid: Grid = SYMMETRIC
) -> Tensor:
    """`total` [m, n] int32 (or float32 holding integers), bias [n] int32, multiplier [n] float32 -> [m, n] `dtype`.

    float32(total + bias) times multiplier; as int8 rounded half to even, moved and saturated on `grid`.
    """
    if total.device.type != "cpu":
        wide = total.to(torch.int32) if bias is None else total.to(torch.int32) + bias
        value = wide.to(torch.float32) * multiplier
        return saturate(value, grid) if dtype == torch.int8 else value
    out = torch.empty(total.shape, dtype=dtype)
    columns = np.zeros(total.shape[1], np.int32) if bias is None else bias.numpy()
    x, y, scale = total.contiguous().numpy(), out.numpy(), multiplier.numpy()
    if dtype == torch.int8:
        limits = _limits(grid)
        split(x.shape[0], x.shape[1], lambda i, j: _from_accumulator(x[i:j], columns, scale, *limits, y[i:j]))
    else:
        split(x.shape[0], x.shape[1], lambda i, j: _to_float(x[i:j], columns, scale, y[i:j]))
    return out


def write_float(x: Tensor, factor: float, *, grid: Grid = SYMMETRIC) -> tuple[Tensor, int]:
    """`x` [...] float32 -> x * factor as int8 on `grid` [...], rounded half to even; how many are not finite."""
    if x.device.type != "cpu":
        value = x * factor
        return saturate(value, grid), int((~value.isfinite()).sum())
    out = torch.empty(x.shape, dtype=torch.int8)
    source, target = x.contiguous().view(-1).numpy(), out.view(-1).numpy()
    scale, limits, strange = np.float32(factor), _limits(grid), []
    split(len(source), 1, lambda i, j: strange.append(_from_float(source[i:j], scale, *limits, target[i:j])))
    return out, sum(strange)


def look_up(x: Tensor, table: Tensor) -> Tensor:
    """`x` [...] int8, `table` [256] -> table[x + 128] [...]."""
    if x.device.type != "cpu":
        return table.to(x.device)[x.to(torch.int64) + 128]
    order = sorted(range(x.ndim), key=x.stride, reverse=True)  # as it lies in memory: no copy of a permuted tensor
    dense = x.permute(order).contiguous()
    out = torch.empty(dense.shape, dtype=table.dtype)
    source, target, entries = dense.view(-1).numpy(), out.view(-1).numpy(), table.numpy()
    split(len(source), 1, lambda i, j: _look_up(source[i:j], entries, target[i:j]))
    return out.permute([order.index(d) for d in range(x.ndim)])


def _limits(grid: Grid) -> tuple[np.float32, np.float32, np.float32]:
    return np.float32(grid.zero), np.float32(grid.low), np.float32(grid.high)
