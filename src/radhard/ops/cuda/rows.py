"""Operators over rows, words in and words out in one pass: softmax and normalisations, in float32 in registers.

What is read in words stands for (word - zero) scale, `read` = (zero, scale); None reads float32. What is written is
scaled, rounded and saturated, `write` = (factor, (zero, low, high), dtype); None writes float32. Every operation is
rounded by itself, divisions and roots as IEEE has them. Of words written the values that were not finite are counted,
[..., 1] int32, where there can be any: nobody waits for that.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from radhard.ops.cuda.epilogue import rounded
from radhard.ops.cuda.launch import on
from radhard.ops.cuda.special import exp

Read = tuple[int, float]
Write = tuple[float, tuple[int, int, int], torch.dtype]
Written = tuple[Tensor, Tensor | None]
"""What was written, and how many values were not finite there; None where none can be."""

_TILE = 4096  # elements that a program holds
_LONGEST = 16384
_ALIGNED = 16


@triton.jit  # type: ignore[untyped-decorator]
def number(pointer, inside, zero, scale, WORDS: tl.constexpr):  # type: ignore[no-untyped-def]
    """What is read: words, or float32; 0 outside."""
    if WORDS:
        word = tl.load(pointer, mask=inside, other=0).to(tl.int32) - zero
        value = tl.where(inside, word.to(tl.float32) * scale, 0.0)
    else:
        value = tl.load(pointer, mask=inside, other=0.0)
    return value


@triton.jit
def strange(value):  # type: ignore[no-untyped-def]
    """1 where a float32 is not finite, else 0."""
    return tl.where(tl.abs(value) <= 3.4028234663852886e38, 0, 1)


@triton.jit  # type: ignore[untyped-decorator]
def _finish(  # type: ignore[no-untyped-def]
    y,
    inside,
    out,
    counts,
    row,
    rows,
    column,
    pitch,
    factor,
    zero,
    low,
    high,
    WRITTEN: tl.constexpr,
    COUNTED: tl.constexpr,
):
    """Rows y as words or float32, `pitch` apart in memory, and how many of each are not finite.

    What lies between two rows is written too, so that a store takes 16 bytes where `pitch` is a multiple.
    """
    target = out + (row[:, None] * pitch + column[None, :])
    mask = (row < rows)[:, None] & (column < pitch)[None, :]
    if WRITTEN:
        y = y * factor
        tl.store(target, rounded(y, zero, low, high), mask=mask)
    else:
        tl.store(target, y, mask=mask)
    if COUNTED:
        tl.store(counts + row, tl.sum(tl.where(inside, strange(y), 0), axis=1), mask=row < rows)


@triton.jit(do_not_specialize=["rows", "of_zero", "zero", "low", "high"])  # type: ignore[untyped-decorator]
def _softmax(  # type: ignore[no-untyped-def]
    x,
    out,
    counts,
    rows,
    n,
    pitch,
    of_zero,
    scale,
    factor,
    zero,
    low,
    high,
    WORDS: tl.constexpr,
    WRITTEN: tl.constexpr,
    COUNTED: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    inside = (row < rows)[:, None] & (column < n)[None, :]
    at = row[:, None] * n + column[None, :]
    value = number(x + at, inside, of_zero, scale, WORDS)
    largest = tl.max(tl.where(inside, value, -float("inf")), axis=1)
    e = exp(value - tl.where(row < rows, largest, 0.0)[:, None])
    total = tl.sum(tl.where(inside, e, 0.0), axis=1)
    y = tl.div_rn(e, tl.where(row < rows, total, 1.0)[:, None])
    _finish(y, inside, out, counts, row, rows, column, pitch, factor, zero, low, high, WRITTEN, COUNTED)


@triton.jit(do_not_specialize=["rows", "of_zero", "zero", "low", "high"])  # type: ignore[untyped-decorator]
def _normalise(  # type: ignore[no-untyped-def]
    x,
    weight,
    bias,
    out,
    counts,
    rows,
    n,
    pitch,
    eps,
    of_zero,
    scale,
    factor,
    zero,
    low,
    high,
    CENTRED: tl.constexpr,
    WEIGHTED: tl.constexpr,
    BIASED: tl.constexpr,
    WORDS: tl.constexpr,
    WRITTEN: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    used = column < n
    inside = (row < rows)[:, None] & used[None, :]
    at = row[:, None] * n + column[None, :]
    y = number(x + at, inside, of_zero, scale, WORDS)
    size = tl.cast(n, tl.float32)
    if CENTRED:
        y = tl.where(inside, y - tl.div_rn(tl.sum(y, axis=1), size)[:, None], 0.0)
    variance = tl.div_rn(tl.sum(y * y, axis=1), size)
    y = y * tl.div_rn(1.0, tl.sqrt_rn(variance + eps))[:, None]
    if WEIGHTED:
        y = y * tl.load(weight + column, mask=used, other=0.0)[None, :]
    if BIASED:
        y = y + tl.load(bias + column, mask=used, other=0.0)[None, :]
    _finish(y, inside, out, counts, row, rows, column, pitch, factor, zero, low, high, WRITTEN, WRITTEN)


def softmax(x: Tensor, *, read: Read | None, write: Write | None) -> Written | None:
    """Softmax along the last axis of `x` [..., n]; None where rows are too long.

    Rows of words lie so that each begins at a multiple of 16, for the product that reads them.
    """
    n = x.shape[-1]
    counted = write is not None and read is None  # of words that are read nothing is infinite
    pitch = n if write is None or n < _ALIGNED else triton.cdiv(n, _ALIGNED) * _ALIGNED
    return _launched(_softmax, x, n, read=read, write=write, pitch=pitch, counted=counted, COUNTED=counted)


def normalise(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    *,
    n: int,
    eps: float,
    centred: bool,
    read: Read | None,
    write: Write | None,
) -> Written | None:
    """Layer normalisation of rows of `n` numbers, the last axes of `x`, or about 0 that of their mean square.

    None where rows are too long, or parameters are no float32.
    """
    if any(p is not None and (p.dtype != torch.float32 or p.numel() != n) for p in (weight, bias)):
        return None
    parameters = [x if p is None else p.contiguous() for p in (weight, bias)]
    flags = {"CENTRED": centred, "WEIGHTED": weight is not None, "BIASED": bias is not None}
    counted = write is not None
    return _launched(_normalise, x, n, *parameters, read=read, write=write, pitch=n, counted=counted, eps=eps, **flags)


def _launched(
    kernel: Any,
    x: Tensor,
    n: int,
    *parameters: Tensor,
    read: Read | None,
    write: Write | None,
    pitch: int,
    counted: bool,
    **options: Any,
) -> Written | None:
    """Run `kernel` over the rows of `n` numbers of `x`, a few rows a program, to rows `pitch` apart."""
    of_zero, scale = read or (0, 1.0)
    factor, (zero, low, high), dtype = write or (1.0, (0, 0, 0), torch.float32)
    if not 0 < n <= _LONGEST or (read is None and x.dtype != torch.float32):
        return None
    x, rows, block = x.contiguous(), x.numel() // n, max(16, triton.next_power_of_2(n))
    each = max(1, _TILE // block)
    wide = x.shape if pitch == n else (*x.shape[:-1], pitch)
    out = torch.empty(wide, dtype=dtype, device=x.device)
    counts = torch.empty(rows if counted else 0, dtype=torch.int32, device=x.device)
    if rows:
        with on(x):
            kernel[(triton.cdiv(rows, each),)](
                x,
                *parameters,
                out,
                counts,
                rows=rows,
                n=n,
                pitch=pitch,
                of_zero=of_zero,
                scale=scale,
                factor=factor,
                zero=zero,
                low=low,
                high=high,
                WORDS=read is not None,
                WRITTEN=write is not None,
                ROWS=each,
                BLOCK=block,
                num_warps=4 if block < 1024 else 8,
                enable_fp_fusion=False,
                **options,
            )
    return out if pitch == n else out[..., :n], counts.view(_without(x.shape, n)) if counted else None


def _without(shape: torch.Size, n: int) -> list[int]:
    """`shape` with size 1 along its last axes, those of rows of `n` numbers."""
    kept, size = len(shape), 1
    while size < n:
        kept -= 1
        size *= shape[kept]
    return [*shape[:kept], *(1 for _ in shape[kept:])]
