"""Convolution of 8-bit words with write-back in one pass: no patches in memory, accumulators in registers.

A product of patches and filters whose patches are gathered tile by tile; where groups are narrow, each output adds up
its own chain. Sums of integers that wrap are the same in any order.
"""

import triton
import triton.language as tl

from radhard.kernels.cuda.epilogue import write_back

_SIZES = [
    *("outputs", "n", "channels", "places", "out_w", "h", "w", "size_h", "size_w", "stride_h", "stride_w"),
    *("dilation_h", "dilation_w", "top", "left", "pad", "of_image", "of_channel", "of_row", "of_column"),
    *("groups", "of_multiplier", "zero", "low", "high"),
]
"""Of any number: a kernel is not compiled anew for what 16 divides."""


@triton.jit(do_not_specialize=_SIZES)  # type: ignore[untyped-decorator]
def gathered(  # type: ignore[no-untyped-def]
    x,
    weight,
    bias,
    multiplier,
    out,
    k,
    outputs,
    n,
    channels,
    places,
    out_w,
    h,
    w,
    size_h,
    size_w,
    stride_h,
    stride_w,
    dilation_h,
    dilation_w,
    top,
    left,
    pad,
    of_image,
    of_channel,
    of_row,
    of_column,
    groups,
    of_multiplier,
    zero,
    low,
    high,
    PADDED: tl.constexpr,
    LOWERED: tl.constexpr,
    BIASED: tl.constexpr,
    WRITTEN: tl.constexpr,
    M: tl.constexpr,
    N: tl.constexpr,
    K: tl.constexpr,
):
    """x [b, groups channels, h, w], weight [groups n, k] -> out [b, groups n, places], one group an axis-1 program.

    Tiles of patches lie [K, M]: words of neighbouring outputs are neighbours in memory, those of a patch are not.
    """
    blocks = tl.cdiv(n, N)
    group = tl.program_id(1)
    i = tl.program_id(0) // blocks * M + tl.arange(0, M)
    j = tl.program_id(0) % blocks * N + tl.arange(0, N)
    image, place = i // places, i % places
    y, z = place // out_w * stride_h - top, place % out_w * stride_w - left
    first = image * of_image + y * of_row + z * of_column + group * channels * of_channel
    column = group * n + j
    sums = tl.zeros([N], tl.int32)
    total = tl.zeros([M, N], tl.int32)
    for start in range(0, k, K):
        t = start + tl.arange(0, K)
        within = t % (size_h * size_w)
        down, right = within // size_w * dilation_h, within % size_w * dilation_w
        offset = t // (size_h * size_w) * of_channel + down * of_row + right * of_column
        inside = (t < k)[:, None] & (i < outputs)[None, :]
        if PADDED:
            row, position = y[None, :] + down[:, None], z[None, :] + right[:, None]
            inside = inside & (row >= 0) & (row < h) & (position >= 0) & (position < w)
        a = tl.load(x + (first[None, :] + offset[:, None]), mask=inside, other=pad)
        b = tl.load(weight + (column[:, None] * k + t[None, :]), mask=(j < n)[:, None] & (t < k)[None, :], other=0)
        if LOWERED:  # a b = (a - 128) b + 128 sum(b), which wraps alike
            a = (a ^ 128).to(tl.int8, bitcast=True)
            sums += tl.sum(b.to(tl.int32), axis=1)
        total = tl.dot(tl.trans(a), tl.trans(b), total, out_dtype=tl.int32)
    if LOWERED:
        total += (sums * 128)[None, :]
    if BIASED:
        total += tl.load(bias + column, mask=j < n, other=0)[None, :]
    if WRITTEN == "accumulators":
        value = total
    else:
        scale = tl.load(multiplier + column * of_multiplier, mask=j < n, other=0.0)[None, :]
        value = write_back(total, scale, zero, low, high) if WRITTEN == "words" else total.to(tl.float32) * scale
    target = (image * groups * n)[None, :] + column[:, None]
    inside = (j < n)[:, None] & (i < outputs)[None, :]
    tl.store(out + (target * places + place[None, :]), tl.trans(value), mask=inside)


@triton.jit(do_not_specialize=[*_SIZES, "k"])  # type: ignore[untyped-decorator]
def chained(  # type: ignore[no-untyped-def]
    x,
    weight,
    bias,
    multiplier,
    out,
    k,
    outputs,
    n,
    channels,
    places,
    out_w,
    h,
    w,
    size_h,
    size_w,
    stride_h,
    stride_w,
    dilation_h,
    dilation_w,
    top,
    left,
    pad,
    of_image,
    of_channel,
    of_row,
    of_column,
    groups,
    of_multiplier,
    zero,
    low,
    high,
    PADDED: tl.constexpr,
    BIASED: tl.constexpr,
    WRITTEN: tl.constexpr,
    M: tl.constexpr,
    N: tl.constexpr,
):
    """As `gathered`, of `outputs` planes of `places`: N planes and M places a program, one product at a time."""
    plane = tl.program_id(0).to(tl.int64) * N + tl.arange(0, N)
    place = tl.program_id(1) * M + tl.arange(0, M)
    image, column = plane // (groups * n), plane % (groups * n)
    y, z = place // out_w * stride_h - top, place % out_w * stride_w - left
    first = image * of_image + column // n * channels * of_channel
    inside = (plane < outputs)[:, None] & (place < places)[None, :]
    total = tl.zeros([N, M], tl.int32)
    for t in range(k):
        within = t % (size_h * size_w)
        row, position = y + within // size_w * dilation_h, z + within % size_w * dilation_w
        used = inside
        if PADDED:
            used = used & ((row >= 0) & (row < h) & (position >= 0) & (position < w))[None, :]
        start = x + (first + t // (size_h * size_w) * of_channel)
        a = tl.load(start[:, None] + (row * of_row + position * of_column)[None, :], mask=used, other=pad)
        b = tl.load(weight + column * k + t, mask=plane < outputs, other=0)
        total += a.to(tl.int32) * b.to(tl.int32)[:, None]
    if BIASED:
        total += tl.load(bias + column, mask=plane < outputs, other=0)[:, None]
    if WRITTEN == "accumulators":
        value = total
    else:
        scale = tl.load(multiplier + column * of_multiplier, mask=plane < outputs, other=0.0)[:, None]
        value = write_back(total, scale, zero, low, high) if WRITTEN == "words" else total.to(tl.float32) * scale
    tl.store(out + plane[:, None] * places + place[None, :], value, mask=inside)
