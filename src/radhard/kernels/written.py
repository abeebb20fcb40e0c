"""Integer matrix products with write-back: one kernel on a GPU; on a CPU a product and a second pass."""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from radhard.kernels import backends
from radhard.kernels.on_device import on_device
from radhard.kernels.write import Limits, write

_ANY_GRID = (0, -128, 127)


def written(
    a: Tensor,
    b: Tensor,
    *,
    bias: Tensor | None,
    multiplier: Tensor,
    dtype: torch.dtype,
    grid: Limits,
    spread: bool = False,
) -> Tensor:
    """`a` [..., m, k] int8 or uint8, `b` [..., n, k] int8, bias [n] int32 -> [..., m, n] `dtype`; groups broadcast.

    Accumulators plus bias leave as `radhard.kernels.write.write` writes them, times `multiplier` [1] or [n] float32.
    With `spread` a device may lay out words of 8 bits as suits who reads them; else they are contiguous.
    """
    device = on_device(a)
    if device is not None:
        how = {"multiplier": multiplier, "dtype": dtype, "limits": grid, "spread": spread}
        out: Tensor | None = device.written(a, b, bias=bias, **how)
        if out is not None:
            return out
    groups, n = groups_of(a, b), b.shape[-2]
    total = backends.product(grouped(a, groups), grouped(b, groups)).flatten(0, 1)
    whole = multiplier if len(multiplier) == n else multiplier.expand(n).contiguous()
    words = write(total, no_bias(n, a.device) if bias is None else bias, whole, dtype, grid=grid)
    return words.view(*groups, a.shape[-2], n)


def accumulated(a: Tensor, b: Tensor, *, bias: Tensor | None) -> Tensor:
    """As `written`, accumulators left as they are: [..., m, n] int32."""
    return written(a, b, bias=bias, multiplier=_one(a.device), dtype=torch.int32, grid=_ANY_GRID)


def groups_of(a: Tensor, b: Tensor) -> Sequence[int]:
    """The groups of products that leading axes of both make, broadcast."""
    left, right = a.shape[:-2], b.shape[:-2]
    return left if left == right else torch.broadcast_shapes(left, right)


def grouped(x: Tensor, groups: Sequence[int]) -> Tensor:
    """[..., r, c] -> [g, r, c], broadcast; copied only where no view will do, and then the words lie as before."""
    whole = x if list(x.shape[:-2]) == list(groups) else x.expand(*groups, *x.shape[-2:])
    if whole.stride(-2) == 1:
        return whole.mT.reshape(-1, x.shape[-1], x.shape[-2]).mT
    return whole.reshape(-1, *x.shape[-2:])


@cache
def no_bias(n: int, device: torch.device) -> Tensor:
    """A bias of zeros [n], that nobody writes to."""
    return torch.zeros(n, dtype=torch.int32, device=device)


@cache
def _one(device: torch.device) -> Tensor:
    return torch.ones(1, dtype=torch.float32, device=device)
