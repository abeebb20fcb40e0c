"""Averages over whole axes (global pooling, mean of tokens) and over windows, and the ATen sums and means."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.fx import Node
from torch.nn import functional

from radhard.errors import CaptureError
from radhard.machine import Arithmetic, NoteNonFinite, Operator, Sum, UnitInput, Units, tensors
from radhard.machine.operator import unravel
from radhard.operators.aten import Lowered, in_float32, lowers, pair

_ATEN = torch.ops.aten


@dataclass(frozen=True, kw_only=True)
class Mean(Sum):
    """x [...] float -> its mean over `dims`, which stay with size 1 (the program drops them where asked)."""

    name: ClassVar[str] = "mean"

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Running sum times 1 / n."""
        (x,) = tensors(inputs)
        return m.mul(m.sum(x), 1.0 / x.shape[1])

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
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

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Running sum times 1 / n."""
        x, share = tensors(inputs)
        return m.mul(m.sum(x), share)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's sum of windows, times 1 / n."""
        del note
        (x,) = tensors(inputs)
        top, left, bottom, right = self.padding
        below, after = self.beyond
        padded = functional.pad(x, (left, right + after, top, bottom + below))
        return functional.avg_pool2d(padded, self.size, self.stride, divisor_override=1) * self._shares(x)


@lowers(_ATEN.mean.dim)
def _mean(x: Node, dims: Sequence[int] | None, keepdim: object = False, *, dtype: Any = None) -> Lowered:
    in_float32("mean", dtype)
    axes = _axes(x, dims)
    return Lowered(operator=Mean(dims=axes), inputs=(x,), squeeze=() if keepdim else axes)


@lowers(_ATEN.sum.dim_IntList)
def _sum(x: Node, dims: Sequence[int] | None, keepdim: object = False, *, dtype: Any = None) -> Lowered:
    in_float32("sum", dtype)
    axes = _axes(x, dims)
    return Lowered(operator=Sum(dims=axes), inputs=(x,), squeeze=() if keepdim else axes)


def _axes(x: Node, dims: Sequence[int] | None) -> tuple[int, ...]:
    """The axes that are meant, counted from 0, in rising order; all where none are named."""
    rank = x.meta["val"].ndim
    return tuple(sorted(d % rank for d in dims)) if dims else tuple(range(rank))


@lowers(_ATEN.adaptive_avg_pool2d.default, _ATEN._adaptive_avg_pool2d.default)
def _adaptive(x: Node, size: Sequence[int]) -> Lowered:
    have = tuple(x.meta["val"].shape[-2:])
    wanted = pair(size)
    if wanted == (1, 1):
        return Lowered(operator=Mean(dims=(2, 3)), inputs=(x,))
    window = (have[0] // wanted[0], have[1] // wanted[1])
    return Lowered(operator=AvgPool2d(size=window, stride=window), inputs=(x,))


@lowers(_ATEN.avg_pool2d.default)
def _avg_pool2d(
    x: Node,
    size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil_mode: object = False,
    count_include_pad: object = True,
    divisor: int | None = None,
) -> Lowered:
    if divisor is not None:
        raise CaptureError(f"average pooling with a divisor of {divisor}: write the product out in the model")
    window, step, (above, left) = pair(size), pair(stride or size), pair(padding)
    have = [h + 2 * p for h, p in zip(x.meta["val"].shape[-2:], (above, left), strict=True)]
    beyond = tuple(
        _beyond(h, w, s, p) if ceil_mode else 0 for h, w, s, p in zip(have, window, step, (above, left), strict=True)
    )
    operator = AvgPool2d(
        size=window,
        stride=step,
        padding=(above, left, above, left),
        beyond=(beyond[0], beyond[1]),
        counted="all" if count_include_pad else "inside",
    )
    return Lowered(operator=operator, inputs=(x,))


def _beyond(have: int, window: int, step: int, padding: int) -> int:
    """How far the last window of torch's ceil_mode reaches beyond the padded size `have`; it starts inside of it."""
    windows = -(-(have - window) // step) + 1
    if (windows - 1) * step >= have - padding:
        windows -= 1
    return max(0, (windows - 1) * step + window - have)
