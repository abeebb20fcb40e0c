"""torch.ops.radhard.look_up and .quantize: words of 8 bits to what they stand for, and numbers to such words."""

from collections.abc import Sequence

import torch
from torch import Tensor

from radhard.kernels import write
from radhard.kernels.library import operator
from radhard.kernels.linear import limits


def _fake_look_up(x: Tensor, table: Tensor) -> Tensor:
    return torch.empty_like(x, dtype=table.dtype)


@operator("look_up(Tensor x, Tensor table) -> Tensor", fake=_fake_look_up)
def look_up(x: Tensor, table: Tensor) -> Tensor:
    """`x` [...] int8 or uint8, table [256] -> the entry of each, in the order of octets; lying in memory as x does."""
    return write.look_up(x, table)


def _fake_quantize(x: Tensor, factor: float, grid: Sequence[int], dtype: torch.dtype | None = None) -> Tensor:
    del factor, grid
    return x.new_empty(x.shape, dtype=dtype or torch.int8)


@operator("quantize(Tensor x, float factor, int[] grid, ScalarType? dtype=None) -> Tensor", fake=_fake_quantize)
def quantize(x: Tensor, factor: float, grid: Sequence[int], dtype: torch.dtype | None = None) -> Tensor:
    """`x` [...] float32 -> x * factor, rounded half to even, moved by the zero point and saturated: int8 [...].

    `dtype` uint8 makes uint8 words of them.
    """
    return write.quantize(x, factor, grid=limits(grid), dtype=dtype or torch.int8).contiguous()
