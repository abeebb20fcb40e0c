"""Recomputes hit elements of elementwise float operators with their flips: one launch an application."""

from typing import Literal, get_args

import triton
import triton.language as tl
from torch import Tensor

from radhard.kernels.cuda import special
from radhard.kernels.cuda.epilogue import rounded
from radhard.kernels.cuda.launch import on
from radhard.kernels.cuda.struck import NONE, UNIT, Read, Write, geometry, not_finite, number, struck
from radhard.kernels.octets import OCTETS

ElementForm = Literal["add", "subtract", "mul", "gelu", "gelu_tanh", "sigmoid", "silu", "hard_sigmoid", "hard_swish"]
_FORMS: tuple[ElementForm, ...] = get_args(ElementForm)
_BLOCK = 64  # keys a program


def hit_elements(
    form: ElementForm,
    reads: tuple[Read, ...],
    *,
    write: Write,
    keys: Tensor,
    images: tuple[int, int],
    non_finite: Tensor,
) -> None:
    """Writes into `write.out` [...] the elements that `keys` [F] int64 hit, read from one or two tensors of its shape.

    Steps are numbered in the definition's order: the scale of each input in words, the operator's, the output's scale.
    """
    x, y, out = reads[0], reads[-1], write.out
    shape = tuple(out.shape)
    strides = (*(tuple(read.x.expand(shape).stride()) for read in (x, y)), tuple(out.stride()))
    places = geometry(shape, strides, out.device)
    with on(out):
        _elements[(triton.cdiv(keys.numel(), _BLOCK),)](
            keys,
            keys.numel(),
            places,
            len(shape),
            *(x.x, x.affine.grid.zero, x.affine.scale),
            *(y.x, y.affine.grid.zero, y.affine.scale),
            out,
            write.affine.factor,
            *write.affine.grid.limits,
            non_finite,
            *images,
            FORM=_FORMS.index(form),
            TWO=len(reads) == 2,
            X_WORDS=x.x.dtype in OCTETS,
            Y_WORDS=y.x.dtype in OCTETS and len(reads) == 2,
            WORDS=out.dtype in OCTETS,
            BLOCK=_BLOCK,
            num_warps=2,
            enable_fp_fusion=False,
        )


@triton.jit  # type: ignore[untyped-decorator]
def _text(x, y, keys, at, count, most, FIRST: tl.constexpr, FORM: tl.constexpr):  # type: ignore[no-untyped-def]
    """The operator's definition on numbers x and y, its steps from FIRST."""
    if FORM == 0:
        value = struck(x + y, keys, at, count, most, FIRST, 0)
    elif FORM == 1:
        value = struck(x - y, keys, at, count, most, FIRST, 0)
    elif FORM == 2:
        value = struck(x * y, keys, at, count, most, FIRST, 0)
    elif FORM == 3:
        inner = struck(x * 0.7071067811865476, keys, at, count, most, FIRST, 0)
        inner = struck(special.erf(inner), keys, at, count, most, FIRST + 1, 0)
        value = _halved(x, inner, keys, at, count, most, FIRST + 2)
    elif FORM == 4:
        inner = struck(x * x, keys, at, count, most, FIRST, 0)
        inner = struck(inner * x, keys, at, count, most, FIRST + 1, 0)
        inner = struck(inner * 0.044715, keys, at, count, most, FIRST + 2, 0)
        inner = struck(x + inner, keys, at, count, most, FIRST + 3, 0)
        inner = struck(inner * 0.7978845608028654, keys, at, count, most, FIRST + 4, 0)
        inner = struck(special.tanh(inner), keys, at, count, most, FIRST + 5, 0)
        value = _halved(x, inner, keys, at, count, most, FIRST + 6)
    elif FORM == 5:
        value = _sigmoid(x, keys, at, count, most, FIRST)
    elif FORM == 6:
        value = struck(x * _sigmoid(x, keys, at, count, most, FIRST), keys, at, count, most, FIRST + 3, 0)
    else:
        inner = struck(x + 3.0, keys, at, count, most, FIRST, 0)
        inner = tl.where(inner == inner, tl.minimum(tl.maximum(inner, 0.0), 6.0), inner)
        STEP: tl.constexpr = FIRST + FORM - 6
        if FORM == 8:
            inner = struck(x * inner, keys, at, count, most, FIRST + 1, 0)
        value = struck(inner * 0.16666666666666666, keys, at, count, most, STEP, 0)
    return value


@triton.jit  # type: ignore[untyped-decorator]
def _halved(x, inner, keys, at, count, most, FIRST: tl.constexpr):  # type: ignore[no-untyped-def]
    """x (inner + 1) / 2."""
    inner = struck(inner + 1.0, keys, at, count, most, FIRST, 0)
    inner = struck(x * inner, keys, at, count, most, FIRST + 1, 0)
    return struck(inner * 0.5, keys, at, count, most, FIRST + 2, 0)


@triton.jit  # type: ignore[untyped-decorator]
def _sigmoid(x, keys, at, count, most, FIRST: tl.constexpr):  # type: ignore[no-untyped-def]
    """1 / (1 + exp(-x))."""
    inner = struck(special.exp(-x), keys, at, count, most, FIRST, 0)
    inner = struck(inner + 1.0, keys, at, count, most, FIRST + 1, 0)
    return struck(tl.div_rn(1.0, inner), keys, at, count, most, FIRST + 2, 0)


@triton.jit  # type: ignore[untyped-decorator]
def _scaled(  # type: ignore[no-untyped-def]
    x,
    y,
    factor,
    keys,
    at,
    count,
    most,
    FORM: tl.constexpr,
    X_WORDS: tl.constexpr,
    Y_WORDS: tl.constexpr,
    WORDS: tl.constexpr,
):
    """The definition with the scales about it, whose steps are the first and the last."""
    FIRST: tl.constexpr = X_WORDS + Y_WORDS
    if X_WORDS:
        x = struck(x, keys, at, count, most, 0, 0)
    if Y_WORDS:
        y = struck(y, keys, at, count, most, X_WORDS + 0, 0)
    value = _text(x, y, keys, at, count, most, FIRST, FORM)
    if WORDS:
        STEPS: tl.constexpr = (1, 1, 1, 5, 9, 3, 4, 2, 3)[FORM]
        value = struck(value * factor, keys, at, count, most, FIRST + STEPS, 0)
    return value


@triton.jit(do_not_specialize=["flips", "rank", "x_zero", "y_zero", "zero", "low", "high", "whole", "mine"])  # type: ignore[untyped-decorator]
def _elements(  # type: ignore[no-untyped-def]
    keys,
    flips,
    places,
    rank,
    x,
    x_zero,
    x_scale,
    y,
    y_zero,
    y_scale,
    out,
    factor,
    zero,
    low,
    high,
    non_finite_of,
    whole,
    mine,
    FORM: tl.constexpr,
    TWO: tl.constexpr,
    X_WORDS: tl.constexpr,
    Y_WORDS: tl.constexpr,
    WORDS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One key a lane: the first key of a unit reads the unit."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    key = tl.load(keys + at, mask=at < flips, other=NONE)
    unit = key >> UNIT
    before = tl.load(keys + at - 1, mask=(at > 0) & (at < flips), other=NONE) >> UNIT
    first = (key != NONE) & (unit != before)
    more = first.to(tl.int32)
    count = more
    most = tl.max(more, 0)
    going = most
    while going > 0:
        key = tl.load(keys + at + count, mask=(more > 0) & (at + count < flips), other=NONE)
        more = ((more > 0) & (key != NONE) & (key >> UNIT == unit)).to(tl.int32)
        going = tl.max(more, 0)
        count += more
        most += going
    if most > 0:
        rest = tl.where(first, unit, 0)
        x_at = rest * 0
        y_at = rest * 0
        out_at = rest * 0
        for i in range(rank):
            d = rank - 1 - i
            size = tl.load(places + d)
            index = rest % size
            rest = rest // size
            x_at += index * tl.load(places + rank + d)
            y_at += index * tl.load(places + 2 * rank + d)
            out_at += index * tl.load(places + 3 * rank + d)
        a = number(x + x_at, first, x_zero, x_scale, X_WORDS)
        b = a
        if TWO:
            b = number(y + y_at, first, y_zero, y_scale, Y_WORDS)
        value = _scaled(a, b, factor, keys, at, count, most, FORM, X_WORDS, Y_WORDS, WORDS)
        if WORDS:
            tl.store(out + out_at, rounded(value, zero, low, high).to(out.dtype.element_ty), mask=first)
            wild = first & not_finite(value)
            if tl.max(wild.to(tl.int32), 0) > 0:  # what is non_finite without flips has been noted
                clean = _scaled(a, b, factor, keys, at, count, 0, FORM, X_WORDS, Y_WORDS, WORDS)
                wild = wild & (not_finite(clean) == 0)
                image = tl.where(first, unit, 0) % whole // mine
                tl.atomic_add(non_finite_of + image, wild.to(non_finite_of.dtype.element_ty), mask=wild)
        else:
            tl.store(out + out_at, value, mask=first)
