"""Writing words back on a `Grid`: int32 accumulators and float32 results to 8 bits, one pass over the data each.

The loops are those of deployed models too (`radhard.kernels.write`).
"""

import torch
from torch import Tensor

from radhard.kernels import write
from radhard.kernels.write import look_up
from radhard.machine.arithmetic import SYMMETRIC, Grid

__all__ = ["look_up", "write_accumulator", "write_float"]


def write_accumulator(
    total: Tensor, bias: Tensor | None, multiplier: Tensor, dtype: torch.dtype, *, grid: Grid = SYMMETRIC
) -> Tensor:
    """`total` [m, n] int32 (or float32 holding integers), bias [n] int32, multiplier [n] float32 -> [m, n] `dtype`.

    float32(total + bias) times multiplier; in 8 bits rounded half to even, moved and saturated on `grid`.
    """
    if bias is None:
        bias = torch.zeros(total.shape[1], dtype=torch.int32, device=total.device)
    words, scale = bias.to(torch.int32).contiguous(), multiplier.to(torch.float32).contiguous()
    return write.write(total, words, scale, dtype, grid=grid.limits)


def write_float(x: Tensor, factor: float, *, grid: Grid = SYMMETRIC) -> tuple[Tensor, Tensor | None]:
    """`x` [...] float32 -> x * factor as words of `grid` [...], rounded half to even; which are not finite.

    See `radhard.kernels.write.write_float`.
    """
    return write.write_float(x, factor, grid=grid.limits, dtype=grid.dtype)
