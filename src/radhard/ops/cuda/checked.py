"""The int8 product that is written back and whose rows are checked, in one launch.

The sums of a row are made in the epilogue, of accumulators that are still in registers. What a row must add up to is
the product of A with three columns of digits (`radhard.ops.sums`), which only the programs of the first column tile
carry: their slab of A is in fast memory anyway, so n = 768 in tiles of 128 pays for one sixth of it. Each program
leaves the sums of its tile; the last one of a block of rows to arrive compares them. Nothing is waited for: a flag a
row, and one counter that is read when the caller likes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from radhard.ops.cuda.configs import TINY, Config, config_of
from radhard.ops.cuda.epilogue import write_back
from radhard.ops.cuda.launch import on
from radhard.ops.cuda.products import accumulated
from radhard.ops.cuda.proof import proven
from radhard.ops.octets import OCTETS
from radhard.ops.on_device import interpreted
from radhard.ops.sums import Stored, store


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """`out` [m, n] as written; `flags` [m] int8, 1 at rows that do not add up; `sums` [m] int32: what each adds up to.

    The sums are made when they are asked for.
    """

    out: Tensor
    flags: Tensor
    partial: Tensor

    @property
    def sums(self) -> Tensor:
        """Of the accumulators with their bias, modulo 2^32."""
        return self.partial[:-1].sum(0, dtype=torch.int64).to(torch.int32)


def checked_product(
    a: Tensor,
    stored: Stored,
    multiplier: Tensor,
    *,
    dtype: torch.dtype,
    grid: tuple[int, int, int],
    found: Tensor,
    config: Config | None = None,
) -> Checked:
    """`a` [m, k] int8 or uint8 times a stored weight [n + spare, k] -> [m, n] `dtype`, of 8 bits or float32.

    Adds the number of rows that do not add up to `found` [1] int32, without waiting for it.
    """
    (m, k), n = a.shape, len(stored.bias)
    a = a.contiguous()
    chosen = config or (TINY if interpreted() else config_of(1, m, n, k))
    blocks, columns = triton.cdiv(m, chosen.rows), triton.cdiv(n, chosen.columns)
    out = torch.empty(m, n, dtype=dtype, device=a.device)
    flags = torch.empty(m, dtype=torch.int8, device=a.device)
    partial = torch.empty(columns + 1, m, dtype=torch.int32, device=a.device)
    arrived = _arrivals(a.device, torch.cuda.current_stream(a.device).cuda_stream if a.is_cuda else 0, blocks)
    if not m:
        return Checked(out=out, flags=flags, partial=partial)
    zero, low, high = grid
    words = dtype in OCTETS
    with on(a):
        _checked[(blocks * columns,)](
            a.view(torch.int8),
            stored.weight,
            stored.bias,
            stored.columns[-1:],
            multiplier,
            out.view(torch.int8) if words else out,
            partial,
            arrived,
            flags,
            found,
            m,
            n,
            k,
            zero,
            low,
            high,
            WORDS=words,
            UNSIGNED=a.dtype == torch.uint8,
            WHOLE=k % chosen.depth == 0,
            ROWS=chosen.rows,
            COLUMNS=chosen.columns,
            DEPTH=chosen.depth,
            BAND=chosen.band,
            num_warps=chosen.warps,
            num_stages=chosen.stages,
        )
    return Checked(out=out, flags=flags, partial=partial)


def written_checked(
    a: Tensor, stored: Stored, multiplier: Tensor, *, dtype: torch.dtype, grid: tuple[int, int, int]
) -> tuple[Checked, Tensor | None] | None:
    """As `checked_product`, and the rows [f] int64 that do not add up, None where all do: for that it waits.

    None where the kernel does not serve the type, or does not prove itself.
    """
    if dtype not in (*OCTETS, torch.float32) or not a.numel() or not proven("checked", a.device, _proof(a.device)):
        return None
    found = torch.zeros(1, dtype=torch.int32, device=a.device)
    made = checked_product(a, stored, multiplier, dtype=dtype, grid=grid, found=found)
    return made, made.flags.nonzero()[:, 0] if int(found) else None


def _proof(device: torch.device) -> Callable[[], bool]:
    """Words and flags against int64, with a word of the weight that has changed; interpreted, tests do that."""
    return lambda: (
        interpreted()
        or all(
            _right(m, k, n, device=device, left=left)
            for m, k, n in ((300, 768, 784), (1, 1, 1), (197, 75, 130), (2049, 96, 1030))
            for left in OCTETS
        )
    )


def _right(m: int, k: int, n: int, *, device: torch.device, left: torch.dtype) -> bool:
    draw = torch.Generator().manual_seed(m)
    a = torch.randint(-128, 128, (m, k), dtype=torch.int8, generator=draw).view(left)
    weight = torch.randint(-128, 128, (n, k), dtype=torch.int8, generator=draw)
    bias = torch.randint(-(2**31), 2**31, (n,), generator=draw).to(torch.int32)
    stored, scale = store(weight, bias), torch.full((n,), 2.0**-16)
    for changed in (False, True):
        if changed:
            stored.weight[n - 1, k - 1] ^= 16
        wide = (a.double() @ stored.own.double().T).long() + bias
        wide = wide.to(torch.int32)
        lost = (wide.long().sum(1) - (a.long() * stored.columns[:-1]).sum(1) - stored.columns[-1]).to(torch.int32)
        on_device = Stored(**{name: x.to(device) for name, x in vars(stored).items()})
        found = torch.zeros(1, dtype=torch.int32, device=device)
        for dtype, grid in ((torch.int8, (3, -100, 90)), (torch.float32, (0, 0, 0))):
            made = checked_product(a.to(device), on_device, scale.to(device), dtype=dtype, grid=grid, found=found)
            value = wide.to(torch.float32) * scale
            value = (value.round() + grid[0]).clamp(*grid[1:]).to(dtype) if dtype in OCTETS else value
            if not torch.equal(made.out.cpu(), value) or not torch.equal(made.flags.cpu(), (lost != 0).to(torch.int8)):
                return False
        if int(found) != 2 * int((lost != 0).sum()):
            return False
    return True


@cache
def _counters(device: torch.device, stream: int, size: int) -> Tensor:
    """How many programs of each block of rows have arrived: zeros, which the last of them leaves as it found them."""
    del stream  # launches on two streams must not share
    return torch.zeros(size, dtype=torch.int32, device=device)


def _arrivals(device: torch.device, stream: int, blocks: int) -> Tensor:
    """At least so many counters, of few sizes."""
    return _counters(device, stream, triton.next_power_of_2(max(blocks, 256)))


@triton.jit(do_not_specialize=["m", "zero", "low", "high"])  # type: ignore[untyped-decorator]
def _checked(  # type: ignore[no-untyped-def]
    a, b, bias, offset, multiplier, out, partial, arrived, flags, found, m, n, k, zero, low, high,
    WORDS: tl.constexpr, UNSIGNED: tl.constexpr, WHOLE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, BAND: tl.constexpr,
):  # fmt: skip
    """a [m, k], b [n + spare, k] -> out [m, n], partial [tiles + 1, m], flags [m]; adds to arrived and found."""
    down, across = tl.cdiv(m, ROWS), tl.cdiv(n, COLUMNS)
    tile = tl.program_id(0)
    first = tile // (BAND * across) * BAND
    height = tl.minimum(down - first, BAND)
    block, place = first + tile % (BAND * across) % height, tile % (BAND * across) // height
    top, left = block * ROWS, place * COLUMNS

    i, j, t = tl.arange(0, ROWS), tl.arange(0, COLUMNS), tl.arange(0, DEPTH)
    # a row too many is the last one again
    x = a + top.to(tl.int64) * k + tl.minimum(i, m - 1 - top)[:, None] * k + t[None, :]
    y = b + left.to(tl.int64) * k + tl.minimum(j, n - 1 - left)[None, :] * k + t[:, None]
    row, column = top + i, left + j
    in_rows, inside = row < m, column < n
    if place == 0:
        z = b + n.to(tl.int64) * k + tl.arange(0, 16)[None, :] * k + t[:, None]
        total, said = _with_digits(x, y, z, k, UNSIGNED, WHOLE, ROWS, COLUMNS, DEPTH)
        tl.store(partial + across * m + row, said + tl.load(offset).to(tl.int32), mask=in_rows)
    else:
        total = accumulated(x, y, n - left, k, k, UNSIGNED, True, WHOLE, ROWS, COLUMNS, DEPTH)

    total += tl.load(bias + column, mask=inside, other=0)[None, :]
    total = tl.where(inside[None, :], total, 0)
    tl.store(partial + place * m + row, tl.sum(total, 1), mask=in_rows)
    factor = tl.load(multiplier + column, mask=inside, other=0.0)[None, :]
    words = out + top.to(tl.int64) * n + i[:, None] * n + column[None, :]
    here = in_rows[:, None] & inside[None, :]
    if WORDS:
        tl.store(words, write_back(total, factor, zero, low, high).to(tl.int8), mask=here)
    else:
        tl.store(words, total.to(tl.float32) * factor, mask=here)

    tl.debug_barrier()  # all sums of this tile are on their way before the arrival is told
    if tl.atomic_add(arrived + block, 1, sem="acq_rel") == across - 1:
        tl.store(arrived + block, 0)
        off, others = tl.zeros([ROWS], tl.int32), partial + row
        for _ in range(across):
            off += tl.load(others, mask=in_rows, other=0, cache_modifier=".cg")
            others += m
        off -= tl.load(others, mask=in_rows, other=0, cache_modifier=".cg")
        wrong = off != 0
        tl.store(flags + row, wrong.to(tl.int8), mask=in_rows)
        count = tl.sum(wrong.to(tl.int32), 0)
        if count > 0:
            tl.atomic_add(found, count)


@triton.jit  # type: ignore[untyped-decorator]
def _with_digits(  # type: ignore[no-untyped-def]
    x, y, z, k, UNSIGNED: tl.constexpr, WHOLE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """As `accumulated`, and what the three digits at z [DEPTH, 16] say that rows add up to, [ROWS] int32."""
    t, digit = tl.arange(0, DEPTH), tl.arange(0, 16)
    total, said = tl.zeros((ROWS, COLUMNS), dtype=tl.int32), tl.zeros((ROWS, 16), dtype=tl.int32)
    sums, sums_said = tl.zeros((COLUMNS,), dtype=tl.int32), tl.zeros((16,), dtype=tl.int32)
    for done in range(0, k, DEPTH):
        p = tl.load(x) if WHOLE else tl.load(x, mask=(t < k - done)[None, :], other=0)
        q = tl.load(y) if WHOLE else tl.load(y, mask=(t < k - done)[:, None], other=0)
        d = tl.load(z, mask=(digit < 3)[None, :] & (t < k - done)[:, None], other=0)
        x += DEPTH
        y += DEPTH
        z += DEPTH
        if UNSIGNED:  # a b = (a - 128) b + 128 sum(b), which wraps alike
            p = p ^ -128
            sums += tl.sum(q.to(tl.int32), 0)
            sums_said += tl.sum(d.to(tl.int32), 0)
        total = tl.dot(p, q, total, out_dtype=tl.int32)
        said = tl.dot(p, d, said, out_dtype=tl.int32)
    if UNSIGNED:
        total += (sums * 128)[None, :]
        said += (sums_said * 128)[None, :]
    worth = tl.where(digit == 0, 1, tl.where(digit == 1, 256, tl.where(digit == 2, 65536, 0)))
    return total, tl.sum(said * worth[None, :], 1)
