"""Algorithm 2 (OptBlockSizeSelection) of Xue et al.: searches all block sizes for the cheapest.

The paper does not say which blocks it searches. Recovery repairs one faulty word, and its cost is bounded: blocks so
large that all of them are faulty cost less than the smaller ones that could be repaired. So blocks in which more than
`most_flips` flips are expected are no candidates.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from radhard.errors import InputError
from radhard.machine import Shape
from radhard.protection.cost.models import CostModel, Overhead, Printed
from radhard.protection.cost.shape import Block, cube

MOST_CUBES = 200_000
"""Cubes of one search: some ten seconds of it."""


@dataclass(frozen=True, kw_only=True)
class PricedBlock:
    """A block, and what it costs."""

    block: Block
    overhead: Overhead


def cubes(shape: Shape) -> Iterable[Block]:
    """The paper's candidates: cubes up to the largest size of the product, beyond which nothing changes."""
    return (cube(edge) for edge in range(1, max(shape.m, shape.k, shape.n) + 1))


def _distinct(shape: Shape) -> Iterable[Block]:
    """Of the cubes that cut the product into as many blocks along each axis, the smallest: the best as printed."""
    sizes, edge = (shape.m, shape.k, shape.n), 1
    while edge <= max(sizes):
        yield cube(edge)
        fewer = ((size, -(-size // edge) - 1) for size in sizes)  # blocks along an axis, one less than now
        edge = min((-(-size // count) for size, count in fewer if count), default=max(sizes) + 1)


def _possible(
    shape: Shape, blocks: Iterable[Block], *, ber: float, model: CostModel, most_flips: float, last: float
) -> Iterable[PricedBlock]:
    """The blocks that expect at most `most_flips`, up to one that expects more than `last`."""
    for number, block in enumerate(blocks):
        if number >= MOST_CUBES:
            raise InputError(
                f"a product of {shape.m} x {shape.k} x {shape.n} has more than {MOST_CUBES:,} cubes to search: give "
                "the size of a block (--block), or fewer flips of one (--most-flips)"
            )
        choice = PricedBlock(block=block, overhead=model(shape, block, ber=ber))
        if choice.overhead.flips > last:
            return
        if choice.overhead.flips <= most_flips:
            yield choice


def _cheapest(
    shape: Shape, blocks: Iterable[Block], *, ber: float, model: CostModel, most_flips: float
) -> PricedBlock | None:
    """The cheapest that expects at most `most_flips`, the first of equal ones; what cannot be it is not priced."""
    bounds = [(model.least(shape, block, ber=ber), number, block) for number, block in enumerate(blocks)]
    found: tuple[float, int] = (math.inf, 0)
    best = None
    for bound, number, block in sorted(bounds, key=lambda one: one[:2]):
        if bound > found[0]:
            break
        choice = PricedBlock(block=block, overhead=model(shape, block, ber=ber))
        price = (choice.overhead.total.arithmetic, number)
        if choice.overhead.flips <= most_flips and (best is None or price < found):
            found, best = price, choice
    return best


def optimal_block(
    shape: Shape,
    *,
    ber: float,
    model: CostModel,
    most_flips: float = math.inf,
    candidates: Iterable[Block] | None = None,
) -> PricedBlock:
    """The candidate (default: all cubes) with the fewest multiplications and additions; the first of equal ones.

    Raises InputError for a bit error rate that is no probability, and where no block expects so few flips.
    """
    if not 0.0 <= ber <= 1.0:
        raise InputError(f"ber={ber}: the bit error rate is a probability, from 0 to 1")
    if candidates is not None:
        best = _cheapest(shape, candidates, ber=ber, model=model, most_flips=most_flips)
    else:
        blocks, last = cubes(shape), most_flips  # a larger cube expects more
        if isinstance(model, Printed):
            blocks, last = _distinct(shape), math.inf
        possible = _possible(shape, blocks, ber=ber, model=model, most_flips=most_flips, last=last)
        best = min(possible, key=lambda choice: choice.overhead.total.arithmetic, default=None)
    if best is None:
        raise InputError(
            f"ber={ber}: no block expects at most {most_flips:g} flips; allow more, or take a lower rate: at this one "
            "block-wise ABFT repairs nothing"
        )
    return best
