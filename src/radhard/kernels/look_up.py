"""torch.ops.radhard.look_up and .quantize: 8-bit words to numbers by table, and numbers to 8-bit words."""

from collections.abc import Sequence

import torch
from torch import Tensor

from radhard.kernels import write
from radhard.kernels.library import operator
from radhard.kernels.linear import limits


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
    return write.quantize(x, factor, grid=limits(grid), dtype=dtype or torch.int8).contiguous()
