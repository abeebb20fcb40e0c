"""Softmax and normalisations over rows: 8-bit words in and out, float32 in registers, one pass.

`read` says what words stand for that are read, `write` for which words numbers are written, scaled, rounded and
saturated; None is float32. Every operation is rounded by itself, divisions and roots as IEEE has them. Of words written
the values that were not finite are counted, [..., 1] int32, where there can be any: nobody waits for that.
"""

from itertools import pairwise

import torch
import triton
import triton.language as tl
from torch import Tensor

from radhard.kernels.affine import FLOATS, Affine
from radhard.kernels.cuda.epilogue import nearest, rounded
from radhard.kernels.cuda.launch import on
from radhard.kernels.cuda.special import exp

RowsOutput = tuple[Tensor, Tensor | None]
"""What was written, and how many values were not finite there; None where none can be."""

_TILE = 2048  # elements that a warp holds
LONGEST = 16384
ALIGNED = 16


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
def non_finite(value):  # type: ignore[no-untyped-def]
    """1 where a float32 is not finite, else 0."""
    return tl.where(tl.abs(value) <= 3.4028234663852886e38, 0, 1)


@triton.jit
def _exp_of_few(x):  # type: ignore[no-untyped-def]
    """e ** x within 2 units in the last place for x <= 0; below e ** -80 that, which no word tells from 0."""
    x = tl.maximum(x, -80.0)
    t = tl.fma(x, 1.44269504088896341, 12582912.0)
    k = t - 12582912.0
    r = tl.fma(k, 2.12194440e-4, tl.fma(k, -0.693359375, x))
    p = tl.fma(r, 1.9875691500e-4, 1.3981999507e-3)
    p = tl.fma(p, r, 8.3334519073e-3)
    p = tl.fma(p, r, 4.1665795894e-2)
    p = tl.fma(p, r, 1.6666665459e-1)
    p = tl.fma(p, r, 5.0000001201e-1)
    y = tl.fma(p, r * r, r) + 1.0
    return (y.to(tl.int32, bitcast=True) + (t.to(tl.int32, bitcast=True) << 23)).to(tl.float32, bitcast=True)


@triton.jit(do_not_specialize=["rows", "of_zero", "zero", "low", "high"])  # type: ignore[untyped-decorator]
def _softmax(  # type: ignore[no-untyped-def]
    x,
    out,
    counts,
    rows,
    n,
    x_pitch,
    width,
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
    FIRST: tl.constexpr,
    SECOND: tl.constexpr,
    THIRD: tl.constexpr,
):
    """Rows of n, `x_pitch` apart, of which `width` may be read, to rows `pitch` apart, all of which may be written.

    A row is read in up to three parts, which are powers of two: in one of them 197 words would take the time of 256.
    """
    first = tl.program_id(0).to(tl.int64) * ROWS
    x, out, left = x + first * x_pitch, out + first * pitch, rows - first
    a = _part(x, left, n, x_pitch, width, of_zero, scale, 0, WORDS, ROWS, FIRST)
    largest = tl.max(a, axis=1)
    if SECOND:
        b = _part(x, left, n, x_pitch, width, of_zero, scale, FIRST, WORDS, ROWS, SECOND)
        largest = tl.maximum(largest, tl.max(b, axis=1))
    if THIRD:
        c = _part(x, left, n, x_pitch, width, of_zero, scale, FIRST + SECOND, WORDS, ROWS, THIRD)
        largest = tl.maximum(largest, tl.max(c, axis=1))
    a = _power(a - largest[:, None], WORDS, WRITTEN)
    total = tl.sum(a, axis=1)
    if SECOND:
        b = _power(b - largest[:, None], WORDS, WRITTEN)
        total += tl.sum(b, axis=1)
    if THIRD:
        c = _power(c - largest[:, None], WORDS, WRITTEN)
        total += tl.sum(c, axis=1)
    many = _put(out, a, total, left, n, pitch, factor, zero, low, high, 0, WORDS, WRITTEN, COUNTED, ROWS, FIRST)
    if SECOND:
        many += _put(
            out, b, total, left, n, pitch, factor, zero, low, high, FIRST, WORDS, WRITTEN, COUNTED, ROWS, SECOND
        )
    if THIRD:
        many += _put(
            out, c, total, left, n, pitch, factor, zero, low, high, FIRST + SECOND, WORDS, WRITTEN, COUNTED, ROWS, THIRD
        )
    if COUNTED:
        row = tl.arange(0, ROWS)
        tl.store(counts + first + row, many, mask=row < left)


@triton.jit  # type: ignore[untyped-decorator]
def _part(  # type: ignore[no-untyped-def]
    x, left, n, pitch, width, of_zero, scale, FROM: tl.constexpr, WORDS: tl.constexpr, R: tl.constexpr, B: tl.constexpr
):
    """Columns FROM ... FROM + B - 1 of R rows; what is no number of a row is next to nothing."""
    row, column = tl.arange(0, R), FROM + tl.arange(0, B)
    inside = (row < left)[:, None] & (column < width)[None, :]
    value = tl.load(x + (row[:, None] * pitch + column[None, :]), mask=inside, other=0)
    if WORDS:
        value = (value.to(tl.int32) - of_zero).to(tl.float32) * scale
    return tl.where((column < n)[None, :], value, -1e30)


@triton.jit  # type: ignore[untyped-decorator]
def _power(x, WORDS: tl.constexpr, WRITTEN: tl.constexpr):  # type: ignore[no-untyped-def]
    return _exp_of_few(x) if WORDS and WRITTEN else exp(x)


@triton.jit  # type: ignore[untyped-decorator]
def _put(  # type: ignore[no-untyped-def]
    out,
    e,
    total,
    left,
    n,
    pitch,
    factor,
    zero,
    low,
    high,
    FROM: tl.constexpr,
    WORDS: tl.constexpr,
    WRITTEN: tl.constexpr,
    COUNTED: tl.constexpr,
    R: tl.constexpr,
    B: tl.constexpr,
):
    """Shares e / total of these columns, written; how many of each row are not finite."""
    row, column = tl.arange(0, R), FROM + tl.arange(0, B)
    mask = (row < left)[:, None] & (column < pitch)[None, :]
    target = out + (row[:, None] * pitch + column[None, :])
    many = tl.zeros([R], tl.int32)
    if WRITTEN:
        y = e * (tl.div_rn(1.0, total) * factor)[:, None]
        tl.store(target, nearest(y, zero, low, high) if WORDS else rounded(y, zero, low, high), mask=mask)
        if COUNTED:
            many = tl.sum(tl.where((column < n)[None, :], non_finite(y), 0), axis=1)
    else:
        tl.store(target, tl.div_rn(e, total[:, None]), mask=mask)
    return many


@triton.jit(do_not_specialize=["of_zero", "zero", "low", "high"])  # type: ignore[untyped-decorator]
def _normalise(  # type: ignore[no-untyped-def]
    x,
    weight,
    bias,
    out,
    counts,
    n,
    x_pitch,
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
    FIRST: tl.constexpr,
    SECOND: tl.constexpr,
):
    """A row a program, in one part or two, which are powers of two."""
    row, size = tl.program_id(0).to(tl.int64), tl.cast(n, tl.float32)
    x, out = x + row * x_pitch, out + row * n
    i = tl.arange(0, FIRST)
    a = number(x + i, i < n, of_zero, scale, WORDS)
    total = tl.sum(a, axis=0)
    if SECOND:
        j = FIRST + tl.arange(0, SECOND)
        b = number(x + j, j < n, of_zero, scale, WORDS)
        total += tl.sum(b, axis=0)
    if CENTRED:
        mean = tl.div_rn(total, size)
        a = tl.where(i < n, a - mean, 0.0)
        if SECOND:
            b = tl.where(j < n, b - mean, 0.0)
    squares = tl.sum(a * a, axis=0)
    if SECOND:
        squares += tl.sum(b * b, axis=0)
    root = tl.div_rn(1.0, tl.sqrt_rn(tl.div_rn(squares, size) + eps))
    many = _stored(out, a * root, weight, bias, i, i < n, factor, zero, low, high, WEIGHTED, BIASED, WRITTEN)
    if SECOND:
        many += _stored(out, b * root, weight, bias, j, j < n, factor, zero, low, high, WEIGHTED, BIASED, WRITTEN)
    if WRITTEN:
        tl.store(counts + row, many)


@triton.jit  # type: ignore[untyped-decorator]
def _stored(  # type: ignore[no-untyped-def]
    out,
    y,
    weight,
    bias,
    column,
    used,
    factor,
    zero,
    low,
    high,
    WEIGHTED: tl.constexpr,
    BIASED: tl.constexpr,
    WRITTEN: tl.constexpr,
):
    """Numbers of these columns, scaled, shifted and stored; how many are not finite where they are to be words."""
    if WEIGHTED:
        y = y * tl.load(weight + column, mask=used, other=0.0)
    if BIASED:
        y = y + tl.load(bias + column, mask=used, other=0.0)
    many = 0
    if WRITTEN:
        y = y * factor
        tl.store(out + column, rounded(y, zero, low, high), mask=used)
        many = tl.sum(tl.where(used, non_finite(y), 0), axis=0)
    else:
        tl.store(out + column, y, mask=used)
    return many


def softmax(x: Tensor, *, read: Affine | None, write: Affine | None) -> RowsOutput | None:
    """Softmax along the last axis of `x` [..., n]; None where rows are too long.

    Rows of words lie so that each begins at a multiple of 16, for the product that reads them.
    """
    n = x.shape[-1]
    if not _served(x, n, read):
        return None
    x, x_pitch = _pitched(x, n)
    # in parts, words become floats in another layout, which Triton 3.6 carries wrongly within a warp
    rows, parts = x.numel() // n, (triton.next_power_of_2(max(n, ALIGNED)), 0, 0) if write is None else _parts(n)
    each = max(1, _TILE // triton.next_power_of_2(sum(parts)))
    pitch = n if write is None or n < ALIGNED else triton.cdiv(n, ALIGNED) * ALIGNED
    counted = write is not None and read is None  # of words that are read nothing is infinite
    of, to = read or FLOATS, write or FLOATS
    out = torch.empty(*x.shape[:-1], pitch, dtype=dtype_written(write), device=x.device)
    counts = torch.empty(rows if counted else 0, dtype=torch.int32, device=x.device)
    ends = x.storage_offset() + (rows - 1) * x_pitch + x_pitch
    width = x_pitch if x_pitch <= sum(parts) and ends * x.itemsize <= x.untyped_storage().nbytes() else n
    if rows:
        with on(x):
            _softmax[(triton.cdiv(rows, each),)](
                *(x, out, counts, rows, n, x_pitch, width, pitch),
                *(of.grid.zero, of.scale, to.factor, *to.grid.limits),
                WORDS=read is not None,
                WRITTEN=write is not None,
                COUNTED=counted,
                ROWS=each,
                FIRST=parts[0],
                SECOND=parts[1],
                THIRD=parts[2],
                num_warps=1 if n <= _TILE else 8,
                enable_fp_fusion=False,
            )
    return out if pitch == n else out[..., :n], counts.view(_without(x.shape, n)) if counted else None


def normalise(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    *,
    n: int,
    eps: float,
    centred: bool,
    read: Affine | None,
    write: Affine | None,
) -> RowsOutput | None:
    """Layer normalisation of rows of `n` numbers, the last axes of `x`, or about 0 that of their mean square.

    None where rows are too long, or parameters are no float32.
    """
    if any(p is not None and (p.dtype != torch.float32 or p.numel() != n) for p in (weight, bias)):
        return None
    if not _served(x, n, read):
        return None
    x = x.contiguous()
    rows, (first, second) = x.numel() // n, _halves(n)
    of, to = read or FLOATS, write or FLOATS
    out = torch.empty(x.shape, dtype=dtype_written(write), device=x.device)
    counts = torch.empty(rows if write else 0, dtype=torch.int32, device=x.device)
    parameters = [x if p is None else p.contiguous() for p in (weight, bias)]
    if rows:
        with on(x):
            _normalise[(rows,)](
                *(x, *parameters, out, counts, n, n, eps, of.grid.zero, of.scale, to.factor, *to.grid.limits),
                CENTRED=centred,
                WEIGHTED=weight is not None,
                BIASED=bias is not None,
                WORDS=read is not None,
                WRITTEN=write is not None,
                FIRST=first,
                SECOND=second,
                num_warps=1 if n <= 1024 else 4,
                enable_fp_fusion=False,
            )
    return out, counts.view(_without(x.shape, n)) if write else None


def dtype_written(write: Affine | None) -> torch.dtype:
    """Of what a kernel writes."""
    return torch.float32 if write is None else write.grid.dtype


def _parts(n: int) -> tuple[int, int, int]:
    """Powers of two that together hold a row of `n`, the last ones perhaps 0."""
    left, parts = triton.cdiv(n, ALIGNED) * ALIGNED, []
    for _ in range(3):
        parts.append(0 if left <= 0 else 1 << (left.bit_length() - 1))
        left -= parts[-1]
    return (parts[0], parts[1], parts[2]) if left <= 0 else (triton.next_power_of_2(n), 0, 0)


def _halves(n: int) -> tuple[int, int]:
    """One power of two that holds a row of `n`, or two where these are less together."""
    whole = max(16, triton.next_power_of_2(n))
    rest = triton.next_power_of_2(max(1, n - whole // 2))
    return (whole // 2, rest) if 128 <= rest < whole // 2 else (whole, 0)


def _served(x: Tensor, n: int, read: Affine | None) -> bool:
    return 0 < n <= LONGEST and (read is not None or x.dtype == torch.float32)


def _pitched(x: Tensor, n: int) -> tuple[Tensor, int]:
    """`x` [..., n] in rows, each as far from the one before, and how far; copied where it does not lie so."""
    own = [(size, stride) for size, stride in zip(x.shape, x.stride(), strict=True) if size != 1]
    if n > 1 and (not own or own[-1][1] != 1):
        return x.contiguous(), n
    rows = own[:-1] if n > 1 else own
    steps = [stride == after[0] * after[1] for (_, stride), after in pairwise(rows)]
    if not rows:
        return x, n
    return (x, rows[-1][1]) if all(steps) and rows[-1][1] >= n else (x.contiguous(), n)


def _without(shape: torch.Size, n: int) -> list[int]:
    """`shape` with size 1 along its last axes, those of rows of `n` numbers."""
    kept, size = len(shape), 1
    while size < n:
        kept -= 1
        size *= shape[kept]
    return [*shape[:kept], *(1 for _ in shape[kept:])]
