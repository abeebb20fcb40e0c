"""torch.ops.radhard.linear and .linear_checked: int8 or uint8 rows times a stored int8 weight.

`grid` is (zero, low, high) of the words written. Operands of the second are those of a `SummedWeight`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
from torch import Tensor

from radhard.kernels import backends
from radhard.kernels.events import Events
from radhard.kernels.library import OnUncorrectable, operator, sound
from radhard.kernels.on_device import on_device
from radhard.kernels.operands import SPARE
from radhard.kernels.repair import Settled, again_of_weight, changed, settle, tell
from radhard.kernels.sums import SummedWeight
from radhard.kernels.write import WriteBack, write_checked
from radhard.kernels.written import written


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckedRows:
    """Rows `a` [m, k] of 8 bits times a stored weight, written as `back` says.

    `total` [m, >= n + 3] int32 are the accumulators without bias, beside them the digits of what each row adds up to;
    None where they are still to be made.
    """

    a: Tensor
    stored: SummedWeight
    back: WriteBack
    total: Tensor | None = None


def checked(products: Sequence[CheckedRows], *, on_uncorrectable: OnUncorrectable, events: Tensor) -> list[Tensor]:
    """Products, such as those of the groups of a convolution -> [m, n] each, checked and repaired; adds to `events`."""
    outs, settled, checks = [], [], 0
    for product in products:
        made = _made(product)
        outs.append(made.out)
        if made.flagged is None:
            checks += len(made.out)
        else:
            settled.append(_repaired(product, made, made.flagged, policy=on_uncorrectable.policy))
    if settled:
        settled.append(Settled(events=Events(checks=checks)))
        tell(reduce(add, settled), on_uncorrectable=on_uncorrectable, events=events)
    else:
        sound(events, checks=checks)
    return outs


def _repaired(product: CheckedRows, made: "_Made", flagged: Tensor, *, policy: str) -> Settled:
    """Rows `flagged` [f] of what was made, computed again and put right in place."""
    found = again_of_weight(product.a[flagged], product.stored, differ=made.differ, policy=policy)
    return settle(found, made.differ(found.rows), flagged, out=made.out, back=product.back)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Made:
    """`out` [m, n], the rows of it [f] that do not add up, and which rows [f, n] are not what the product made."""

    out: Tensor
    flagged: Tensor | None
    differ: Callable[[Tensor], Tensor]


def _made(product: CheckedRows) -> _Made:
    """The product, in one launch on a GPU, which keeps what its rows add up to and no accumulators."""
    a, known, back, total, device = product.a, product.stored, product.back, product.total, on_device(product.a)
    fused = total is None and device and device.written_checked(a, known, back)
    if fused:
        one, flagged = fused
        return _Made(out=one.out, flagged=flagged, differ=lambda rows: rows.sum(1).to(torch.int32) != one.sums[flagged])
    if total is None:
        total = backends.product(a.unsqueeze(0), known.weight.unsqueeze(0)).squeeze(0)
    out, flagged = write_checked(total, known.bias, back, offset=known.columns)
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
    out = written(flat, weight, bias=bias, back=WriteBack.of(multiplier, grid, dtype))
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
    product = CheckedRows(
        a=x.reshape(-1, x.shape[-1]),
        stored=SummedWeight(weight=weight, bias=bias, columns=columns, rows=rows),
        back=WriteBack.of(multiplier, grid, dtype),
    )
    (out,) = checked([product], on_uncorrectable=OnUncorrectable(policy=policy, site=site), events=events)
    return out.view(*x.shape[:-1], bias.shape[0])
