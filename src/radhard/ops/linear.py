"""torch.ops.radhard.linear and .linear_checked: rows of int8 or uint8 words times a stored int8 weight.

`grid` is (zero, low, high) of the words written. Operands of the second are those of `radhard.ops.sums.Stored`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from radhard.ops import backends
from radhard.ops.library import Recourse, note, operator
from radhard.ops.products import Output, again_of_weight, changed, settle
from radhard.ops.sums import Stored
from radhard.ops.write import Limits, write, write_checked


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
) -> Tensor:
    """`a` [m, k] of 8 bits times a stored weight -> [m, n] `dtype`, checked and repaired; adds to `events`.

    `stored` are the fields of a `Stored`, in their order.
    """
    weight, bias, columns, rows = stored
    total = backends.product(a[None], weight[None])[0]
    out, flagged = write_checked(total, bias, multiplier, dtype, grid=limits(grid), offset=columns)
    if flagged is None:
        note(events, checked=a.shape[0])
        return out
    known = Stored(weight=weight, bias=bias, columns=columns, rows=rows)
    recourse, output = Recourse(policy=policy, site=site), Output(multiplier=multiplier, dtype=dtype, grid=limits(grid))
    found = again_of_weight(a[flagged], total[flagged], known, recourse=recourse)
    differ = changed(found.rows, total[flagged], bias)
    settle(found, differ, flagged, out=out, output=output, recourse=recourse, events=events)
    return out


def _fake(
    x: Tensor, weight: Tensor, bias: Tensor, multiplier: Tensor, grid: Sequence[int], dtype: torch.dtype
) -> Tensor:
    del weight, multiplier, grid
    return x.new_empty([*x.shape[:-1], bias.shape[0]], dtype=dtype)


@operator(
    "linear(Tensor x, Tensor weight, Tensor bias, Tensor multiplier, int[] grid, ScalarType dtype) -> Tensor",
    fake=_fake,
)
def linear(
    x: Tensor, weight: Tensor, bias: Tensor, multiplier: Tensor, grid: Sequence[int], dtype: torch.dtype
) -> Tensor:
    """`x` [..., k] int8 or uint8, weight [n, k] int8, bias [n] int32, multiplier [n] float32 -> [..., n] `dtype`."""
    total = backends.product(x.reshape(1, -1, x.shape[-1]), weight[None])[0]
    out = write(total, bias, multiplier, dtype, grid=limits(grid))
    return out.view(*x.shape[:-1], bias.shape[0])


def _fake_checked(
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
    del columns, rows, policy, site, events
    return _fake(x, weight, bias, multiplier, grid, dtype)


@operator(
    "linear_checked(Tensor x, Tensor weight, Tensor bias, Tensor columns, Tensor rows, Tensor multiplier, int[] grid, "
    "ScalarType dtype, str policy, str site, Tensor(a!) events) -> Tensor",
    fake=_fake_checked,
)
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
