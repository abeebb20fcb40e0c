"""The type of a hardware fault: which outputs of a matrix product it reaches, and its effect on their sums.

Rows, columns and terms are counted within one product of one image, groups and heads apart; so a fault
does not depend on the batch. A permanent fault is there for every image and application, a transient fault hits one
image at one application.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from radhard.errors import InputError

Column = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ImageProducts:
    """The products of one image at one site: `groups` of m x k x n each, `terms` = k, or k + 1 with a bias."""

    groups: int
    m: int
    k: int
    n: int
    terms: int

    def units(self, group: int, rows: Column, columns: Column) -> Column:
        """`rows` x `columns` of a product -> canonical units [u] within the image, row by row."""
        return ((group * self.m + rows)[:, None] * self.n + columns).reshape(-1)


@dataclass(frozen=True, kw_only=True, eq=False)
class FaultEffect:
    """What becomes of the chains of units [u] int64; by default nothing.

    Term `misread_at` reads its words XOR `misread_a` and `misread_b`. What is stuck is so in the `span` terms from
    t = phase mod period on: the words that they read are AND `a_keep`, `b_keep` OR `a_put`, `b_put`, their products AND
    `product_keep` OR `product_put`, and the sums that they are added to AND `sum_keep` OR `sum_put`. After the last
    term come `idle` ones of words 0.

    The register of the sum after term `upset_at` (-1: before the first) is AND `upset_keep` XOR `upset_flip` [u]; if
    `late`, XOR those bits of it alone that the term has changed, so that they are as before. This register, and what is
    stuck of sums, holds the terms since the last multiple of `segment` (0: all of them), and if `bias_first` the bias
    before them. With either, the bias itself is added where nothing is stuck.

    Unit u reads the row of A of unit `reads[u]`.
    """

    units: Column
    misread_at: int = -1
    misread_a: int = 0
    misread_b: int = 0
    a_keep: int = -1
    a_put: int = 0
    b_keep: int = -1
    b_put: int = 0
    product_keep: int = -1
    product_put: int = 0
    sum_keep: int = -1
    sum_put: int = 0
    phase: int = 0
    span: int = 1
    period: int = 1
    idle: int = 0
    segment: int = 0
    bias_first: bool = False
    upset_at: int = -1
    upset_keep: int = -1
    upset_flip: Column | None = None
    late: bool = False
    reads: Column | None = None


class HardwareFault(Protocol):
    """A frozen value: which image is hit (None: every one, every time), and what becomes of its products."""

    @property
    def image(self) -> int | None:
        """The identity of the image that is hit; None for a permanent fault."""
        ...

    def effect(self, products: ImageProducts) -> FaultEffect:
        """What becomes of the products of one image. InputError for a place that they lack."""
        ...


def check_mask(mask: int, bits: int) -> None:
    """Raise InputError unless the mask selects some of so many low bits."""
    if not 0 < mask < 1 << bits:
        raise InputError(f"mask={mask:#x}: give the bits that change, of a word of {bits}")


def check_place(name: str, start: int, *, size: int, limit: int) -> None:
    """Raise InputError unless `size` places from `start` on are below `limit`."""
    if size < 1 or not 0 <= start <= limit - size:
        raise InputError(f"hardware fault at {name}={start}, {size} long: the product has {limit}, counted from 0")
