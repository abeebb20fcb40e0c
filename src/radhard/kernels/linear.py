"""torch.ops.radhard.linear and .linear_checked: int8 or uint8 rows times a stored int8 weight.

`grid` is (zero, low, high) of the words written. Operands of the second are those of `radhard.kernels.sums.Stored`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.kernels import backends
from radhard.kernels.library import OnUncorrectable, note, operator
from radhard.kernels.on_device import on_device
from radhard.kernels.operands import SPARE
from radhard.kernels.repair import Output, again_of_weight, changed, settle
from radhard.kernels.sums import SummedWeight
from radhard.kernels.write import Limits, write_checked
from radhard.kernels.written import written


def limits(grid: Sequence[int]) -> Limits:
    """Three numbers of a list -> (zero, low, high)."""
    zero, low, high = grid
    return zero, low, high


def checked(
    a: Tensor,
    stored: tuple[Tensor, Tensor, Tensor, Tensor],
    multiplier: Tensor,
    grid: Sequence[int],
    dtype: torch.dtype,
    *,
    policy: str,
    site: str,
    events: Tensor,
    total: Tensor | None = None,
) -> Tensor:
    """`a` [m, k] of 8 bits times a stored weight -> [m, n] `dtype`, checked and repaired; adds to `events`.

    `stored` are the fields of a `Stored`, in their order. `total` [m, n] int32 are the accumulators, with their bias,
    where somebody else has made them.
    """
    weight, bias, columns, rows = stored
    known = SummedWeight(weight=weight, bias=bias, columns=columns, rows=rows)
    made = _made(a, known, multiplier, dtype, limits(grid), total=total)
    if made.flagged is None:
        note(events, checked=a.shape[0])
        return made.out
    on_uncorrectable, output = (
        OnUncorrectable(policy=policy, site=site),
        Output(multiplier=multiplier, dtype=dtype, grid=limits(grid)),
    )
    found = again_of_weight(a[made.flagged], known, differ=made.differ, on_uncorrectable=on_uncorrectable)
    settle(
        found,
        made.differ(found.rows),
        made.flagged,
        out=made.out,
        output=output,
        on_uncorrectable=on_uncorrectable,
        events=events,
    )
    return made.out


@dataclass(frozen=True, kw_only=True, eq=False)
class _Made:
    """`out` [m, n], the rows of it [f] that do not add up, and which rows [f, n] are not what the product made."""

    out: Tensor
    flagged: Tensor | None
    differ: Callable[[Tensor], Tensor]


def _made(
    a: Tensor, known: SummedWeight, multiplier: Tensor, dtype: torch.dtype, grid: Limits, *, total: Tensor | None
) -> _Made:
    """The product, in one launch on a GPU, which keeps what its rows add up to and no accumulators."""
    device = on_device(a)
    fused = total is None and device and device.written_checked(a, known, multiplier, dtype=dtype, grid=grid)
    if fused:
        one, flagged = fused
        return _Made(out=one.out, flagged=flagged, differ=lambda rows: rows.sum(1).to(torch.int32) != one.sums[flagged])
    if total is None:
        total = backends.product(a[None], known.weight[None])[0]
    else:
        total = beside_digits(total - known.bias, a[None], known.weight[None])
    out, flagged = write_checked(total, known.bias, multiplier, dtype, grid=grid, offset=known.columns)
    return _Made(out=out, flagged=flagged, differ=lambda rows: changed(rows, total[flagged], known.bias))


def beside_digits(total: Tensor, a: Tensor, wide: Tensor) -> Tensor:
    """Accumulators [g m, n] int32 without bias -> [g m, n + 3]: beside them the digits of what each row adds up to.

    `a` [g, m, k] are the left factors, `wide` [g, n + 3 and more, k] the right ones with the digits of their sums.
    """
    n = total.shape[1]
    digits = backends.product(a, wide[:, n : n + SPARE]).flatten(0, 1)
    return torch.cat([total, digits.to(torch.int32)], 1)


def _like(x: Tensor, bias: Tensor, dtype: torch.dtype) -> Tensor:
    return x.new_empty([*x.shape[:-1], bias.shape[0]], dtype=dtype)


@operator(fake=_like)
def linear(
    x: Tensor, weight: Tensor, bias: Tensor, multiplier: Tensor, grid: Sequence[int], dtype: torch.dtype
) -> Tensor:
    """`x` [..., k] int8 or uint8, weight [n, k] int8, bias [n] int32, multiplier [n] float32 -> [..., n] `dtype`."""
    flat = x.reshape(-1, x.shape[-1])
    out = written(flat, weight, bias=bias, multiplier=multiplier, dtype=dtype, grid=limits(grid))
    return out.view(*x.shape[:-1], bias.shape[0])


@operator(fake=_like)
def linear_checked(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    columns: Tensor,
    rows: Tensor,
    multiplier: Tensor,
    grid: Sequence[int],
    dtype: torch.dtype,
    policy: str,
    site: str,
    events: Tensor,
) -> Tensor:
    """`x` [..., k] int8 or uint8 times a stored weight -> [..., n] `dtype`, every row checked; adds to `events`."""
    a, stored = x.reshape(-1, x.shape[-1]), (weight, bias, columns, rows)
    out = checked(a, stored, multiplier, grid, dtype, policy=policy, site=site, events=events)
    return out.view(*x.shape[:-1], bias.shape[0])
