"""8-bit words to numbers and numbers to 8-bit words: one pass over memory each."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from radhard.kernels.cuda.epilogue import rounded
from radhard.kernels.cuda.launch import on
from radhard.kernels.grid import Grid

_BLOCK = 4096


@triton.jit  # type: ignore[untyped-decorator]
def _look_up(x, table, out, size, columns, of_row, ROWS: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    first = tl.program_id(0).to(tl.int64) * BLOCK
    step = tl.arange(0, BLOCK)
    inside = step < size - first
    if ROWS:
        at = tl.program_id(0) * BLOCK + step
        source = x + (at // columns * of_row + at % columns)
    else:
        source = x + first + step
    word = tl.load(source, mask=inside, other=0).to(tl.int32)
    tl.store(out + first + step, tl.load(table + 128 + word), mask=inside)


@triton.jit(do_not_specialize=["zero", "low", "high"])  # type: ignore[untyped-decorator]
def _quantize(x, out, non_finite, size, factor, zero, low, high, MARKED: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    first = tl.program_id(0).to(tl.int64) * BLOCK
    step = tl.arange(0, BLOCK)
    inside = step < size - first
    value = tl.load(x + first + step, mask=inside, other=0.0) * factor
    tl.store(out + first + step, rounded(value, zero, low, high), mask=inside)
    if MARKED:
        tl.store(non_finite + first + step, tl.where(tl.abs(value) <= 3.4028234663852886e38, 0, 1), mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def _sum_row(x, out, n, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    row, step = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    total = tl.zeros([BLOCK], tl.int32)  # of a thread's few: no sum of them is large
    for first in range(0, n, BLOCK):
        total += tl.load(x + row * n + first + step, mask=first + step < n, other=0).to(tl.int32)
    tl.store(out + row, tl.sum(total.to(tl.int64), axis=0))


def sum_rows(x: Tensor) -> Tensor:
    """Booleans or counts `x` [r, n] -> the sum of each row [r] int64: torch would copy them all as int64 before."""
    rows, n = x.shape
    x = (x.view(torch.uint8) if x.dtype == torch.bool else x).contiguous()
    out = torch.empty(rows, dtype=torch.int64, device=x.device)
    if rows:
        with on(x):
            _sum_row[(rows,)](x, out, n, BLOCK=1024 if n <= 1024 else 8192, num_warps=4 if n <= 1024 else 16)
    return out


def look_up(x: Tensor, table: Tensor) -> Tensor:
    """`x` [...] int8, table [256] -> table[x + 128] [...], lying in memory as x does."""
    if x.is_contiguous():
        return _looked_up(x, table, columns=1, of_row=1)
    order = sorted(range(x.ndim), key=x.stride, reverse=True)
    source = x.permute(order)
    lies = _rows(source)
    if lies is None or lies[1] * x.numel() >= lies[0] << 31:
        source, lies = source.contiguous(), (1, 1)
    out = _looked_up(source, table, columns=lies[0], of_row=lies[1])
    return out.permute([order.index(d) for d in range(x.ndim)])


def _looked_up(x: Tensor, table: Tensor, *, columns: int, of_row: int) -> Tensor:
    """`x` [...] in rows of so many words, so far apart -> the entries of its words, side by side."""
    out, size = torch.empty(x.shape, dtype=table.dtype, device=x.device), x.numel()
    if size:
        with on(x):
            _look_up[(triton.cdiv(size, _BLOCK),)](
                x, table, out, size, columns, of_row, ROWS=columns != of_row, BLOCK=_BLOCK
            )
    return out


def written(x: Tensor, factor: float, grid: Grid, *, marked: bool) -> tuple[Tensor, Tensor | None]:
    """`x` [...] float32 -> x * factor as words [...] on `grid`, lying in memory as x does.

    Where they are to be `marked`, also which of x * factor are not finite [...] bool.
    """
    order = sorted(range(x.ndim), key=x.stride, reverse=True)
    back = [order.index(d) for d in range(x.ndim)]
    source, size = x.to(torch.float32).permute(order).contiguous(), x.numel()
    out = torch.empty(source.shape, dtype=grid.dtype, device=x.device)
    non_finite = torch.empty(source.shape if marked else 0, dtype=torch.int8, device=x.device)
    if size:
        with on(x):
            _quantize[(triton.cdiv(size, _BLOCK),)](
                source, out, non_finite, size, factor, *grid.limits, MARKED=marked, BLOCK=_BLOCK
            )
    return out.permute(back), non_finite.view(torch.bool).permute(back) if marked else None


def _rows(x: Tensor) -> tuple[int, int] | None:
    """`x` as rows of words side by side: how many there are in one, and from one to the next; None where it is none."""
    axes: list[tuple[int, int]] = []
    for size, stride in zip(reversed(x.shape), reversed(x.stride()), strict=True):
        if axes and stride == axes[-1][0] * axes[-1][1]:
            axes[-1] = (axes[-1][0] * size, axes[-1][1])
        elif size != 1:
            axes.append((size, stride))
    if not axes:
        return 1, 1
    if axes[0][1] != 1 or len(axes) > 2:
        return None
    return axes[0][0], axes[1][1] if len(axes) == 2 else axes[0][0]
