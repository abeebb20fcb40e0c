"""Quantisation grids: the 8-bit words that stand for numbers, and the word that stands for 0."""

from dataclasses import dataclass, field
from functools import cache, cached_property

import torch

LATER = {"later": True}
"""Metadata of a field that enters a program's digest only where it is not its default, so that programs from before the
field keep their digests."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The words `low` ... `high` that stand for numbers, `zero` for 0: a word is round(x / scale) + zero.

    They are of `dtype`, int8 or uint8. Moving by the zero point belongs to rounding and saturating, and is not exposed.
    """

    zero: int = 0
    low: int = -128
    high: int = 127
    dtype: torch.dtype = field(default=torch.int8, metadata=LATER)

    @cached_property
    def limits(self) -> tuple[int, int, int]:
        """(zero, low, high)."""
        return self.zero, self.low, self.high


SYMMETRIC = Grid()
UNSIGNED = Grid(low=0, high=255, dtype=torch.uint8)


@cache
def grid_of(zero: int, low: int, high: int, dtype: torch.dtype) -> Grid:
    """The grid of an operator's three numbers, where `dtype` is of 8 bits; of others any will do.

    >>> grid_of(0, 0, 255, torch.uint8) == UNSIGNED
    True
    """
    return Grid(zero=zero, low=low, high=high, dtype=torch.uint8 if dtype == torch.uint8 else torch.int8)
