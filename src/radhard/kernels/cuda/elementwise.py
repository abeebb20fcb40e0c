"""Elementwise sum, difference or product of two inputs, words or float32, broadcast, in one pass."""

import math
from typing import Literal

import torch
import triton
import triton.language as tl
from torch import Tensor

from radhard.kernels.affine import FLOATS, Affine
from radhard.kernels.cuda.epilogue import rounded
from radhard.kernels.cuda.launch import on
from radhard.kernels.cuda.rows import RowsOutput, dtype_written, non_finite, number

Operation = Literal["add", "sub", "mul"]
_BLOCK = 2048
_LARGE = 1e30  # numbers whose product with a factor is finite beyond doubt


@triton.jit(do_not_specialize=["x_zero", "y_zero", "zero", "low", "high"])  # type: ignore[untyped-decorator]
def _pair(  # type: ignore[no-untyped-def]
    x,
    y,
    out,
    marks,
    size,
    x_inner,
    x_period,
    y_inner,
    y_period,
    x_zero,
    x_scale,
    y_zero,
    y_scale,
    factor,
    zero,
    low,
    high,
    OPERATION: tl.constexpr,
    X_WHOLE: tl.constexpr,
    Y_WHOLE: tl.constexpr,
    X_WORDS: tl.constexpr,
    Y_WORDS: tl.constexpr,
    WRITTEN: tl.constexpr,
    MARKED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    left = number(x + (at if X_WHOLE else at // x_inner % x_period), inside, x_zero, x_scale, X_WORDS)
    right = number(y + (at if Y_WHOLE else at // y_inner % y_period), inside, y_zero, y_scale, Y_WORDS)
    if OPERATION == "mul":
        value = left * right
    elif OPERATION == "add":
        value = left + right
    else:
        value = left - right
    if WRITTEN:
        value = value * factor
        tl.store(out + at, rounded(value, zero, low, high), mask=inside)
    else:
        tl.store(out + at, value, mask=inside)
    if MARKED:
        tl.store(marks + at, non_finite(value), mask=inside)


def pair(
    operation: Operation,
    inputs: tuple[Tensor, Tensor],
    *,
    reads: tuple[Affine | None, Affine | None],
    write: Affine | None,
) -> RowsOutput | None:
    """The `operation` on both `inputs` [...], broadcast, lying in memory as they do.

    With it, of words that are written, which values were not finite [...] bool; None where none can be. None for both
    where the inputs are no float32 or words, are large, or are broadcast in a way that is not served.
    """
    if any(read is None and x.dtype != torch.float32 for x, read in zip(inputs, reads, strict=True)):
        return None
    x, y = inputs
    alike = x.shape == y.shape
    shape = x.shape if alike else torch.broadcast_shapes(x.shape, y.shape)
    order = list(range(len(shape)))
    if alike and x.stride() == y.stride() and not x.is_contiguous():
        order.sort(key=x.stride, reverse=True)
        x, y, shape = x.permute(order), y.permute(order), torch.Size(shape[d] for d in order)
    x, y, size = x.contiguous(), y.contiguous(), math.prod(shape)
    turns = ((1, 1), (1, 1)) if alike else (_turn(x.shape, shape), _turn(y.shape, shape))
    if size >= 1 << 31 or turns[0] is None or turns[1] is None:
        return None
    (of_x, of_y), to = (read or FLOATS for read in reads), write or FLOATS
    marked = write is not None and not _bounded(reads, to.factor)
    out = torch.empty(shape, dtype=dtype_written(write), device=x.device)
    marks = torch.empty(shape if marked else 0, dtype=torch.int8, device=x.device)
    if size:
        with on(x):
            _pair[(triton.cdiv(size, _BLOCK),)](
                x,
                y,
                out,
                marks,
                size,
                *turns[0],
                *turns[1],
                *(of_x.grid.zero, of_x.scale, of_y.grid.zero, of_y.scale),
                *(to.factor, *to.grid.limits),
                OPERATION=operation,
                X_WHOLE=x.shape == shape,
                Y_WHOLE=y.shape == shape,
                X_WORDS=reads[0] is not None,
                Y_WORDS=reads[1] is not None,
                WRITTEN=write is not None,
                MARKED=marked,
                BLOCK=_BLOCK,
                enable_fp_fusion=False,
            )
    marks = marks.view(torch.bool)
    if order != sorted(order):
        back = [order.index(d) for d in range(len(order))]
        out, marks = out.permute(back), marks.permute(back) if marked else marks
    return out, marks if marked else None


def _turn(shape: torch.Size, whole: torch.Size) -> tuple[int, int] | None:
    """(inner, period) of an input broadcast to `whole`: element i reads its element i // inner % period.

    None where the axes along which it varies are not side by side.
    """
    sizes = [1] * (len(whole) - len(shape)) + list(shape)
    own = [d for d, size in enumerate(sizes) if size != 1]
    if not own:
        return 1, 1
    first, last = own[0], own[-1]
    if sizes[first : last + 1] != list(whole[first : last + 1]):
        return None
    return math.prod(whole[last + 1 :]), math.prod(sizes)


def _bounded(reads: tuple[Affine | None, Affine | None], factor: float) -> bool:
    """Whether everything is finite whatever the words are."""
    most = [math.inf if read is None else (255 + abs(read.grid.zero)) * read.scale for read in reads]
    return max(most[0] * most[1], *most) * max(1.0, factor) < _LARGE
