"""Weight checksums, computed once while the weight is trusted, and stored."""

from dataclasses import dataclass

from torch import Tensor

from radhard.kernels.sums import BlockSums, weighted_sums, with_bias
from radhard.machine.matrices import Matrices


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredSums:
    """The `sums` [h, j, terms] of `weight` over blocks of `step` columns, its bias the last term, and weighted ones."""

    weight: Tensor
    step: int
    sums: BlockSums


def store(products: Matrices, weight: Tensor, *, step: int) -> StoredSums:
    """Sum `weight`, which `products` take, over blocks of `step` columns."""
    return StoredSums(weight=weight, step=step, sums=weighted_sums(with_bias(products.b, products.bias), step))
