"""torch.ops.radhard.matmul and .matmul_checked: products of int8 activations, as in attention.

The sums by which the second checks are made of the right factor at run time, in the copy that the product needs anyway.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from radhard.kernels import backends
from radhard.kernels.library import OnUncorrectable, operator, sound
from radhard.kernels.linear import beside_digits
from radhard.kernels.operands import SPARE
from radhard.kernels.repair import Again, again, changed, settle, tell
from radhard.kernels.sums import check_outputs, digits, store
from radhard.kernels.write import WriteBack, no_bias, on_host, write_checked
from radhard.kernels.written import grouped, groups_of, written

_NO_OFFSET = torch.zeros(1, dtype=torch.int64, device="cpu")  # products of activations have no bias


def _like(a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    return a.new_empty([*groups_of(a, b), a.shape[-2], b.shape[-1]], dtype=dtype)


@operator(fake=_like)
def matmul(a: Tensor, b: Tensor, multiplier: Tensor, grid: Sequence[int], dtype: torch.dtype) -> Tensor:
    """`a` [..., m, k] of 8 bits, b [..., k, n] int8, multiplier [1] or [n] float32 -> [..., m, n]; groups broadcast."""
    return written(a, b.mT, bias=None, back=WriteBack.of(multiplier, grid, dtype))


@operator(fake=_like)
def matmul_checked(
    a: Tensor,
    b: Tensor,
    multiplier: Tensor,
    grid: Sequence[int],
    dtype: torch.dtype,
    policy: str,
    site: str,
    events: Tensor,
) -> Tensor:
    """As `matmul`, every row checked; adds to `events`."""
    on_uncorrectable = OnUncorrectable(policy=policy, site=site)
    return checked_activations(
        a, b, WriteBack.of(multiplier, grid, dtype), on_uncorrectable=on_uncorrectable, events=events
    )


def checked_activations(
    a: Tensor,
    b: Tensor,
    back: WriteBack,
    *,
    on_uncorrectable: OnUncorrectable,
    events: Tensor,
    total: Tensor | None = None,
) -> Tensor:
    """As `matmul_checked`; `total` [..., m, n] int32 are the accumulators where somebody else has made them."""
    groups, zero = list(groups_of(a, b)), no_bias(b.shape[-1], b.device)
    check_outputs(b.shape[-1])
    left = grouped(a, groups)
    right = rows_summed(b.mT, groups) if b.stride(-2) == 1 else columns_summed(b, groups).mT
    if total is None:
        total = backends.product(left, right).flatten(0, 1)
    else:
        total = beside_digits(total.reshape(-1, b.shape[-1]), left, right)
    out, flagged = write_checked(total, zero, back, offset=_NO_OFFSET)
    if flagged is None:
        sound(events, checks=out.shape[0])
    else:
        found = _again(left, grouped(b.mT, groups), flagged, policy=on_uncorrectable.policy)
        settled = settle(found, changed(found.rows, total[flagged], zero), flagged, out=out, back=back)
        tell(settled, on_uncorrectable=on_uncorrectable, events=events)
    return out.view(*groups, a.shape[-2], b.shape[-1])


def rows_summed(b: Tensor, groups: list[int]) -> Tensor:
    """`b` [..., n, k] int8 -> [g, n + 3, k]: the last rows are the digits of the sum of the others."""
    (n, k), host = b.shape[-2:], on_host(b)
    if host is None:
        b = grouped(b, groups)
        return torch.cat([b, digits(b.sum(1, dtype=torch.int64)).movedim(0, 1)], 1)
    x, of_outer, inner, of_inner = _nested(b, groups)
    g = math.prod(groups)
    wide = torch.empty(g, n + SPARE, k, dtype=torch.int8, device=x.device)
    if wide.numel():
        outer = g // inner
        host.widen_rows(x.data_ptr(), outer, of_outer, inner, of_inner, n, x.stride(-2), k, wide.data_ptr())
    return wide


def columns_summed(b: Tensor, groups: list[int]) -> Tensor:
    """`b` [..., k, n] int8 -> [g, k, n + 3 and more]: after n columns the digits of their sum, then zeros.

    Rows are a multiple of four words, which the product loads at a time.
    """
    (k, n), host = b.shape[-2:], on_host(b)
    width = n + SPARE + -(n + SPARE) % 4
    if host is None:
        b = grouped(b, groups)
        sums = digits(b.sum(2, dtype=torch.int64)).movedim(0, 2)
        return torch.nn.functional.pad(torch.cat([b, sums], 2), (0, width - n - SPARE))
    x, of_outer, inner, of_inner = _nested(b, groups)
    g = math.prod(groups)
    wide = torch.empty(g, k, width, dtype=torch.int8, device=x.device)
    if wide.numel():
        outer = g // inner
        host.widen_columns(x.data_ptr(), outer, of_outer, inner, of_inner, k, x.stride(-2), n, width, wide.data_ptr())
    return wide


def _nested(x: Tensor, groups: list[int]) -> tuple[Tensor, int, int, int]:
    """[..., r, c] -> the same with rows of words side by side, and its groups as two nested loops.

    That is, the words from one outer group to the next, how many inner ones each has, and the words from one of these
    to the next.
    """
    if x.stride(-1) != 1 or len(groups) > 2 or list(x.shape[:-2]) != groups:
        x = grouped(x, groups).contiguous()
    if x.ndim < 3:
        return x, 0, 1, 0
    if x.ndim == 3:
        return x, 0, x.shape[0], x.stride(0)
    return x, x.stride(0), x.shape[1], x.stride(1)


def _again(left: Tensor, right: Tensor, flagged: Tensor, *, policy: str) -> Again:
    """Rows `flagged` [f] of the products of left [g, m, k] with right [g, n, k], from the inputs themselves."""
    m, n = left.shape[1], right.shape[1]
    zero = torch.zeros(n, dtype=torch.int32, device=right.device)
    rows = torch.empty(len(flagged), n, dtype=torch.int32, device=right.device)
    agree = torch.empty(len(flagged), dtype=torch.bool, device=right.device)
    group = flagged // m
    for g in group.unique().tolist():
        own = group == g
        found = again(left[g, flagged[own] % m], store(right[g], zero), policy=policy)
        rows[own], agree[own] = found.rows, found.right
    return Again(rows=rows, right=agree)
