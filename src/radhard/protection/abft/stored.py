"""Weight checksums, computed once while the weight is trusted, and stored."""

from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.kernels.sums import BlockSums, weighted_sums, with_bias
from radhard.machine.matrices import Matrices


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredSums:
    """The `sums` [h, j, terms] of `weight` over blocks of `step` columns, its bias the last term, and weighted ones.

    `words` are tensors and what they held when the sums were made.
    """

    weight: Tensor
    step: int
    sums: BlockSums
    words: tuple[tuple[Tensor, Tensor], ...]

    @property
    def trusted(self) -> bool:
        """Whether neither the weight and its bias nor the sums have changed since."""
        return all(torch.equal(now, then) for now, then in self.words)


def store(products: Matrices, weight: Tensor, *, step: int) -> StoredSums:
    """Sum `weight`, which `products` take, over blocks of `step` columns."""
    sums = weighted_sums(with_bias(products.b, products.bias), step)
    held = (products.b, products.bias, sums.blocks, sums.all, sums.weighted)
    words = tuple((x, x.clone()) for x in held if x is not None)
    return StoredSums(weight=weight, step=step, sums=sums, words=words)
