"""What tests of deployed models share: plans over a program, and accumulators whose bits flip."""

from collections.abc import Iterable

import numpy as np

from radhard.faults import Faulty, Flips
from radhard.machine import KINDS, Clean, MatrixProduct, Operator
from radhard.program import Apply, Program
from radhard.protection import Block, LbAbft, Protection, RowAbft, Scheme
from radhard.protection.schemes.row_check import RowCheckAbft

LB = LbAbft(block=Block(m=16, k=32, n=16))
ROW = RowAbft(block=Block(m=4, k=64, n=32))


def is_product(operator: Operator) -> bool:
    return isinstance(operator, MatrixProduct) and operator.write_back is not None


def products(program: Program) -> list[str]:
    return [s.site.name for s in program.steps if isinstance(s, Apply) and is_product(s.operator)]


def all_products(program: Program) -> Protection:
    schemes: tuple[Scheme, ...] = (LB, ROW)
    return Protection.of({name: schemes[place % 2] for place, name in enumerate(products(program))})


ROWS = RowCheckAbft()


def checked_rows(program: Program) -> Protection:
    """Every product checked by rows."""
    return Protection.of(dict.fromkeys(products(program), ROWS))


Hit = tuple[str, int, int, int]
"""A site, a place in the batch, a word of the output of that image, a bit."""


def hit_sums(program: Program, hits: Iterable[Hit]) -> Faulty:
    """The machine in which accumulators are hit after their last addition."""
    costs = {site.name: cost for site, cost in program.costs.items()}
    rows = [(image, site, word % costs[site].units, bit) for site, image, word, bit in hits]
    last = [costs[site].operations("add") // costs[site].units for _, site, _, _ in rows]
    names = tuple(sorted({site for _, site, _, _ in rows}))
    flips = Flips(
        sites=names,
        image=np.array([image for image, _, _, _ in rows], np.int64),
        site=np.array([names.index(site) for _, site, _, _ in rows], np.int64),
        kind=np.full(len(rows), KINDS.index("add"), np.int64),
        index=np.array([(word + 1) * each - 1 for (_, _, word, _), each in zip(rows, last, strict=True)], np.int64),
        bit=np.array([bit for _, _, _, bit in rows], np.int64),
    )
    return Faulty(Clean(), flips)


def flip_of(bit: int, *, bits: int = 32) -> int:
    """The word that flips a bit, as torch takes it."""
    return -(2 ** (bits - 1)) if bit == bits - 1 else 2**bit
