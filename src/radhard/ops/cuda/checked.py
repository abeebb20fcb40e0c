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
    (m, k), n, weight = a.shape, len(stored.bias), stored.weight
    a, bias, offset = a.contiguous(), stored.bias, stored.columns[-1:]
    lowered = a.dtype == torch.uint8
    if lowered:  # a b = (a - 128) b + 128 sum(b): the rest is a bias
        bias = (stored.rows * 128 - bias.to(torch.int64) * 127).to(torch.int32)
        offset = offset + 128 * stored.columns[:-1].sum()
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
            a.view(torch.int8) if lowered else a,
            weight,
            bias,
            offset,
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
            LOWERED=lowered,
            WORDS=words,
            EVEN=k % chosen.depth == 0,
            ALONG=chosen.band,
            M=chosen.rows,
            N=chosen.columns,
            K=chosen.depth,
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
        if changed and left == torch.int8:
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


@triton.jit  # type: ignore[untyped-decorator]
def _terms(left, right, steps, rest, a_in, b_in, LOWERED: tl.constexpr, EVEN: tl.constexpr):  # type: ignore[no-untyped-def]
    """The next slab of A [M, K] and of B [K, N]."""
    if EVEN:
        x, y = tl.load(left, mask=a_in, other=0), tl.load(right, mask=b_in, other=0)
    else:
        inside = steps < rest
        x = tl.load(left, mask=a_in & inside[None, :], other=0)
        y = tl.load(right, mask=b_in & inside[:, None], other=0)  # where it is 0, x does not matter
    if LOWERED:
        x = x ^ -128
    return x, y


@triton.jit(do_not_specialize=["m", "zero", "low", "high"])  # type: ignore[untyped-decorator]
def _checked(  # type: ignore[no-untyped-def]
    a,
    b,
    bias,
    offset,
    multiplier,
    out,
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
    LOWERED: tl.constexpr,
    WORDS: tl.constexpr,
    EVEN: tl.constexpr,
    ALONG: tl.constexpr,
    M: tl.constexpr,
    N: tl.constexpr,
    K: tl.constexpr,
):
    blocks, columns = tl.cdiv(m, M), tl.cdiv(n, N)
    program = tl.program_id(0)
    first = program // (ALONG * columns) * ALONG
    along = tl.minimum(blocks - first, ALONG)
    block = first + program % (ALONG * columns) % along
    column = program % (ALONG * columns) // along

    row, col, steps = block * M + tl.arange(0, M), column * N + tl.arange(0, N), tl.arange(0, K)
    in_rows, in_cols = row < m, col < n
    # rows and columns beyond the last read the first ones: what they give is not written
    left = a + tl.where(in_rows, row, 0).to(tl.int64)[:, None] * k + steps[None, :]
    right = b + tl.where(in_cols, col, 0).to(tl.int64)[None, :] * k + steps[:, None]
    a_in, b_in = (row >= 0)[:, None], (col >= 0)[None, :]
    total = tl.zeros([M, N], tl.int32)
    if column == 0:
        digit = tl.arange(0, 16)
        sums = b + (n + digit).to(tl.int64)[None, :] * k + steps[:, None]
        said = tl.zeros([M, 16], tl.int32)
        is_digit = (digit < 3)[None, :]
        for t in range(0, k, K):
            x, y = _terms(left + t, right + t, steps, k - t, a_in, b_in, LOWERED, EVEN)
            z = tl.load(sums + t, mask=is_digit & (steps < k - t)[:, None], other=0)
            total = tl.dot(x, y, total, out_dtype=tl.int32)
            said = tl.dot(x, z, said, out_dtype=tl.int32)
        worth = tl.where(digit == 0, 1, tl.where(digit == 1, 256, tl.where(digit == 2, 65536, 0)))
        must = tl.sum(said * worth[None, :], 1) + tl.load(offset).to(tl.int32)
        tl.store(partial + columns.to(tl.int64) * m + row, must, mask=in_rows)
    else:
        for t in range(0, k, K):
            x, y = _terms(left + t, right + t, steps, k - t, a_in, b_in, LOWERED, EVEN)
            total = tl.dot(x, y, total, out_dtype=tl.int32)

    total += tl.load(bias + col, mask=in_cols, other=0)[None, :]
    total = tl.where(in_cols[None, :], total, 0)
    tl.store(partial + column.to(tl.int64) * m + row, tl.sum(total, 1), mask=in_rows)
    place = row.to(tl.int64)[:, None] * n + col[None, :]
    scale = tl.load(multiplier + col, mask=in_cols, other=0.0)[None, :]
    both = in_rows[:, None] & in_cols[None, :]
    if WORDS:
        tl.store(out + place, write_back(total, scale, zero, low, high).to(tl.int8), mask=both)
    else:
        tl.store(out + place, total.to(tl.float32) * scale, mask=both)

    tl.debug_barrier()  # all sums of this tile are on their way before the arrival is told
    if tl.atomic_add(arrived + block, 1, sem="acq_rel") == columns - 1:
        tl.store(arrived + block, 0)
        off, others = tl.zeros([M], tl.int32), partial + row
        for _ in range(columns):
            off += tl.load(others, mask=in_rows, other=0, cache_modifier=".cg")
            others += m
        off -= tl.load(others, mask=in_rows, other=0, cache_modifier=".cg")
        wrong = off != 0
        tl.store(flags + row, wrong.to(tl.int8), mask=in_rows)
        count = tl.sum(wrong.to(tl.int32), 0)
        if count > 0:
            tl.atomic_add(found, count)
