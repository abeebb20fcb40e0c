"""Averages: over whole axes (global pooling, mean of tokens) and over windows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from radhard.machine import Arithmetic, Note, Operator, UnitInput, Units, rows, tensors
from radhard.machine.operator import unravel


@dataclass(frozen=True, kw_only=True)
class Mean(Operator):
    """x [...] float -> its mean over `dims`, which stay with size 1 (the program drops them where asked)."""

    name: ClassVar[str] = "mean"
    dims: tuple[int, ...]

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """Size 1 along `dims`."""
        (x,) = tensors(inputs)
        gone = {d % x.ndim for d in self.dims}
        return torch.empty([1 if d in gone else size for d, size in enumerate(x.shape)], dtype=x.dtype, device=x.device)

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """A row: the elements of one mean."""
        (x,) = tensors(inputs)
        return rows(x, self.dims)

    def text(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Running sum times 1 / n."""
        (x,) = tensors(inputs)
        return m.mul(m.sum(x), 1.0 / x.shape[1])

    def kernel(self, inputs: Sequence[Tensor | None], note: Note) -> Tensor:
        """torch's mean."""
        del note
        (x,) = tensors(inputs)
        return x.mean(self.dims, keepdim=True)


@dataclass(frozen=True, kw_only=True)
class AvgPool2d(Operator):
    """x [b, c, h, w] float -> [b, c, h', w'], means of windows; padded zeros count as elements."""

    name: ClassVar[str] = "avg_pool2d"
    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)

    def _windows(self, x: Tensor) -> Tensor:
        """-> view [b, c, h', w', p, q] of the padded input."""
        (p, q), (above, left) = self.size, self.padding
        padded = functional.pad(x, (left, left, above, above))
        return padded.unfold(2, p, self.stride[0]).unfold(3, q, self.stride[1])

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """[b, c, h', w']."""
        (x,) = tensors(inputs)
        return torch.empty(self._windows(x).shape[:4], dtype=x.dtype, device=x.device)

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """A window."""
        (x,) = tensors(inputs)
        windows = self._windows(x)
        grid = tuple(windows.shape[:4])

        def gather(index: Tensor) -> tuple[UnitInput, ...]:
            return (windows[unravel(index, grid)].flatten(1),)

        def scatter(out: Tensor, index: Tensor, values: Tensor) -> None:
            out[unravel(index, grid)] = values.view(-1)

        return Units(grid, gather, scatter)

    def text(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Running sum times 1 / (p q)."""
        (x,) = tensors(inputs)
        return m.mul(m.sum(x), 1.0 / math.prod(self.size))

    def kernel(self, inputs: Sequence[Tensor | None], note: Note) -> Tensor:
        """torch's average pooling."""
        del note
        (x,) = tensors(inputs)
        return functional.avg_pool2d(x, self.size, self.stride, self.padding)
