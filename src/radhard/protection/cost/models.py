"""Three cost models of block-wise ABFT, from Algorithm 2 as printed to an exact count of operations.

Each is a value; called with a product's shape, a block and a bit error rate r it gives the expected operations of
detection and of recovery. With `bits` exposed bits of each multiply-accumulate, one bit or more of N of them flips with
probability 1 - (1 - r)^(bits N).

`Printed` is Algorithm 2 of Xue et al. to the letter. It takes the number of blocks for the volume of one, and so holds
large blocks for less likely to be faulty than small ones. `Volume` puts the volume in its place, and cuts blocks at the
edges. Both count multiplications alone. `Exact` counts what `LbAbft` executes.

None of them knows whether a recovery succeeds. Once every block is faulty a larger one costs less again, and repairs
nothing: see `optimal_block`.
"""

import math
from dataclasses import dataclass, field
from itertools import product
from typing import Protocol

from radhard.errors import InputError
from radhard.machine import Shape
from radhard.protection.cost.operations import Operations
from radhard.protection.cost.shape import Block, pieces
from radhard.words import Words


def probability(bits: float, *, ber: float) -> float:
    """Probability that one or more of so many bits flip: 1 - (1 - r)^bits, to full precision for small r."""
    if bits == 0 or ber == 0.0:
        return 0.0
    return 1.0 if ber == 1.0 else -math.expm1(bits * math.log1p(-ber))


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """Expected operations, and what is behind them.

    `faulty` is the probability that the product is, `block_faulty` that a block is (the mean over blocks), `flips` the
    expected number of flips in a block that no edge cuts.
    """

    detection: Operations
    recovery: Operations
    faulty: float
    block_faulty: float
    flips: float

    @property
    def total(self) -> Operations:
        """Detection and recovery."""
        return self.detection + self.recovery


class CostModel(Protocol):
    """Expected overhead of a product cut into blocks."""

    def __call__(self, shape: Shape, block: Block, *, ber: float) -> Overhead:
        """Overhead of `shape` in blocks of `block` at bit error rate `ber`."""
        ...

    def least(self, shape: Shape, block: Block, *, ber: float) -> float:
        """Multiplications and additions that the overhead is not below, found more quickly than it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Printed:
    """Algorithm 2, lines 10 to 18, `blk` read as ceil(m/b) ceil(k/b) ceil(n/b); as printed, `bits` is 1."""

    bits: int = 1

    def __call__(self, shape: Shape, block: Block, *, ber: float) -> Overhead:
        """Raises InputError for a block that is no cube: the algorithm knows no other."""
        if not block.m == block.k == block.n:
            raise InputError(f"block {block}: Algorithm 2 knows cubes only; give one size, or take the exact model")
        b = block.m
        blocks = math.prod(block.count(shape))
        whole = probability(self.bits * shape.volume, ber=ber)
        one = probability(self.bits * blocks, ber=ber)
        return Overhead(
            detection=Operations(mul=shape.k + whole * blocks * b),
            recovery=Operations(mul=whole * blocks * one * 2 * b * b),
            faulty=whole,
            block_faulty=one,
            flips=ber * self.bits * blocks,
        )

    def least(self, shape: Shape, block: Block, *, ber: float) -> float:
        """None."""
        del shape, block, ber
        return 0.0


@dataclass(frozen=True, kw_only=True)
class Volume:
    """Algorithm 2 as its text means it: a block is faulty with the probability of its own volume.

    Where blocks are small beside the product the overhead is about m n k (1 / b^2 + 2 r' b^2), r' = r bits: least at
    b = (2 r')^(-1/4), whatever the product (`closed_form`).
    """

    bits: int = 48

    def __call__(self, shape: Shape, block: Block, *, ber: float) -> Overhead:
        """Blocks at the edges have the sizes that are left there."""
        whole = probability(self.bits * shape.volume, ber=ber)
        (rows, _, columns), blocks = block.count(shape), math.prod(block.count(shape))
        recovery, faulty = 0.0, 0.0
        axes = ((shape.m, block.m), (shape.k, block.k), (shape.n, block.n))
        for (_, i, m), (_, q, k), (_, j, n) in product(*(pieces(size, step) for size, step in axes)):
            expected = i * q * j * probability(self.bits * m * k * n, ber=ber)
            recovery += expected * (m * k + k * n)
            faulty += expected
        return Overhead(
            detection=Operations(mul=shape.k + whole * rows * columns * shape.k),
            recovery=Operations(mul=whole * recovery),
            faulty=whole,
            block_faulty=faulty / blocks,
            flips=ber * self.bits * math.prod(min(size, step) for size, step in axes),
        )

    def least(self, shape: Shape, block: Block, *, ber: float) -> float:
        """None."""
        del shape, block, ber
        return 0.0


def closed_form(*, ber: float, bits: int) -> float:
    """The edge of the cube that costs least by `Volume`, where nothing is cut off: (2 r bits)^(-1/4)."""
    return float((2 * ber * bits) ** -0.25)


@dataclass(frozen=True, kw_only=True)
class Exact:
    """Every operation that `LbAbft` executes: expected, with at most one faulty word in a block.

    The exposed bits are counted word by word: products, running sums and the addition of the bias. Without `retries` a
    repaired block is not checked.
    """

    words: Words = field(default_factory=Words)
    retries: int = 1

    def __call__(self, shape: Shape, block: Block, *, ber: float) -> Overhead:
        """Detection of the product always; of its blocks after an alarm; recovery of those that are faulty."""
        block = block.clipped(shape)
        recovery, faulty = Operations(), 0.0
        for i, q, j, part, first in kinds(shape, block):
            exposed = exposed_bits(part, self.words, first=first)
            expected = i * q * j * probability(exposed, ber=ber)
            one = residuals(part, first=first) + correct(alone=block.k == shape.k)
            recovery += (one + recheck(part) if self.retries else one).times(expected)
            faulty += expected
        return overhead(shape, block, recovery=recovery, faulty_blocks=faulty, words=self.words, ber=ber)

    def least(self, shape: Shape, block: Block, *, ber: float) -> float:
        """Those of detection."""
        return detection(shape, block, words=self.words, ber=ber).arithmetic


def overhead(
    shape: Shape, block: Block, *, recovery: Operations, faulty_blocks: float, words: Words, ber: float
) -> Overhead:
    """Detection, and `recovery` of the blocks of which so many are expected to be faulty."""
    return Overhead(
        detection=detection(shape, block, words=words, ber=ber),
        recovery=recovery,
        faulty=probability(exposed_bits(shape, words, first=True), ber=ber),
        block_faulty=faulty_blocks / math.prod(block.count(shape)),
        flips=ber * exposed_bits(Shape(m=block.m, k=block.k, n=block.n), words, first=False),
    )


def detection(shape: Shape, block: Block, *, words: Words, ber: float) -> Operations:
    """The check of the product always, and that of its blocks after an alarm."""
    faulty = probability(exposed_bits(shape, words, first=True), ber=ber)
    return detect(shape, block) + locate(shape, block).times(faulty)


def exposed_bits(part: Shape, words: Words, *, first: bool) -> int:
    """Bits of the words of a block, whose chains begin in it or before it.

    The first product of a chain is no addition; all others, and the bias, are added to the running sum.
    """
    sums = part.terms - 1 if first else part.terms
    return part.m * part.n * (part.k * words.product.exposed + sums * words.accumulator.exposed)


def kinds(shape: Shape, block: Block) -> list[tuple[int, int, int, Shape, bool]]:
    """Blocks of the same sizes: how many along m, k, n; the product that each is; whether its chains begin there."""
    slabs = block.count(shape)[1]
    along_k = [(1, min(block.k, shape.k), True)]
    if slabs > 1:
        along_k += [(slabs - 2, block.k, False), (1, shape.k - (slabs - 1) * block.k, False)]
    rows, columns = pieces(shape.m, block.m), pieces(shape.n, block.n)
    return [
        (i, q, j, Shape(m=m, k=k, n=n, bias=shape.bias and place == len(along_k) - 1, stored=shape.stored), first)
        for (_, i, m), (place, (q, k, first)), (_, j, n) in product(rows, enumerate(along_k), columns)
        if q
    ]


def detect(shape: Shape, block: Block) -> Operations:
    """The check of the whole product, from sums of blocks: sums of the output, of A, of B unless stored, one dot."""
    rows, slabs, columns = block.count(shape)
    output = slabs * (shape.m * shape.n - rows * columns) + rows * columns - 1
    encoding = (shape.m - 1) * shape.k + (0 if shape.stored else (shape.n - 1) * shape.k)
    return Operations(mul=shape.terms, add=output + encoding + shape.terms - 1, cmp=1)


def locate(shape: Shape, block: Block) -> Operations:
    """The checks of all blocks, whose sums are there.

    For each pair of a row and a column of blocks the dots of all slabs together have `terms` products and terms - slabs
    additions; the sum of a slab is a difference of running sums, slabs - 1 of them.
    """
    rows, slabs, columns = block.count(shape)
    return Operations(
        mul=rows * columns * shape.terms,
        add=rows * columns * (shape.terms - slabs) + rows * columns * (slabs - 1),
        cmp=rows * slabs * columns,
    )


def residuals(part: Shape, *, first: bool) -> Operations:
    """Row and column sums of one block against what they must be; later slabs are a difference of running sums."""
    m, k, n = part.m, part.terms, part.n
    return Operations(
        mul=m * k + k * n,
        add=(0 if first else m * n) + m * (n - 1) + n * (m - 1) + (m + n) * (k - 1) + m + n,
        cmp=m + n,
    )


def correct(*, alone: bool) -> Operations:
    """One word put right, after what its row and its column are off by was compared.

    Where its slab is not `alone`, what it lost is taken from the output.
    """
    return Operations(add=1 if alone else 3, cmp=1)


def recheck(part: Shape) -> Operations:
    """The sum of the repaired block, compared with the prediction that there is."""
    return Operations(add=part.m * part.n - 1, cmp=1)
