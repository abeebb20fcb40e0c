"""Recomputes hit rows of float operators over rows with their flips: one launch an application."""

import math
from typing import Literal, get_args

import torch
import triton
import triton.language as tl
from torch import Tensor

from radhard.kernels.cuda import special
from radhard.kernels.cuda.epilogue import rounded
from radhard.kernels.cuda.launch import on
from radhard.kernels.cuda.struck import NONE, UNIT, Read, Write, geometry, not_finite, number, struck
from radhard.kernels.octets import OCTETS

RowForm = Literal["softmax", "layer_norm", "rms_norm", "mean"]
LONGEST = 16384  # elements of a row
_FORMS: tuple[RowForm, ...] = get_args(RowForm)
_PROGRAMS = 2048  # at least, if there are as many keys; each with room for a row
_ROOM = 1 << 22  # numbers in all these rows
_KEYS = tl.constexpr(8)  # that a program looks at together
_SHIFT = tl.constexpr(7)  # what lies between them: the hits of images are all in front, and no program is to have many
_TOGETHER = tl.constexpr(64)  # elements of a running sum that are on their way at a time
_LAST = tl.constexpr(16)  # and of its end


def hit_rows(
    form: RowForm,
    read: Read,
    *,
    dims: tuple[int, ...],
    write: Write,
    parameters: tuple[Tensor | None, ...] = (),
    eps: float = 0.0,
    keys: Tensor,
    images: tuple[int, int],
    non_finite: Tensor,
) -> None:
    """Writes into `write.out` the rows that `keys` [F] int64 hit, rows over axes `dims` (ascending) of the input.

    `parameters` are a weight and a bias of contiguous float32. Steps are numbered in the definition's order: the scale
    of an input in words, the operator's, the output's scale.
    """
    x, out = read.x, write.out
    kept = tuple(d for d in range(x.ndim) if d not in dims)
    apart = [
        geometry(tuple(x.shape[d] for d in axes), tuple(tuple(t.stride(d) for d in axes) for t in (x, out)), out.device)
        for axes in (kept, dims)
    ]
    weight, bias, *_ = (*parameters, None, None)
    n = math.prod(x.shape[d] for d in dims)
    block, flips = triton.next_power_of_2(n), keys.numel()
    programs = min(flips, max(_PROGRAMS, triton.cdiv(flips, _KEYS.value)), 1 + _ROOM // n)
    scratch = torch.empty(programs, n, dtype=torch.float32, device=out.device)
    with on(out):
        _rows[(programs,)](
            keys,
            flips,
            *apart,
            len(kept),
            len(dims),
            x,
            read.affine.grid.zero,
            read.affine.scale,
            x if weight is None else weight,
            x if bias is None else bias,
            out,
            write.affine.factor,
            *write.affine.grid.limits,
            scratch,
            n,
            1.0 / n,
            eps,
            non_finite,
            *images,
            FORM=_FORMS.index(form),
            X_WORDS=x.dtype in OCTETS,
            WEIGHT=weight is not None,
            BIAS=bias is not None,
            WORDS=out.dtype in OCTETS,
            BLOCK=block,
            num_warps=max(1, min(block // 512, 16)),  # few, as each does the whole of a running sum
            maxnreg=128,  # so that many programs are at work at a time
            enable_fp_fusion=False,
        )


@triton.jit
def _added(total, scratch, start, stop):  # type: ignore[no-untyped-def]
    """`total` and elements start ... stop - 1 of a row, added one after the other."""
    full = start + (stop - start) // _TOGETHER * _TOGETHER
    for t in range(start, full, _TOGETHER):
        for k in tl.static_range(_TOGETHER):
            total += tl.load(scratch + t + k)
    for t in range(full, stop, _LAST):
        for k in tl.static_range(_LAST):
            total += tl.load(scratch + t + k, mask=t + k < stop, other=-0.0)  # adding -0 changes nothing
    return total


@triton.jit
def _sum(x, scratch, lane, n, keys, at, count, step):  # type: ignore[no-untyped-def]
    """The running sum of a row x, in order, with the flips of a step: addition t makes the sum of t + 2 elements."""
    tl.debug_barrier()  # the row before has been read
    tl.store(scratch + lane, x, mask=lane < n)
    tl.debug_barrier()
    total = tl.load(scratch)
    done = 1
    for j in range(count + 1):  # up to each flip, and to the end
        key = tl.load(keys + at + j, mask=j < count, other=NONE)
        hit = (j < count) & (((key >> 22) & 31) == step)
        if hit | (j == count):
            end = tl.where(hit, ((key >> 6) & 0xFFFF).to(tl.int32) + 2, n)
            total = _added(total, scratch, done, end)
            bits = total.to(tl.int32, bitcast=True)
            bits = tl.where((end > done) & (total != total), 0x7FC00000, bits)  # at the first flip of a word
            bits = bits ^ (1 << (key & 31).to(tl.int32))
            total = tl.where(hit, bits.to(tl.float32, bitcast=True), total)
            done = end
    return total


@triton.jit  # type: ignore[untyped-decorator]
def _softmax(x, scratch, lane, n, keys, at, count, FIRST: tl.constexpr):  # type: ignore[no-untyped-def]
    inside = lane < n
    largest = tl.max(tl.where(inside & (x == x), x, float("-inf")), 0)
    nan = tl.max((inside & (x != x)).to(tl.int32), 0)
    largest = tl.where(nan > 0, float("nan"), largest)
    y = struck(x - largest, keys, at, count, count, FIRST, lane)
    y = struck(special.exp(y), keys, at, count, count, FIRST + 1, lane)
    total = _sum(y, scratch, lane, n, keys, at, count, FIRST + 2)
    inverse = struck(tl.div_rn(1.0, total), keys, at, count, count, FIRST + 3, 0)
    return struck(y * inverse, keys, at, count, count, FIRST + 4, lane)


@triton.jit  # type: ignore[untyped-decorator]
def _mean(x, scratch, lane, n, share, keys, at, count, FIRST: tl.constexpr):  # type: ignore[no-untyped-def]
    """One number."""
    total = _sum(x, scratch, lane, n, keys, at, count, FIRST)
    return struck(total * share, keys, at, count, count, FIRST + 1, 0)


@triton.jit  # type: ignore[untyped-decorator]
def _normalised(  # type: ignore[no-untyped-def]
    x,
    weight,
    bias,
    scratch,
    lane,
    n,
    share,
    eps,
    keys,
    at,
    count,
    FIRST: tl.constexpr,
    WEIGHT: tl.constexpr,
    BIAS: tl.constexpr,
):
    """Numbers x about 0 times the inverse of the root of their mean square, times weight, plus bias."""
    square = struck(x * x, keys, at, count, count, FIRST, lane)
    variance = _mean(square, scratch, lane, n, share, keys, at, count, FIRST + 1)
    variance = struck(variance + eps, keys, at, count, count, FIRST + 3, 0)
    inverse = struck(tl.div_rn(1.0, tl.sqrt_rn(variance)), keys, at, count, count, FIRST + 4, 0)
    y = struck(x * inverse, keys, at, count, count, FIRST + 5, lane)
    if WEIGHT:
        y = struck(y * tl.load(weight + lane, mask=lane < n, other=0.0), keys, at, count, count, FIRST + 6, lane)
    if BIAS:
        y += tl.load(bias + lane, mask=lane < n, other=0.0)
        y = struck(y, keys, at, count, count, FIRST + 6 + WEIGHT, lane)
    return y


@triton.jit  # type: ignore[untyped-decorator]
def _scaled(  # type: ignore[no-untyped-def]
    x,
    weight,
    bias,
    factor,
    scratch,
    lane,
    n,
    share,
    eps,
    keys,
    at,
    count,
    FORM: tl.constexpr,
    X_WORDS: tl.constexpr,
    WEIGHT: tl.constexpr,
    BIAS: tl.constexpr,
    WORDS: tl.constexpr,
):
    """The definition with the scales about it, whose steps are the first and the last."""
    if X_WORDS:
        x = struck(x, keys, at, count, count, 0, lane)
    FIRST: tl.constexpr = X_WORDS + 0
    if FORM == 0:
        y = _softmax(x, scratch, lane, n, keys, at, count, FIRST)
    elif FORM == 1:
        mean = _mean(x, scratch, lane, n, share, keys, at, count, FIRST)
        x = struck(x - mean, keys, at, count, count, FIRST + 2, lane)
        y = _normalised(x, weight, bias, scratch, lane, n, share, eps, keys, at, count, FIRST + 3, WEIGHT, BIAS)
    elif FORM == 2:
        y = _normalised(x, weight, bias, scratch, lane, n, share, eps, keys, at, count, FIRST, WEIGHT, BIAS)
    else:
        y = tl.where(lane < n, _mean(x, scratch, lane, n, share, keys, at, count, FIRST), x)
    if WORDS:
        LAST: tl.constexpr = FIRST + (5, 9 + WEIGHT + BIAS, 6 + WEIGHT + BIAS, 2)[FORM]
        y = struck(y * factor, keys, at, count, count, LAST, lane)
    return y


_GENERAL = ["flips", "kept", "dims", "x_zero", "weight", "bias", "zero", "low", "high", "n", "whole", "mine"]


@triton.jit(do_not_specialize=_GENERAL)  # type: ignore[untyped-decorator]
def _rows(  # type: ignore[no-untyped-def]
    keys,
    flips,
    of_units,
    of_row,
    kept,
    dims,
    x,
    x_zero,
    x_scale,
    weight,
    bias,
    out,
    factor,
    zero,
    low,
    high,
    scratch,
    n,
    share,
    eps,
    non_finite_of,
    whole,
    mine,
    FORM: tl.constexpr,
    X_WORDS: tl.constexpr,
    WEIGHT: tl.constexpr,
    BIAS: tl.constexpr,
    WORDS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """A unit at a time: the first key of a unit reads the unit."""
    program, programs = tl.program_id(0), tl.num_programs(0)
    scratch += program * n
    lane = tl.arange(0, BLOCK)
    for begin in range(0, tl.cdiv(flips, programs), _KEYS):
        turn = begin + tl.arange(0, _KEYS)
        place = turn * programs + (program + turn * _SHIFT) % programs
        key = tl.load(keys + place, mask=place < flips, other=NONE)
        before = tl.load(keys + place - 1, mask=(place > 0) & (place < flips), other=NONE)
        first = (key != NONE) & ((before >> UNIT) != (key >> UNIT))
        at = tl.min(tl.where(first, place, flips), 0)
        while at < flips:
            unit = tl.load(keys + at) >> UNIT
            count = 1
            while tl.load(keys + at + count, mask=at + count < flips, other=NONE) >> UNIT == unit:
                count += 1
            rest = unit
            x_at = unit * 0
            out_at = unit * 0
            for i in range(kept):
                d = kept - 1 - i
                size = tl.load(of_units + d)
                index = rest % size
                rest = rest // size
                x_at += index * tl.load(of_units + kept + d)
                out_at += index * tl.load(of_units + 2 * kept + d)
            left = lane
            x_along = lane.to(tl.int64) * 0
            out_along = x_along
            for i in range(dims):
                d = dims - 1 - i
                size = tl.load(of_row + d).to(tl.int32)
                index = left % size
                left = left // size
                x_along += index * tl.load(of_row + dims + d)
                out_along += index * tl.load(of_row + 2 * dims + d)
            given = number(x + x_at + x_along, lane < n, x_zero, x_scale, X_WORDS)
            value = _scaled(
                given,
                weight,
                bias,
                factor,
                scratch,
                lane,
                n,
                share,
                eps,
                keys,
                at,
                count,
                FORM,
                X_WORDS,
                WEIGHT,
                BIAS,
                WORDS,
            )
            written = lane < (1 if FORM == 3 else n)
            if WORDS:
                words = rounded(value, zero, low, high).to(out.dtype.element_ty)
                tl.store(out + out_at + out_along, words, mask=written)
                wild = (written & not_finite(value)).to(tl.int32)
                if tl.max(wild, 0) > 0:  # what is non_finite without flips has been noted
                    clean = _scaled(
                        given,
                        weight,
                        bias,
                        factor,
                        scratch,
                        lane,
                        n,
                        share,
                        eps,
                        keys,
                        at,
                        0,
                        FORM,
                        X_WORDS,
                        WEIGHT,
                        BIAS,
                        WORDS,
                    )
                    found = tl.sum(tl.where(not_finite(clean), 0, wild), 0)
                    tl.atomic_add(non_finite_of + unit % whole // mine, found.to(non_finite_of.dtype.element_ty))
            else:
                tl.store(out + out_at + out_along, value, mask=written)
            at = tl.min(tl.where(first & (place > at), place, flips), 0)
