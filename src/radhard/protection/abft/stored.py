"""Weight checksums, computed once while the weight is trusted, and stored."""

from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.machine.matrices import Matrices


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockSums:
    """Sums [x, j, terms] int64 over each of the j blocks of rows or columns, and over `all` of them [x, terms]."""

    blocks: Tensor
    all: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredSums:
    """The sums of `weight` over blocks of `step` columns.

    `weighted` [h, j, 2, terms] int64 are those in which columns 1, 2, 3 ... of a block count as often as their number,
    and as its square: what they are off by says which column is.
    """

    weight: Tensor
    step: int
    sums: BlockSums
    weighted: Tensor


def with_bias(products: Matrices) -> Tensor:
    """The weight [h, n, k] int8 -> [h, n, terms] int64: the bias is the last term."""
    wide = products.b.to(torch.int64)
    return wide if products.bias is None else torch.cat([wide, products.bias.to(torch.int64)[..., None]], 2)


def store(products: Matrices, weight: Tensor, *, step: int) -> StoredSums:
    """Sum `weight`, which `products` take, over blocks of `step` columns; a bias is the last term of each sum."""
    parts = with_bias(products).split(step, 1)
    blocks = torch.stack([part.sum(1) for part in parts], 1)
    weighted = torch.stack([torch.stack([_weighted(part, of) for of in (1, 2)], 1) for part in parts], 1)
    return StoredSums(weight=weight, step=step, sums=BlockSums(blocks=blocks, all=blocks.sum(1)), weighted=weighted)


def _weighted(part: Tensor, power: int) -> Tensor:
    """[h, n, terms] int64 -> its sum over columns 1 ... n, each times its number to the power of 1 or 2: [h, terms].

    Not a matrix product, which there is none of int64 on a GPU.
    """
    return (part * numbers(part.shape[1], part.device)[:, power - 1, None]).sum(1)


def numbers(size: int, device: torch.device) -> Tensor:
    """Columns 1 ... size and the squares of these: [size, 2] int64."""
    one = torch.arange(1, size + 1, device=device)
    return torch.stack([one, one * one], 1)
