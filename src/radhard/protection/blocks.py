"""Which block costs least: Algorithm 2 (OptBlockSizeSelection) of Xue et al., a search over all cubes.

The paper does not say which blocks it searches. Recovery repairs one faulty word, and its cost is bounded: blocks so
large that all of them are faulty cost less than the smaller ones that could be repaired. So blocks in which more than
`most_flips` flips are expected are no candidates.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from radhard.errors import InputError
from radhard.protection.cost import CostModel, Overhead
from radhard.protection.shape import Block, Shape, cube


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A block, and what it costs."""

    block: Block
    overhead: Overhead


def cubes(shape: Shape) -> Iterable[Block]:
    """The paper's candidates: cubes up to the largest size of the product, beyond which nothing changes."""
    return (cube(edge) for edge in range(1, max(shape.m, shape.k, shape.n) + 1))


def optimal_block(
    shape: Shape,
    *,
    ber: float,
    model: CostModel,
    most_flips: float = math.inf,
    candidates: Iterable[Block] | None = None,
) -> Choice:
    """The candidate (default: all cubes) with the fewest multiplications and additions; the first of equal ones.

    Raises InputError for a bit error rate that is no probability, and where no block expects so few flips.
    """
    if not 0.0 <= ber <= 1.0:
        raise InputError(f"ber={ber}: the bit error rate is a probability, from 0 to 1")
    choices = (
        Choice(block=block, overhead=model(shape, block, ber=ber))
        for block in (cubes(shape) if candidates is None else candidates)
    )
    possible = (choice for choice in choices if choice.overhead.flips <= most_flips)
    best = min(possible, key=lambda choice: choice.overhead.total.arithmetic, default=None)
    if best is None:
        raise InputError(
            f"ber={ber}: no block expects at most {most_flips:g} flips; allow more, or take a lower rate: at this one "
            "block-wise ABFT repairs nothing"
        )
    return best
