"""The cost of `RowAbft`: all executed operations, and the block size that needs fewest."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from radhard.machine import Shape
from radhard.protection.cost.models import Overhead, correct, detection, exposed_bits, kinds, overhead, probability
from radhard.protection.cost.operations import Operations
from radhard.protection.cost.shape import Block
from radhard.words import Words


@dataclass(frozen=True, kw_only=True)
class ExactRows:
    """Expected operations, faults in the product alone: rows with one faulty word, and with several."""

    words: Words = field(default_factory=Words)
    retries: int = 1

    def __call__(self, shape: Shape, block: Block, *, ber: float) -> Overhead:
        """Detection as in LB-ABFT; then the rows of faulty blocks."""
        block = block.clipped(shape)
        recovery, faulty, alone = Operations(), 0.0, block.k == shape.k
        for i, q, j, part, first in kinds(shape, block):
            word = probability(exposed_bits(part, self.words, first=first) // (part.m * part.n), ber=ber)
            none = (1.0 - word) ** part.n
            one = part.n * word * (1.0 - word) ** (part.n - 1)
            hit = probability(exposed_bits(part, self.words, first=first), ber=ber)
            row = self.row(part, alone=alone).times(one) + self.rows(part, alone=alone).times(max(0.0, 1 - none - one))
            recovery += (check_rows(part, first=first).times(hit) + row.times(part.m)).times(i * q * j)
            faulty += i * q * j * hit
        return overhead(shape, block, recovery=recovery, faulty_blocks=faulty, words=self.words, ber=ber)

    def least(self, shape: Shape, block: Block, *, ber: float) -> float:
        """Those of detection."""
        return detection(shape, block, words=self.words, ber=ber).arithmetic

    def row(self, part: Shape, *, alone: bool) -> Operations:
        """A row with one faulty word: found by weighted sums and put right, if these are stored."""
        if not part.stored:
            return self.rows(part, alone=alone)
        w, t = part.n, part.terms
        weighted = Operations(mul=2 * w + 2 * t, add=2 * (w - 1) + 2 * (t - 1) + 2)
        found = Operations(mul=w + 1, cmp=w + 1)
        put = Operations(add=correct(alone=alone).add)
        return weighted + found + put + self._recheck(w)

    def rows(self, part: Shape, *, alone: bool) -> Operations:
        """A row with several faulty words: the weighted sums find none, and all its words are computed again."""
        w, t = part.n, part.terms
        again = Operations(mul=w * t, add=w * (t - 1) + (0 if alone else 2 * w), cmp=w)
        if part.stored:
            again += Operations(mul=2 * w + 2 * t + w, add=2 * (w - 1) + 2 * (t - 1) + 2, cmp=w)
        return again + self._recheck(w)

    def _recheck(self, width: int) -> Operations:
        return Operations(add=width - 1, cmp=1) if self.retries else Operations()


def check_rows(part: Shape, *, first: bool) -> Operations:
    """The row sums of a block against what they must be."""
    m, k, n = part.m, part.terms, part.n
    return Operations(mul=m * k, add=(0 if first else m * n) + m * (n - 1) + m * (k - 1) + m, cmp=m)


def boxes(shape: Shape) -> Iterator[Block]:
    """Blocks of all proportions: along each axis 1, 2, 3, 4, 6, 8, 12, 16 ... and the whole of it."""
    axes = [[*(size for size in _sizes(whole) if size < whole), whole] for whole in (shape.m, shape.k, shape.n)]
    return (Block(m=m, k=k, n=n) for m, k, n in product(*axes))


def sheets(shape: Shape) -> Iterator[Block]:
    """The boxes that are as deep as the product: no running sum within a chain is read."""
    return (block for block in boxes(shape) if block.k == shape.k)


def _sizes(most: int) -> Iterator[int]:
    yield 1
    power = 2
    while power <= most:
        yield power
        yield power + power // 2
        power *= 2
