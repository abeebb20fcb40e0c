"""Sums of a weight, made once while it is trusted, and kept."""

from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.protection.matrices import Matrices


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Sums [x, j, terms] int64 over each of the j blocks of rows or columns, and over `all` of them [x, terms]."""

    blocks: Tensor
    all: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Stored:
    """The sums of `weight` over blocks of `step` columns."""

    weight: Tensor
    step: int
    sums: Sums


def with_bias(products: Matrices) -> Tensor:
    """The weight [h, n, k] int8 -> [h, n, terms] int64: the bias is the last term."""
    wide = products.b.to(torch.int64)
    return wide if products.bias is None else torch.cat([wide, products.bias.to(torch.int64)[..., None]], 2)


def store(products: Matrices, weight: Tensor, *, step: int) -> Stored:
    """Sum `weight`, which `products` take, over blocks of `step` columns; a bias is the last term of each sum."""
    blocks = torch.stack([part.sum(1) for part in with_bias(products).split(step, 1)], 1)
    return Stored(weight=weight, step=step, sums=Sums(blocks=blocks, all=blocks.sum(1)))
