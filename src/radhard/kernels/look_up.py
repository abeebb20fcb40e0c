"""torch.ops.radhard.look_up, .quantize and .write_back: 8-bit words to numbers, numbers and accumulators to words."""

from collections.abc import Sequence

import torch
from torch import Tensor

from radhard.kernels import write
from radhard.kernels.grid import grid_of
from radhard.kernels.library import operator
from radhard.kernels.write import no_bias


def _like_entries(x: Tensor, table: Tensor) -> Tensor:
    return torch.empty_like(x, dtype=table.dtype)


@operator(fake=_like_entries)
def look_up(x: Tensor, table: Tensor) -> Tensor:
    """`x` [...] int8 or uint8, table [256] -> the entry of each, in the order of octets; lying in memory as x does."""
    return write.look_up(x, table)


def _like_words(x: Tensor, dtype: torch.dtype | None) -> Tensor:
    return x.new_empty(x.shape, dtype=dtype or torch.int8)


@operator(fake=_like_words)
def quantize(x: Tensor, factor: float, grid: Sequence[int], dtype: torch.dtype | None = None) -> Tensor:
    """`x` [...] float32 -> x * factor, rounded half to even, moved by the zero point and saturated: int8 [...].

    `dtype` uint8 makes uint8 words of them.
    """
    return write.quantize(x, factor, grid_of(*grid, dtype or torch.int8)).contiguous()


def _like_written(total: Tensor, dtype: torch.dtype) -> Tensor:
    return total.new_empty(total.shape, dtype=dtype)


@operator(fake=_like_written)
def write_back(total: Tensor, multiplier: Tensor, grid: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Accumulators `total` [..., n] int32 with their bias, multiplier [1] or [n] float32 -> [..., n] `dtype`."""
    n = total.shape[-1]
    words = write.write(total.reshape(-1, n), no_bias(n, total.device), write.WriteBack.of(multiplier, grid, dtype))
    return words.view(total.shape)
