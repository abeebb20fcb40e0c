"""Flips in running sums of integer products on a GPU: each hit output is recomputed from its two rows.

A flip is a key, int64: unit << 27 | time << 6 | bit. The unit is the output, flat in the grid of the application; time
is 2 t for the product p_t and 2 t + 1 for the running sum s_t. The flips of a unit stand side by side, in their order;
the largest int64 stands for none, anywhere between units. A program takes some keys, and of these the first of each
unit: with the sums over all products and over those up to the flip, one pass over the rows, it knows what one flip
changes. Units that have more are walked through flip by flip.

Rows of octets are read four at a time where all of them lie at multiples of 16 bytes: `reads_words`.
"""

from math import prod

import torch
import triton
import triton.language as tl
from torch import Tensor

from radhard.kernels.chains import Chains, Window
from radhard.kernels.cuda.epilogue import write_back
from radhard.kernels.cuda.launch import on
from radhard.kernels.cuda.word_sums import ALIGNED, word_sums
from radhard.kernels.grid import SYMMETRIC
from radhard.kernels.octets import as_signed
from radhard.kernels.on_device import interpreted

_TILE = 4096  # words of each factor that a program reads at a time
_UNITS_OF_WINDOWS = {64: 16, 256: 8}  # of a block: fewer registers than of rows, and Triton compiles no more than 16
_BLOCKS = (64, 256)  # of a row
_WORDS, _UNITS_OF_WORDS = (16, 32), 32  # of four octets, of a row
_NO_WINDOW = Window(size=(1, 1), image=(1, 1), step=(1, 1), dilation=(1, 1), before=(0, 0), pad=0)


def reads_words(chains: Chains) -> bool:
    """Whether the rows of these chains can be read four octets at a time."""
    x = chains
    steps = (*x.of_a, *x.of_b, x.k, x.a.data_ptr(), x.b.data_ptr())
    along = x.window is None and x.a_step == x.b_step == x.grid[3] == 1
    return along and prod(x.grid) < 1 << 31 and all(step % ALIGNED == 0 for step in steps)


def flip_chains(chains: Chains, keys: Tensor, *, product_bits: int, by_words: bool = False) -> None:
    """Write into `chains.out` what the outputs become that flips hit, `keys` [...] int64; words of 16 to 32 bits.

    Its rows are read `by_words` of four octets, if they may be.
    """
    flips = keys.numel()
    if not flips:
        return
    x = chains
    block = _BLOCKS[0] if x.k <= _BLOCKS[0] else _BLOCKS[1]
    units = _TILE // block if x.window is None else _UNITS_OF_WINDOWS[block]
    if by_words:
        block, units = _WORDS[0] if 4 * _WORDS[0] >= x.k else _WORDS[1], _UNITS_OF_WORDS
    window = x.window or _NO_WINDOW
    writes = 0 if x.back is None else 1 if x.out.dtype == torch.float32 else 2
    multiplier = None if x.back is None else x.back.multiplier
    with on(x.out):
        _flip_chains[(triton.cdiv(flips, units),)](
            keys.view(-1),
            flips,
            as_signed(x.a),
            x.b,
            x.bias,
            multiplier,
            as_signed(x.out) if writes == 2 else x.out,
            *x.grid[1:],
            *x.of_a,
            x.a_step,
            *x.of_b,
            x.b_step,
            *x.to,
            *x.column,
            int(multiplier is not None and multiplier.numel() > 1),
            x.k,
            product_bits,
            0xFF if x.a.dtype == torch.uint8 else -1,
            *window.size,
            *window.image,
            *window.step,
            *window.dilation,
            *window.before,
            window.pad,
            *(SYMMETRIC if x.back is None else x.back.grid).limits,
            WINDOW=x.window is not None,
            WORDS=by_words,
            UNSIGNED=by_words and x.a.dtype == torch.uint8,
            DP4A=not interpreted(),
            WRITES=writes,
            UNITS=units,
            BLOCK=block,
        )


_RUNTIME = [
    "keys",
    "flips",
    "n1",
    "n2",
    "n3",
    "n4",
    "c0",
    "c1",
    "c4",
    "scaled",
    "product_bits",
    "low_bits",
    "o0",
    "o1",
    "o2",
    "o3",
    "o4",
    "p",
    "q",
    "height",
    "width",
    "step_y",
    "step_x",
    "dilation_y",
    "dilation_x",
    "above",
    "before",
    "pad",
    "zero",
    "low",
    "high",
]


@triton.jit(do_not_specialize=_RUNTIME)  # type: ignore[untyped-decorator]
def _flip_chains(  # type: ignore[no-untyped-def]
    keys,
    flips,
    a,
    b,
    bias,
    multiplier,
    out,
    n1,
    n2,
    n3,
    n4,
    a0,
    a1,
    a2,
    a3,
    a_step,
    b0,
    b1,
    b4,
    b_step,
    o0,
    o1,
    o2,
    o3,
    o4,
    c0,
    c1,
    c4,
    scaled,
    k,
    product_bits,
    low_bits,
    p,
    q,
    height,
    width,
    step_y,
    step_x,
    dilation_y,
    dilation_x,
    above,
    before,
    pad,
    zero,
    low,
    high,
    WINDOW: tl.constexpr,
    WORDS: tl.constexpr,
    UNSIGNED: tl.constexpr,
    DP4A: tl.constexpr,
    WRITES: tl.constexpr,
    UNITS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64) * UNITS + tl.arange(0, UNITS)
    key = tl.load(keys + place, mask=place < flips, other=0x7FFFFFFFFFFFFFFF)
    last = tl.load(keys + place - 1, mask=(place > 0) & (place < flips), other=0x7FFFFFFFFFFFFFFF)
    latest = 2 * k
    if bias is not None:
        latest += 2  # its addition is s_k
    time = ((key >> 6) & 0x1FFFFF).to(tl.int32)
    hit = (key != 0x7FFFFFFFFFFFFFFF) & ((key >> 27) != (last >> 27)) & (time < latest)
    if tl.max(hit.to(tl.int32), 0) == 0:  # many keys side by side are of no flip
        return
    unit = tl.where(hit, key >> 27, 0)

    rest = unit.to(tl.int32) if WORDS else unit  # divided sooner
    i4 = (rest % n4).to(tl.int64)
    rest = rest // n4
    i3 = tl.zeros([UNITS], tl.int64)
    if not WORDS:
        i3 = rest % n3
        rest = rest // n3
    i2 = (rest % n2).to(tl.int64)
    rest = rest // n2
    i1 = (rest % n1).to(tl.int64)
    i0 = (rest // n1).to(tl.int64)
    if WINDOW:
        row = i0 * a0 + i1 * a1
        y = (i2 * step_y - above).to(tl.int32)
        x = (i3 * step_x - before).to(tl.int32)
    else:
        row = i0 * a0 + i1 * a1 + i2 * a2 + i3 * a3
        y = tl.zeros([UNITS], tl.int32)
        x = tl.zeros([UNITS], tl.int32)
    column = i0 * b0 + i1 * b1 + i4 * b4
    of_column = i0 * c0 + i1 * c1 + i4 * c4
    added = tl.zeros([UNITS], tl.int32)
    if bias is not None:
        added = tl.load(bias + of_column, mask=hit, other=0)

    bit = tl.where(hit, (key & 63).to(tl.int32), 0)
    t = tl.where(hit, time >> 1, 0)
    of_sum = (time & 1) == 1
    if WORDS:
        whole, partial = word_sums(a + row, b + column, t, hit, k, k, UNSIGNED, DP4A, UNITS, BLOCK)
    else:
        whole = tl.zeros([UNITS], tl.int32)
        partial = tl.zeros([UNITS], tl.int32)
        for start in range(0, k, BLOCK):
            at = start + tl.arange(0, BLOCK)
            mask = hit[:, None] & (at < k)[None, :]
            words = _left(a, row[:, None], y[:, None], x[:, None], at[None, :], mask, a2, a3, a_step, p, q, height,
                          width, dilation_y, dilation_x, pad, low_bits, WINDOW)  # fmt: skip
            products = words * tl.load(b + column[:, None] + at[None, :].to(tl.int64) * b_step, mask=mask, other=0).to(
                tl.int32
            )
            whole += tl.sum(products, 1)
            partial += tl.sum(tl.where(at[None, :] <= t[:, None], products, 0), 1)

    changed = tl.zeros([UNITS], tl.int32)  # what the flips so far add to every later sum
    live = hit
    one = tl.full([UNITS], 1, tl.int32)
    spare = 32 - product_bits
    while tl.max(live.to(tl.int32), 0) > 0:
        product = live & (of_sum == 0)
        left = _left(
            a, row, y, x, t, product, a2, a3, a_step, p, q, height, width, dilation_y, dilation_x, pad, low_bits, WINDOW
        )
        right = tl.load(b + column + t.to(tl.int64) * b_step, mask=product, other=0).to(tl.int32)
        sum_ = partial + changed + tl.where(t == k, added, 0)
        word = tl.where(of_sum, sum_, left * right)
        flipped = word ^ tl.where(of_sum, one << bit, ((one << bit) << spare) >> spare)
        changed += tl.where(live, flipped - word, 0)

        place += 1
        key = tl.load(keys + place, mask=live & (place < flips), other=0x7FFFFFFFFFFFFFFF)
        time = ((key >> 6) & 0x1FFFFF).to(tl.int32)
        live = live & (key != 0x7FFFFFFFFFFFFFFF) & ((key >> 27) == unit) & (time < latest)
        bit = tl.where(live, (key & 63).to(tl.int32), 0)
        t = tl.where(live, time >> 1, 0)
        of_sum = (time & 1) == 1
        end = tl.max(tl.where(live & of_sum, tl.minimum(t + 1, k), 0), 0)
        if WORDS:
            _, partial = word_sums(a + row, b + column, t, live & of_sum, k, end, UNSIGNED, DP4A, UNITS, BLOCK)
        else:
            partial = tl.zeros([UNITS], tl.int32)
            for start in range(0, end, BLOCK):
                at = start + tl.arange(0, BLOCK)
                mask = (live & of_sum)[:, None] & (at < k)[None, :]
                words = _left(a, row[:, None], y[:, None], x[:, None], at[None, :], mask, a2, a3, a_step, p, q, height,
                              width, dilation_y, dilation_x, pad, low_bits, WINDOW)  # fmt: skip
                right2 = tl.load(b + column[:, None] + at[None, :].to(tl.int64) * b_step, mask=mask, other=0).to(
                    tl.int32
                )
                partial += tl.sum(tl.where(at[None, :] <= t[:, None], words * right2, 0), 1)

    total = whole + changed + added
    to = out + i0 * o0 + i1 * o1 + i2 * o2 + i3 * o3 + i4 * o4
    if WRITES == 0:
        tl.store(to, total, mask=hit)
    else:
        factor = tl.load(multiplier + of_column * scaled, mask=hit, other=0.0)
        if WRITES == 1:
            tl.store(to, total.to(tl.float32) * factor, mask=hit)
        else:
            tl.store(to, write_back(total, factor, zero, low, high).to(out.dtype.element_ty), mask=hit)


@triton.jit  # type: ignore[untyped-decorator]
def _left(  # type: ignore[no-untyped-def]
    a,
    row,
    y,
    x,
    t,
    mask,
    a2,
    a3,
    a_step,
    p,
    q,
    height,
    width,
    dilation_y,
    dilation_x,
    pad,
    low_bits,
    WINDOW: tl.constexpr,
):
    """Words t of rows of a, or of windows with their first word at (y, x) -> int32; `pad` outside the image.

    They are read as int8; `low_bits` are 255 where they are unsigned, else -1.
    """
    if WINDOW:
        channel = t // (p * q)
        above = y + (t // q) % p * dilation_y
        before = x + t % q * dilation_x
        inside = mask & (above >= 0) & (above < height) & (before >= 0) & (before < width)
        offset = row + channel.to(tl.int64) * a_step + above.to(tl.int64) * a2 + before.to(tl.int64) * a3
        words = tl.load(a + offset, mask=inside, other=0).to(tl.int32) & low_bits
        words = tl.where(inside, words, pad)
    else:
        words = tl.load(a + row + t.to(tl.int64) * a_step, mask=mask, other=0).to(tl.int32) & low_bits
    return words
