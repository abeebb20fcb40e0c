"""Detection of block-wise ABFT on a GPU, with the same words and verdicts as `radhard.protection`.

The sums of blocks of C against the products of the sums of A and of B, modulo 2^32: of each product as a whole, then of
the blocks of those with an alarm. Standard ABFT is the case of one block. Nothing waits for the device: what is found
stays there, in lists with a counter, and programs of the next step take from a list in turns.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from radhard.kernels.cuda.launch import on
from radhard.kernels.on_device import interpreted


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Sums over blocks of rows, `blocks` [x, j, k] int32, and over `all` of them [x, k] int32.

    `bias` [x, j] int64 are those of the bias over the same blocks; None where there is none.
    """

    blocks: Tensor
    all: Tensor
    bias: Tensor | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Factors:
    """`a` [g, m, k] int8 or uint8, `b` [h, n, k] int8, bias [h, n] int32 or None: product x takes b[x % h].

    `block` are the sizes of a block along m, k and n; `right` the sums of a weight, made once by `sums_of`.
    """

    a: Tensor
    b: Tensor
    bias: Tensor | None
    block: tuple[int, int, int]
    right: Sums | None = None

    @property
    def counts(self) -> tuple[int, int, int]:
        """Blocks along k, m and n."""
        (_, m, k), n = self.a.shape, self.b.shape[1]
        return triton.cdiv(k, self.block[1]), triton.cdiv(m, self.block[0]), triton.cdiv(n, self.block[2])


@dataclass(frozen=True, kw_only=True, eq=False)
class Flagged:
    """The first `count` [1] int32 of `places` [room] int64: block (g, q, i, j) as ((g Q + q) I + i) J + j."""

    places: Tensor
    count: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """`tiles` [q, g, i, j] int32: sums of running sums over blocks; the sums of both factors; and `alarms`.

    These are the products that do not add up: of each the number, which is the place of its only block if there is one;
    `alarmed` [g] int32 says so of each.
    """

    sums: Tensor
    tiles: Tensor
    left: Sums
    right: Sums
    alarms: Flagged
    alarmed: Tensor


def sums_of(x: Tensor, bias: Tensor | None = None, *, step: int) -> Sums:
    """`x` [x, r, k] of 8 bits, bias [x, r] -> its sums over blocks of `step` rows."""
    blocks = _over_rows(x, step)
    whole = blocks[:, 0] if blocks.shape[1] == 1 else _over_rows(blocks, blocks.shape[1])[:, 0]
    if bias is None:
        return Sums(blocks=blocks, all=whole)
    wide = torch.nn.functional.pad(bias.to(torch.int64), (0, -bias.shape[1] % step))
    return Sums(blocks=blocks, all=whole, bias=wide.unflatten(1, (-1, step)).sum(2))


def detect(factors: Factors, sums: Tensor) -> Found:
    """Running `sums` [q, g, m, n] int32 -> the sums of blocks, and the products that do not add up."""
    block, (slabs, i, j) = factors.block, factors.counts
    (g, m, k), (h, n, _) = factors.a.shape, factors.b.shape
    tiles = _over_columns(_over_rows(sums.view(slabs * g, m, n), block[0]), block[2]).view(slabs, g, i, j)
    left, right = sums_of(factors.a, step=block[0]), factors.right or sums_of(factors.b, step=block[2])
    alarmed = torch.empty(g, dtype=torch.int32, device=sums.device)
    alarms = _no_places(g, sums.device)
    with on(sums):
        _whole[(g,)](
            tiles[-1],
            left.all,
            right.all,
            alarmed if right.bias is None else right.bias,
            alarmed,
            alarms.places,
            alarms.count,
            m,
            k,
            h,
            i * j,
            j,
            BIASED=right.bias is not None,
            WIDE=256,
        )
    return Found(sums=sums, tiles=tiles, left=left, right=right, alarms=alarms, alarmed=alarmed)


def locate(factors: Factors, found: Found) -> Flagged:
    """The blocks that do not add up, of products with an alarm."""
    slabs, i, j = factors.counts
    (g, m, k), h = factors.a.shape, len(factors.b)
    flagged = _no_places(g * slabs * i * j, found.sums.device)
    depth = span(factors.block[1])
    with on(found.sums):
        _locate[(g * slabs * i, triton.cdiv(j, 32))](
            found.tiles,
            found.left.blocks,
            found.right.blocks,
            found.alarmed if found.right.bias is None else found.right.bias,
            found.alarmed,
            flagged.places,
            flagged.count,
            g,
            m,
            k,
            h,
            slabs,
            i,
            j,
            factors.block[0],
            factors.block[1],
            BIASED=found.right.bias is not None,
            J=32,
            T=depth,
        )
    return flagged


def _no_places(room: int, device: torch.device) -> Flagged:
    places = torch.empty(room, dtype=torch.int64, device=device)
    return Flagged(places=places, count=torch.zeros(1, dtype=torch.int32, device=device))


def span(size: int) -> int:
    """How much of `size` a kernel reads at a time: one of three, since each is a compilation."""
    return 32 if size <= 32 else 64 if size <= 64 or interpreted() else 256


def _over_rows(x: Tensor, step: int) -> Tensor:
    """`x` [x, r, w] of any integers -> sums of every `step` rows [x, i, w] int32, which wrap."""
    (count, r, w), wide = x.shape, 32 if interpreted() else 128
    out = torch.empty(count, triton.cdiv(r, step), w, dtype=torch.int32, device=x.device)
    with on(x):
        _add_rows[(count * out.shape[1], triton.cdiv(w, wide))](x, out, r, w, step, out.shape[1], R=32, W=wide)
    return out


def _over_columns(x: Tensor, step: int) -> Tensor:
    """`x` [x, r, w] int32 -> sums of every `step` columns [x, r, j] int32, which wrap."""
    count, r, w = x.shape
    out = torch.empty(count, r, triton.cdiv(w, step), dtype=torch.int32, device=x.device)
    high, wide = (32, 64) if step <= 64 else (4, 1024)
    with on(x):
        _add_columns[(triton.cdiv(count * r, high) * out.shape[2],)](
            x, out, count * r, w, step, out.shape[2], R=high, W=wide
        )
    return out


@triton.jit(do_not_specialize=["r", "w", "step", "blocks"])  # type: ignore[untyped-decorator]
def _add_rows(x, out, r, w, step, blocks, R: tl.constexpr, W: tl.constexpr):  # type: ignore[no-untyped-def]
    place = tl.program_id(0).to(tl.int64)
    first = place % blocks * step
    size = tl.minimum(r - first, step)
    col, row = tl.program_id(1) * W + tl.arange(0, W), tl.arange(0, R)
    x += (place // blocks * r + first) * w
    total = tl.zeros([W], tl.int32)
    for start in range(0, size, R):
        here = start + row
        words = tl.load(x + here[:, None] * w + col[None, :], mask=(here < size)[:, None] & (col < w)[None, :], other=0)
        total += tl.sum(words.to(tl.int32), 0)
    tl.store(out + place * w + col, total, mask=col < w)


@triton.jit(do_not_specialize=["rows", "w", "step", "blocks"])  # type: ignore[untyped-decorator]
def _add_columns(x, out, rows, w, step, blocks, R: tl.constexpr, W: tl.constexpr):  # type: ignore[no-untyped-def]
    j = tl.program_id(0) % blocks
    row, col = tl.program_id(0).to(tl.int64) // blocks * R + tl.arange(0, R), tl.arange(0, W)
    size = tl.minimum(w - j * step, step)
    x += row[:, None] * w + j * step
    total = tl.zeros([R], tl.int32)
    for start in range(0, size, W):
        here = start + col
        total += tl.sum(tl.load(x + here[None, :], mask=(row < rows)[:, None] & (here < size)[None, :], other=0), 1)
    tl.store(out + row * blocks + j, total, mask=row < rows)


@triton.jit(do_not_specialize=["m", "k", "h", "blocks", "j"])  # type: ignore[untyped-decorator]
def _whole(  # type: ignore[no-untyped-def]
    tiles, left, right, bias, alarmed, places, count, m, k, h, blocks, j, BIASED: tl.constexpr, WIDE: tl.constexpr
):  # fmt: skip
    """The sum of each product's output against the product of the sums of its factors."""
    g, at = tl.program_id(0).to(tl.int64), tl.arange(0, WIDE)
    off = tl.zeros([WIDE], tl.int32)
    for start in range(0, blocks, WIDE):
        here = start + at
        off += tl.load(tiles + g * blocks + here, mask=here < blocks, other=0)
    for start in range(0, k, WIDE):
        here = start + at
        x = tl.load(left + g * k + here, mask=here < k, other=0)
        off -= x * tl.load(right + g % h * k + here, mask=here < k, other=0)
    if BIASED:
        for start in range(0, j, WIDE):
            here = start + at
            off -= m * tl.load(bias + g % h * j + here, mask=here < j, other=0).to(tl.int32)
    # a block of one, since the interpreter's numbers do not wrap
    wrong = tl.max((tl.sum(off[None, :], 1) != 0).to(tl.int32), 0)
    tl.store(alarmed + g, wrong)
    if wrong != 0:
        tl.store(places + tl.atomic_add(count, 1), g)


@triton.jit(do_not_specialize=["g", "m", "k", "h", "slabs", "i", "j", "high", "deep"])  # type: ignore[untyped-decorator]
def _locate(  # type: ignore[no-untyped-def]
    tiles, left, right, bias, alarmed, places, count, g, m, k, h, slabs, i, j, high, deep,
    BIASED: tl.constexpr, J: tl.constexpr, T: tl.constexpr,
):  # fmt: skip
    """Each block's sum, of a later slab a difference of two, against what the sums of its factors say."""
    line = tl.program_id(0).to(tl.int64)  # of blocks
    x, q, r = line // (slabs * i), line // i % slabs, line % i
    if tl.load(alarmed + x) != 0:
        at, steps = tl.program_id(1) * J + tl.arange(0, J), tl.arange(0, T)
        own = at < j
        start = q * deep
        end = tl.minimum(start + deep, k)
        ones = left + (x * i + r) * k
        others = right + (x % h * j + tl.where(own, at, 0))[:, None] * k
        expected = tl.zeros([J], tl.int32)
        for t in range(start, end, T):
            here = t + steps
            one = tl.load(ones + here, mask=here < end, other=0)
            expected += tl.sum(one[None, :] * tl.load(others + here[None, :], mask=(here < end)[None, :], other=0), 1)
        if BIASED:
            extra = tl.load(bias + x % h * j + at, mask=own & (end == k), other=0).to(tl.int32)
            expected += extra * tl.minimum(m - r * high, high).to(tl.int32)
        place = ((q * g + x) * i + r) * j + at
        actual = tl.load(tiles + place, mask=own, other=0)
        actual -= tl.load(tiles + place - g * i * j, mask=own & (q > 0), other=0)
        wrong = ((actual != expected) & own).to(tl.int32)
        several = tl.sum(wrong, 0)
        if several > 0:
            first = tl.atomic_add(count, several)
            tl.store(places + first + tl.cumsum(wrong, 0) - 1, line * j + at, mask=wrong != 0)
