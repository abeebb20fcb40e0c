"""Products of 8-bit words with write-back in one kernel: accumulators stay in registers."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Literal

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from radhard.kernels.cuda.configs import SMALL, TINY, Config, configs_of
from radhard.kernels.cuda.described import described
from radhard.kernels.cuda.fastest import fastest
from radhard.kernels.cuda.launch import on
from radhard.kernels.cuda.layout import Layout, Steps, layout_of
from radhard.kernels.cuda.product_proof import Variant, Writes, right
from radhard.kernels.cuda.proof import proven
from radhard.kernels.cuda.tiles import begun, leave, place
from radhard.kernels.grid import SYMMETRIC
from radhard.kernels.octets import OCTETS, as_signed
from radhard.kernels.on_device import interpreted
from radhard.kernels.write import WriteBack

_FARTHEST = 1 << 22  # words from a row to the next: offsets within a tile then fit int32
_WORTH_TRYING = 1 << 31  # products of numbers, from which on it pays to time block sizes
_SIZES = ["m", "n", "k", "inner", *(f"{x}_{step}" for x in "abc" for step in ("outer", "inner", "row"))]
_FREE = [*_SIZES, "low", "high"]  # one compilation serves all of their values


@triton.jit(do_not_specialize=_FREE)  # type: ignore[untyped-decorator]
def _product(  # type: ignore[no-untyped-def]
    a, b, c, bias, multiplier,
    m, n, k, inner, a_outer, a_inner, a_row, b_outer, b_inner, b_row, c_outer, c_inner, c_row, zero, low, high,
    ONE: tl.constexpr, UNSIGNED: tl.constexpr, B_BY_K: tl.constexpr, WHOLE: tl.constexpr, K_ALIGNED: tl.constexpr,
    N_ALIGNED: tl.constexpr, A_ALIGNED: tl.constexpr, B_ALIGNED: tl.constexpr, C_ALIGNED: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, BAND: tl.constexpr,
):  # fmt: skip
    """a [outer, inner, m, k], b [outer, inner, n, k] -> c [outer, inner, m, n].

    With C_ALIGNED rows of c begin at 16 words, and have room for as many as fill up the last 16.
    """
    if A_ALIGNED:  # which the compiler sees in a product
        a_outer, a_inner, a_row = a_outer // 16 * 16, a_inner // 16 * 16, a_row // 16 * 16
    if B_ALIGNED:
        b_outer, b_inner, b_row = b_outer // 16 * 16, b_inner // 16 * 16, b_row // 16 * 16
    if C_ALIGNED:
        c_outer, c_inner, c_row = c_outer // 16 * 16, c_inner // 16 * 16, c_row // 16 * 16
    if K_ALIGNED:
        k = k // 16 * 16
    if N_ALIGNED:
        n = n // 16 * 16
    tiles = tl.cdiv(m, ROWS) * tl.cdiv(n, COLUMNS)
    group = tl.program_id(0) // tiles
    top, left = place(tl.program_id(0) % tiles, m, n, ROWS, COLUMNS, BAND)
    outer, within = (group // inner).to(tl.int64), (group % inner).to(tl.int64)
    a += outer * a_outer + within * a_inner + top.to(tl.int64) * a_row
    b += outer * b_outer + within * b_inner

    i, j, t = tl.arange(0, ROWS), tl.arange(0, COLUMNS), tl.arange(0, DEPTH)
    x = a + tl.minimum(i, m - 1 - top)[:, None] * a_row + t[None, :]  # a row too many is the last one again
    if B_BY_K:
        y = b + left.to(tl.int64) * b_row + tl.minimum(j, n - 1 - left)[None, :] * b_row + t[:, None]
    else:
        y = b + left + j[None, :] + t[:, None] * b_row
    there = (k + 15) // 16 * 16 if A_ALIGNED else k  # words of a row that can be read: b has zeros for those beyond k
    total = begun(bias, left, n, ROWS, COLUMNS)
    total = accumulated(x, y, total, n - left, k, there, b_row, UNSIGNED, B_BY_K, WHOLE, COLUMNS, DEPTH)

    c += outer * c_outer + within * c_inner
    pitch = (n + 15) // 16 * 16 if C_ALIGNED else n
    leave(c, total, multiplier, top, left, m, n, c_row, pitch, zero, low, high, ONE)


@triton.jit  # type: ignore[untyped-decorator]
def accumulated(  # type: ignore[no-untyped-def]
    x, y, total, columns, k, there, b_row,
    UNSIGNED: tl.constexpr, B_BY_K: tl.constexpr, WHOLE: tl.constexpr,
    COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Where the first [ROWS, DEPTH] words of a and [DEPTH, COLUMNS] of b are -> a b over k, plus `total` int32.

    That is [ROWS, COLUMNS]. The words of a are int8, or bits of uint8 (UNSIGNED). Those of b lie by k, or by columns,
    `b_row` from one k to the next: of these only `columns` are there. WHOLE: DEPTH divides k. Rows of a can be read up
    to `there`.
    """
    t, j = tl.arange(0, DEPTH), tl.arange(0, COLUMNS)
    sums = tl.zeros((COLUMNS,), dtype=tl.int32)
    for done in range(0, k, DEPTH):
        p = tl.load(x) if WHOLE else tl.load(x, mask=(t < there - done)[None, :], other=0)
        x += DEPTH
        if not B_BY_K:
            q = tl.load(y, mask=(t < k - done)[:, None] & (j < columns)[None, :], other=0)
            y += DEPTH * b_row.to(tl.int64)
        else:
            q = tl.load(y) if WHOLE else tl.load(y, mask=(t < k - done)[:, None], other=0)
            y += DEPTH
        if UNSIGNED:  # a b = (a - 128) b + 128 sum(b), which wraps alike
            p = p ^ -128
            sums += tl.sum(q.to(tl.int32), 0)
        total = tl.dot(p, q, total, out_dtype=tl.int32)
    if UNSIGNED:
        total += (sums * 128)[None, :]
    return total


def written(
    a: Tensor, b: Tensor, *, bias: Tensor | None, back: WriteBack | None, spread: bool = False
) -> Tensor | None:
    """`a` [..., m, k] int8 or uint8, `b` [..., n, k] int8, any strides; groups broadcast -> [..., m, n].

    The int32 accumulators plus bias [n] int32, as `back` writes them. None where no kernel serves that or proves
    itself. With `spread` words may lie in memory as suits who reads them (see `radhard.kernels.cuda.layout`), else
    contiguously.
    """
    dtype, multiplier, zero = (torch.int32, None, 0) if back is None else (back.dtype, back.multiplier, back.grid.zero)
    one, centred = multiplier is None or len(multiplier) == 1, zero == 0
    key = (
        *(tuple(a.shape), a.stride(), a.data_ptr() % 16, a.dtype, a.device),  # torch.Size takes microseconds to hash
        *(tuple(b.shape), b.stride(), b.data_ptr() % 16, dtype, bias is None, spread, centred, one),
    )
    if (plan := _PLANS.get(key)) is None:
        writes = Writes(biased=bias is not None, centred=centred, one=one, dtype=dtype)
        plan = _PLANS[key] = _planned(a, b, writes, spread=spread, rest=(bias, back))
    if not plan:
        return None
    x, y = (as_signed(a), b) if plan.direct else _fitted(a, b)
    out = plan.layout.empty(dtype, a.device)
    _run(plan, x, y, as_signed(out), bias, back)
    return out


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What launches of operands that lie alike share: each costs the host some microseconds, and is to cost no more.

    `layout` is the output's. `direct`: the kernel reads the operands where they are. `sizes` are m, n, k, groups and
    strides. `tiles` of the operands, where they are described.
    """

    layout: Layout
    direct: bool
    programs: int
    sizes: tuple[int, ...]
    tiles: tuple[list[int], list[int]] | None
    flags: dict[str, Any]


_PLANS: dict[tuple[Any, ...], _Plan | Literal[False]] = {}  # False: not served


Rest = tuple[Tensor | None, WriteBack | None]


def _planned(a: Tensor, b: Tensor, writes: Writes, *, spread: bool, rest: Rest) -> _Plan | Literal[False]:
    x, y = _fitted(a, b)
    if not x.numel() or not y.numel():
        return False
    layout = layout_of((*_groups(a, b), a.shape[-2], b.shape[-2]), y, spread=spread and writes.dtype in OCTETS)
    variants = variants_of(x, y, layout.steps, unsigned=a.dtype == torch.uint8, writes=writes)
    tried = x.shape[0] * x.shape[1] * x.shape[2] * y.shape[2] * y.shape[3] >= _WORTH_TRYING
    usable = _usable(variants if tried else variants[:1], a.device)
    if not usable:
        return False
    direct = x.data_ptr() == a.data_ptr() and y.data_ptr() == b.data_ptr()
    plans = [_plan(variant, x, y, layout=layout, direct=direct) for variant in usable]
    if len(plans) == 1:
        return plans[0]
    out = as_signed(layout.empty(writes.dtype, a.device))
    return plans[fastest([partial(_run, plan, x, y, out, *rest) for plan in plans], a.device)]


def _groups(a: Tensor, b: Tensor) -> tuple[int, ...]:
    return tuple(torch.broadcast_shapes(a.shape[:-2], b.shape[:-2]))


def _fitted(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The operands as the kernel takes them: copies only of what it cannot read where it is."""
    groups = _groups(a, b)
    x, y = _nested(as_signed(a), groups), _nested(b, groups)
    x = x if x.stride(3) == 1 else x.contiguous()
    y = y if y.stride(3) == 1 or y.stride(2) == 1 else y.contiguous()
    if max(x.stride(2), y.stride(2), y.stride(3)) > _FARTHEST:
        x, y = x.contiguous(), y.contiguous()
    return x, y


def _nested(x: Tensor, groups: tuple[int, ...]) -> Tensor:
    """[..., r, c] -> [outer, inner, r, c], broadcast to `groups`; a copy only where more than two make no view."""
    if x.shape[:-2] != groups:
        x = x.expand(*groups, *x.shape[-2:])
    if x.ndim > 4:
        return x.reshape(-1, *x.shape[-3:])
    return x[(None,) * (4 - x.ndim)]


def variants_of(x: Tensor, y: Tensor, of_c: Steps, *, unsigned: bool, writes: Writes) -> tuple[Variant, ...]:
    """What the kernel may be compiled for; `of_c` are the strides of the output's groups and rows."""
    (outer, inner, m, k), n = x.shape, y.shape[2]
    a_aligned = _aligned(x.data_ptr(), *_steps(x), x.stride(2)) and x.stride(2) >= -(-k // 16) * 16
    b_aligned = _aligned(y.data_ptr(), *_steps(y), y.stride(2 if y.stride(3) == 1 else 3))
    first = Variant(
        config=TINY,
        unsigned=unsigned,
        b_by_k=y.stride(3) == 1,
        whole=k % TINY.depth == 0,
        k_aligned=k % 16 == 0,
        n_aligned=n % 16 == 0,
        a_aligned=a_aligned,
        b_aligned=b_aligned,
        c_aligned=_aligned(*of_c) and of_c[2] >= -(-n // 16) * 16,
        writes=writes,
    )
    if interpreted():
        return (first,)
    configs = configs_of(outer * inner, m, n, k, aligned=a_aligned and b_aligned)
    found = [replace(first, config=config, whole=k % config.depth == 0) for config in configs]
    return tuple(one for one in found if not one.config.described or can_be_described(one, x))


def can_be_described(variant: Variant, x: Tensor) -> bool:
    """Whether descriptors can say how operands lie, x [outer, inner, m, k] the left one."""
    aligned = variant.a_aligned and variant.b_aligned and variant.k_aligned and variant.n_aligned
    return aligned and variant.b_by_k and not variant.unsigned and len(x) * x.shape[1] == 1


def _aligned(*steps: int) -> bool:
    """Whether every row begins at a multiple of 16 bytes."""
    return not any(step % 16 for step in steps)


def launch(
    variant: Variant,
    x: Tensor,
    y: Tensor,
    out: Tensor,
    bias: Tensor | None,
    back: WriteBack | None,
    *,
    most: int | None = None,
) -> None:
    """x [outer, inner, m, k] int8 (or bits of uint8), y [outer, inner, n, k] int8 -> `out` [outer, inner, m, n].

    Words of `out` are taken as int8; its strides are any that the variant serves. `most` programs, where these stay.
    """
    layout = Layout(shape=tuple(out.shape), strides=out.stride(), room=0)
    plan = _plan(variant, x, y, layout=layout, direct=True)
    if most is not None and variant.config.persistent:
        plan = replace(plan, programs=min(most, plan.programs))
    _run(plan, x, y, out, bias, back)


def _plan(variant: Variant, x: Tensor, y: Tensor, *, layout: Layout, direct: bool) -> _Plan:
    (outer, inner, m, k), n, config = x.shape, y.shape[2], variant.config
    flags = {
        "ROWS": config.rows,
        "COLUMNS": config.columns,
        "DEPTH": config.depth,
        "BAND": config.band,
        "num_warps": config.warps,
        "num_stages": config.stages,
    }
    if config.registers is not None:
        flags["maxnreg"] = config.registers
    if config.described:
        flags["MANY"] = bool(config.persistent)
    else:
        flags |= {
            "UNSIGNED": variant.unsigned,
            "B_BY_K": variant.b_by_k,
            "WHOLE": variant.whole,
            "K_ALIGNED": variant.k_aligned,
            "N_ALIGNED": variant.n_aligned,
            "A_ALIGNED": variant.a_aligned,
            "B_ALIGNED": variant.b_aligned,
            "C_ALIGNED": variant.c_aligned,
        }
    tiles = outer * inner * -(-m // config.rows) * -(-n // config.columns)
    of_b = y.stride(2 if variant.b_by_k else 3)
    return _Plan(
        layout=layout,
        direct=direct,
        programs=min(tiles, staying(config, x.device) or tiles),
        sizes=(m, n, k, inner, *_steps(x), x.stride(2), *_steps(y), of_b, *layout.steps),
        tiles=([config.rows, config.depth], [config.columns, config.depth]) if config.described else None,
        flags=flags,
    )


def _run(plan: _Plan, x: Tensor, y: Tensor, out: Tensor, bias: Tensor | None, back: WriteBack | None) -> None:
    multiplier, grid = (None, SYMMETRIC) if back is None else (back.multiplier, back.grid)
    # a zero point None: the kernel is compiled without
    of_words = (grid.zero or None, grid.low, grid.high, multiplier is None or len(multiplier) == 1)
    with on(x):
        if plan.tiles:
            m, n, k, _, _, _, a_row, _, _, b_row, *_ = plan.sizes
            of_a, of_b = plan.tiles
            a = TensorDescriptor(x, [m, k], [a_row, 1], of_a)
            b = TensorDescriptor(y, [n, k], [b_row, 1], of_b)
            described[(plan.programs,)](a, b, out, bias, multiplier, m, n, k, *of_words, **plan.flags)
            return
        _product[(plan.programs,)](x, y, out, bias, multiplier, *plan.sizes, *of_words, **plan.flags)


def staying(config: Config, device: torch.device) -> int:
    """How many programs stay on the device; 0 where each makes one tile."""
    return config.persistent * _multiprocessors(device)


@cache
def _multiprocessors(device: torch.device) -> int:
    if device.type == "cpu":  # interpreted
        return 2
    found: int = torch.cuda.get_device_properties(device).multi_processor_count
    return found


def _steps(x: Tensor) -> tuple[int, int]:
    """Words from one group to the next, outer and inner; 0 where there is one alone."""
    return x.stride(0) if len(x) > 1 else 0, x.stride(1) if x.shape[1] > 1 else 0


@cache
def _usable(variants: tuple[Variant, ...], device: torch.device) -> tuple[Variant, ...]:
    """Those that prove themselves on `device`; where none does, one with small blocks if that does."""
    if interpreted():
        return variants  # what tests are for
    with ThreadPoolExecutor(len(variants)) as pool:  # compilers run beside each other
        said = pool.map(partial(_proven, device=device), variants)
        usable = tuple(one for one, right in zip(variants, said, strict=True) if right)
    if usable:
        return usable
    last = variants[-1]
    small = replace(last, config=SMALL, whole=last.whole and last.config.depth % SMALL.depth == 0)
    return (small,) if _proven(small, device=device) else ()


def _proven(variant: Variant, *, device: torch.device) -> bool:
    return proven(f"product {variant}", device, partial(right, launch, variant, device))
