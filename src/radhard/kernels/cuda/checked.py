"""The int8 product with write-back and row sums for checks, in one kernel launch.

The sums of a row are made in the epilogue, of accumulators that are still in registers. What a row must add up to is
the product of A with three columns of digits (`radhard.kernels.sums`), which only the programs of the first column tile
carry: their slab of A is in fast memory anyway, so n = 768 in tiles of 128 pays for one sixth of it. Each program
leaves the sums of its tile and goes on: no program waits for another, and nothing waits for the device. One more
launch compares the sums of any number of products, once a call or once an inference, and leaves one number to read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from radhard.kernels.cuda.checked_described import checked_described
from radhard.kernels.cuda.configs import PLAIN, STAYING, TINY, Config, config_of
from radhard.kernels.cuda.epilogue import write_back
from radhard.kernels.cuda.fastest import fastest
from radhard.kernels.cuda.launch import on
from radhard.kernels.cuda.products import accumulated, staying
from radhard.kernels.cuda.proof import proven
from radhard.kernels.cuda.tiles import begun
from radhard.kernels.grid import Grid
from radhard.kernels.octets import OCTETS, as_signed
from radhard.kernels.on_device import interpreted
from radhard.kernels.operands import SPARE
from radhard.kernels.sums import SummedWeight, store
from radhard.kernels.write import WriteBack, write

_COMPARED = 256  # rows that a program compares
_MOST = 5  # programs that stay in a proof: then each makes several tiles


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """`out` [m, n] as written; `partial` [tiles + 1, m] int32: sums of tiles of rows, then what they must add up to."""

    out: Tensor
    partial: Tensor

    @property
    def sums(self) -> Tensor:
        """What the accumulators of each row add up to with their bias, modulo 2^32: [m] int32."""
        return self.partial[:-1].sum(0, dtype=torch.int64).to(torch.int32)

    @property
    def flagged(self) -> Tensor:
        """The rows [f] int64 that do not add up; waits for the device."""
        return (self.sums != self.partial[-1]).nonzero()[:, 0]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What the kernel is compiled for: `words` of 8 bits are written, or float32; a is `unsigned`; loads are aligned.

    `whole`: the depth of a tile divides k, `full`: its columns divide n.
    """

    config: Config
    words: bool
    unsigned: bool
    whole: bool
    full: bool
    k_aligned: bool
    n_aligned: bool


def variant_of(a: Tensor, n: int, *, dtype: torch.dtype, config: Config | None = None) -> Variant:
    """That for `a` [m, k] and n columns."""
    m, k = a.shape
    chosen = config or (TINY if interpreted() else config_of(m, n))
    return Variant(
        config=chosen,
        words=dtype in OCTETS,
        unsigned=a.dtype == torch.uint8,
        whole=k % chosen.depth == 0,
        full=n % chosen.columns == 0,
        k_aligned=k % 16 == 0,
        n_aligned=n % 16 == 0,
    )


def variants_of(a: Tensor, n: int, *, dtype: torch.dtype) -> tuple[Variant, ...]:
    """Those for `a` [m, k] and n columns, the fastest first."""
    plain = variant_of(a, n, dtype=dtype)
    aligned = plain.k_aligned and plain.n_aligned and a.data_ptr() % 16 == 0
    if plain.config is not PLAIN or not aligned or plain.unsigned:
        return (plain,)
    return variant_of(a, n, dtype=dtype, config=STAYING), plain


def chosen(a: Tensor, stored: SummedWeight, back: WriteBack) -> Variant | None:
    """The fastest of them that prove themselves; of interpreted ones, which is what tests are for, the first."""
    key = (tuple(a.shape), len(stored.bias), a.dtype, back.dtype, a.data_ptr() % 16, a.device)
    if key not in _CHOSEN:
        variants = variants_of(a, len(stored.bias), dtype=back.dtype)
        if not interpreted():
            variants = tuple(x for x in variants if proven(f"checked {x}", a.device, partial(_right, x, a.device)))
        made = partial(checked_product, a, stored, back)
        _CHOSEN[key] = variants[fastest([partial(made, variant=x) for x in variants], a.device)] if variants else None
    return _CHOSEN[key]


_CHOSEN: dict[tuple[Any, ...], Variant | None] = {}


def checked_product(
    a: Tensor,
    stored: SummedWeight,
    back: WriteBack,
    *,
    variant: Variant | None = None,
    most: int | None = None,
) -> Checked:
    """`a` [m, k] int8 or uint8 times a stored weight [n + spare, k] -> [m, n], words of 8 bits or float32.

    `most` programs, where these stay.
    """
    (m, k), n, dtype, grid = a.shape, len(stored.bias), back.dtype, back.grid
    a, multiplier = a.contiguous(), back.of_columns(n)
    of = variant or variant_of(a, n, dtype=dtype)
    blocks, columns = triton.cdiv(m, of.config.rows), triton.cdiv(n, of.config.columns)
    out = torch.empty(m, n, dtype=dtype, device=a.device)
    sums = torch.empty(columns + 1, m, dtype=torch.int32, device=a.device)
    if of.config.described:
        programs = min(blocks * columns, most or staying(of.config, a.device))
        _run_described(programs, a, stored, back, Checked(out=out, partial=sums), config=of.config)
        return Checked(out=out, partial=sums)
    with on(a):
        _checked[(blocks * columns,)](
            a.view(torch.int8),
            stored.weight,
            stored.bias,
            stored.columns[-1:],
            multiplier,
            as_signed(out),
            sums,
            m,
            n,
            k,
            grid.zero or None,  # None: the kernel is compiled without
            grid.low,
            grid.high,
            WORDS=of.words,
            UNSIGNED=of.unsigned,
            WHOLE=of.whole,
            FULL=of.full,
            K_ALIGNED=of.k_aligned,
            N_ALIGNED=of.n_aligned,
            ROWS=of.config.rows,
            COLUMNS=of.config.columns,
            DEPTH=of.config.depth,
            BAND=of.config.band,
            num_warps=of.config.warps,
            num_stages=of.config.stages,
        )
    return Checked(out=out, partial=sums)


def _run_described(
    programs: int,
    a: Tensor,
    stored: SummedWeight,
    back: WriteBack,
    made: Checked,
    *,
    config: Config,
) -> None:
    (m, k), n, grid = a.shape, len(stored.bias), back.grid
    multiplier = back.of_columns(n)
    operands = (
        TensorDescriptor(x, list(x.shape), [k, 1], [rows, config.depth])
        for x, rows in ((a, config.rows), (stored.own, config.columns), (stored.weight[n : n + SPARE], 16))
    )
    with on(a):
        checked_described[(programs,)](
            *operands,
            as_signed(made.out),
            made.partial,
            stored.bias,
            stored.columns[-1:],
            multiplier,
            m,
            n,
            k,
            grid.zero or None,
            grid.low,
            grid.high,
            ROWS=config.rows,
            COLUMNS=config.columns,
            DEPTH=config.depth,
            BAND=config.band,
            num_warps=config.warps,
            num_stages=config.stages,
        )


def wrong_rows(made: Sequence[Checked]) -> Tensor:
    """How many rows of these products do not add up [1] int32: one launch, which is not waited for."""
    device = made[0].out.device
    lies = [[one.partial.data_ptr(), *one.partial.shape] for one in made]
    table = torch.tensor(lies, dtype=torch.int64, pin_memory=device.type == "cuda").to(device, non_blocking=True)
    found, longest = torch.zeros(1, dtype=torch.int32, device=device), max(one.partial.shape[1] for one in made)
    with on(found):
        _compare[(len(made), triton.cdiv(longest, _COMPARED))](table, found, ROWS=_COMPARED)
    return found


def written_checked(a: Tensor, stored: SummedWeight, back: WriteBack) -> tuple[Checked, Tensor | None] | None:
    """As `checked_product`, and the rows [f] int64 that do not add up, None where all do: for that it waits.

    None where the kernel does not serve the type, or does not prove itself.
    """
    if back.dtype not in (*OCTETS, torch.float32) or not a.numel():
        return None
    variant = chosen(a, stored, back)
    if variant is None:
        return None
    made = checked_product(a, stored, back, variant=variant)
    return made, made.flagged if int(wrong_rows([made])) else None


def _right(variant: Variant, device: torch.device) -> bool:
    """Words and flagged rows against float64, which is exact; then with a word of the weight that has changed."""
    config, draw = variant.config, torch.Generator(device="cpu").manual_seed(0x5EED)
    m = config.rows * (config.band + 1) - 3
    n = 2 * config.columns - (0 if variant.full else 16 if variant.n_aligned else 3)
    k = 2 * config.depth - (0 if variant.whole else 16 if variant.k_aligned else 3)
    a = torch.randint(-128, 128, (m, k), dtype=torch.int8, generator=draw, device="cpu")
    a = a.view(torch.uint8) if variant.unsigned else a
    weight = torch.randint(-128, 128, (n, k), dtype=torch.int8, generator=draw, device="cpu")
    bias = torch.randint(-(2**31), 2**31, (n,), generator=draw, device="cpu").to(torch.int32)
    stored, scale = store(weight, bias), torch.full((n,), 2.0**-16, device="cpu")
    for bits, zero in ((0, 3), (16, 0)):
        dtype = torch.int8 if variant.words else torch.float32
        back = WriteBack(multiplier=scale, dtype=dtype, grid=Grid(zero=zero, low=-100, high=90))
        stored.weight[n - 1, k - 1] ^= bits
        total = ((a.double() @ stored.own.double().T).long() + bias).to(torch.int32)
        lost = (total.long().sum(1) - (a.long() * stored.columns[:-1]).sum(1) - stored.columns[-1]).to(torch.int32)
        moved = SummedWeight(**{name: x.to(device) for name, x in vars(stored).items()})
        there = replace(back, multiplier=scale.to(device))
        made = checked_product(a.to(device), moved, there, variant=variant, most=_MOST)
        if not torch.equal(made.out.cpu(), write(total, torch.zeros_like(bias), back)):
            return False
        flagged = lost.nonzero()[:, 0]
        if not torch.equal(made.flagged.cpu(), flagged) or int(wrong_rows([made])) != len(flagged):
            return False
    return True


@triton.jit(do_not_specialize=["m", "n", "k", "low", "high"])  # type: ignore[untyped-decorator]
def _checked(  # type: ignore[no-untyped-def]
    a, b, bias, offset, multiplier, out, partial, m, n, k, zero, low, high,
    WORDS: tl.constexpr, UNSIGNED: tl.constexpr, WHOLE: tl.constexpr, FULL: tl.constexpr, K_ALIGNED: tl.constexpr,
    N_ALIGNED: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, BAND: tl.constexpr,
):  # fmt: skip
    """a [m, k], b [n + spare, k] -> out [m, n], partial [tiles + 1, m]."""
    if K_ALIGNED:  # which the compiler sees in a product
        k = k // 16 * 16
    if N_ALIGNED:
        n = n // 16 * 16
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
    total = begun(bias, left, n, ROWS, COLUMNS)
    if place == 0:
        z = b + n.to(tl.int64) * k + tl.arange(0, 16)[None, :] * k + t[:, None]
        total, said = _with_digits(x, y, z, total, k, UNSIGNED, WHOLE, ROWS, COLUMNS, DEPTH)
        tl.store(partial + across * m + row, said + tl.load(offset).to(tl.int32), mask=in_rows)
    else:
        total = accumulated(x, y, total, n - left, k, k, k, UNSIGNED, True, WHOLE, COLUMNS, DEPTH)

    if not FULL:
        total = tl.where(inside[None, :], total, 0)
    tl.store(partial + place * m + row, tl.sum(total, 1), mask=in_rows)
    factor = tl.load(multiplier + column, mask=inside, other=0.0)[None, :]
    words = out + top.to(tl.int64) * n + i[:, None] * n + column[None, :]
    here = in_rows[:, None] & inside[None, :]
    if WORDS:
        tl.store(words, write_back(total, factor, 0 if zero is None else zero, low, high).to(tl.int8), mask=here)
    else:
        tl.store(words, total.to(tl.float32) * factor, mask=here)


@triton.jit  # type: ignore[untyped-decorator]
def _compare(table, found, ROWS: tl.constexpr):  # type: ignore[no-untyped-def]
    """table [p, 3] int64: where the sums of each product lie, and their sizes [tiles + 1, m]."""
    at = table + tl.program_id(0) * 3
    sums, lines, m = tl.load(at).to(tl.pointer_type(tl.int32)), tl.load(at + 1), tl.load(at + 2)
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    off, line = tl.zeros([ROWS], tl.int32), sums + row
    for _ in range(lines - 1):
        off += tl.load(line, mask=row < m, other=0)
        line += m
    wrong = tl.sum((off != tl.load(line, mask=row < m, other=0)).to(tl.int32), 0)
    if wrong > 0:
        tl.atomic_add(found, wrong)


@triton.jit  # type: ignore[untyped-decorator]
def _with_digits(  # type: ignore[no-untyped-def]
    x, y, z, total, k, UNSIGNED: tl.constexpr, WHOLE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """As `accumulated`, and what the three digits at z [DEPTH, 16] say that rows add up to, [ROWS] int32."""
    t, digit = tl.arange(0, DEPTH), tl.arange(0, 16)
    said = tl.zeros((ROWS, 16), dtype=tl.int32)
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
