"""Averages: over whole axes (global pooling, mean of tokens) and over windows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from radhard.machine import Arithmetic, Note, Operator, Sum, UnitInput, Units, tensors
from radhard.machine.operator import unravel


@dataclass(frozen=True, kw_only=True)
class Mean(Sum):
    """x [...] float -> its mean over `dims`, which stay with size 1 (the program drops them where asked)."""

    name: ClassVar[str] = "mean"

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
    """x [b, c, h, w] float -> [b, c, h', w'], means of windows; `padding` is (top, left, bottom, right).

    Padded zeros are summed like any other word; whether they count as elements `counted` says: "all", or "inside"
    the image only (torch's count_include_pad). Rows and columns beyond the padding, which only torch's ceil_mode
    reaches, never count.
    """

    name: ClassVar[str] = "avg_pool2d"
    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    beyond: tuple[int, int] = (0, 0)
    counted: Literal["all", "inside"] = "all"

    def _windows(self, x: Tensor) -> Tensor:
        """-> view [b, c, h', w', p, q] of the padded input."""
        top, left, bottom, right = self.padding
        below, after = self.beyond
        padded = functional.pad(x, (left, right + after, top, bottom + below))
        return padded.unfold(2, self.size[0], self.stride[0]).unfold(3, self.size[1], self.stride[1])

    def _shares(self, x: Tensor) -> Tensor:
        """One over the elements that count, of each window: [h', w']."""
        top, left, bottom, right = self.padding
        counts = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype, device=x.device)
        if self.counted == "all":
            counts = functional.pad(counts, (left, right, top, bottom), value=1.0)
            windows = replace(self, padding=(0, 0, 0, 0))._windows(counts)
        else:
            windows = self._windows(counts)
        return 1.0 / windows.sum((-1, -2))[0, 0]

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """[b, c, h', w']."""
        (x,) = tensors(inputs)
        return torch.empty(self._windows(x).shape[:4], dtype=x.dtype, device=x.device)

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """A window."""
        (x,) = tensors(inputs)
        windows, shares = self._windows(x), self._shares(x)
        grid = tuple(windows.shape[:4])

        def gather(index: Tensor) -> tuple[UnitInput, ...]:
            at = unravel(index, grid)
            return windows[at].flatten(1), shares[at[2:]][:, None]

        def scatter(out: Tensor, index: Tensor, values: Tensor) -> None:
            out[unravel(index, grid)] = values.view(-1)

        return Units(grid, gather, scatter)

    def text(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Running sum times 1 / n."""
        x, share = tensors(inputs)
        return m.mul(m.sum(x), share)

    def kernel(self, inputs: Sequence[Tensor | None], note: Note) -> Tensor:
        """torch's sum of windows, times 1 / n."""
        del note
        (x,) = tensors(inputs)
        top, left, bottom, right = self.padding
        below, after = self.beyond
        padded = functional.pad(x, (left, right + after, top, bottom + below))
        return functional.avg_pool2d(padded, self.size, self.stride, divisor_override=1) * self._shares(x)
