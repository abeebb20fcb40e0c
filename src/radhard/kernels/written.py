"""Integer matrix products with write-back: one kernel on a GPU; on a CPU a product and a second pass."""

from collections.abc import Sequence

import torch
from torch import Tensor

from radhard.kernels import backends
from radhard.kernels.on_device import on_device
from radhard.kernels.write import WriteBack, no_bias, unscaled, write


def written(a: Tensor, b: Tensor, *, bias: Tensor | None, back: WriteBack | None, spread: bool = False) -> Tensor:
    """`a` [..., m, k] int8 or uint8, `b` [..., n, k] int8, bias [n] int32 -> [..., m, n]; groups broadcast.

    Accumulators plus bias leave as `radhard.kernels.write.write` writes them, int32 without a write-back. With `spread`
    a device may lay out words of 8 bits as suits who reads them; else they are contiguous.
    """
    device = on_device(a)
    if device is not None:
        out: Tensor | None = device.written(a, b, bias=bias, back=back, spread=spread)
        if out is not None:
            return out
    groups, n = groups_of(a, b), b.shape[-2]
    left, right = grouped(a, groups), grouped(b, groups)
    bias, back = no_bias(n, a.device) if bias is None else bias, back or unscaled(a.device)
    at_once = backends.chosen(len(left), a.device).written
    if at_once is not None:
        words = at_once(left, right, bias.contiguous(), back)
    else:
        words = write(backends.product(left, right).flatten(0, 1), bias, back)
    return words.view(*groups, a.shape[-2], n)


def groups_of(a: Tensor, b: Tensor) -> Sequence[int]:
    """The groups of products that leading axes of both make, broadcast."""
    left, right = a.shape[:-2], b.shape[:-2]
    return left if left == right else torch.broadcast_shapes(left, right)


def grouped(x: Tensor, groups: Sequence[int]) -> Tensor:
    """[..., r, c] -> [g, r, c], broadcast; copied only where no view will do, and then the words lie as before."""
    if x.ndim == 2 and not groups:
        return x.unsqueeze(0)
    whole = x if list(x.shape[:-2]) == list(groups) else x.expand(*groups, *x.shape[-2:])
    if whole.stride(-2) == 1:
        return whole.mT.reshape(-1, x.shape[-1], x.shape[-2]).mT
    return whole.reshape(-1, *x.shape[-2:])
