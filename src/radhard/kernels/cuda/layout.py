"""The memory layout of a product's output, as the next operator reads it.

Rows of many words begin at multiples of 16: of others a kernel writes, and the next one reads, a byte at a time. And
where the right operand has its groups side by side within a row, as values have their heads, so has the output: the
heads are then put together without a copy.
"""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from torch import Tensor

Steps = tuple[int, int, int]
_LONG = 128  # words of a row from which on filling up the last 16 costs little


@dataclass(frozen=True, kw_only=True)
class Layout:
    """An output of `shape` [..., m, n] with `strides`, in a piece of memory of `room` elements."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    room: int

    @cached_property
    def steps(self) -> Steps:
        """Elements from one outer group, inner group and row to the next: the last axis of groups is the inner."""
        axes = (*(0 for _ in range(4 - len(self.shape))), *self.strides)
        return axes[-4], axes[-3], axes[-2]

    @cached_property
    def _contiguous(self) -> bool:
        return self.strides == _dense(self.shape)

    def empty(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Memory for it."""
        if self._contiguous:
            return torch.empty(self.shape, dtype=dtype, device=device)
        return torch.empty(self.room, dtype=dtype, device=device).as_strided(self.shape, self.strides)


def layout_of(shape: tuple[int, ...], y: Tensor, *, spread: bool) -> Layout:
    """For a product of `shape` [..., m, n] by y [outer, inner, n, k]; contiguous unless it may be `spread`."""
    *groups, m, n = shape
    if spread and n % 16 == 0 and y.stride(3) > y.stride(1) > 0 and len(groups) > 1:
        *others, heads = groups
        *outer, row, inner, one = _dense((*others, m, heads, n))
        return Layout(shape=shape, strides=(*outer, inner, row, one), room=prod(shape))
    if spread and n % 16 and n >= _LONG:
        wide = (*groups, m, n + -n % 16)
        return Layout(shape=shape, strides=_dense(wide), room=prod(wide))
    return Layout(shape=shape, strides=_dense(shape), room=prod(shape))


def _dense(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
