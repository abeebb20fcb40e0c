"""Transient hardware faults: one event in one image that corrupts more than one bit of one word."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from radhard.errors import InputError
from radhard.hardware.fault import Column, FaultEffect, ImageProducts, check_mask, check_place

Factor = Literal["a", "b"]


@dataclass(frozen=True, kw_only=True)
class Area:
    """`height` x `width` words of C from (`row`, `column`) on, of one group of one image."""

    row: int
    column: int
    height: int = 1
    width: int = 1
    group: int = 0
    image: int = 0

    def units(self, products: ImageProducts) -> Column:
        """Its units, row by row."""
        for name, start, size, limit in (
            ("group", self.group, 1, products.groups),
            ("row", self.row, self.height, products.m),
            ("column", self.column, self.width, products.n),
        ):
            check_place(name, start, size=size, limit=limit)
        rows, columns = np.arange(self.row, self.row + self.height), np.arange(self.column, self.column + self.width)
        return products.units(self.group, rows, columns)


@dataclass(frozen=True, kw_only=True)
class AccumulatorUpset:
    """An upset of accumulators: once term `term` is added, the bits `mask` of all words of `area` flip."""

    area: Area
    term: int
    mask: int

    def __post_init__(self) -> None:
        check_mask(self.mask, 32)

    @property
    def image(self) -> int:
        """That of the area."""
        return self.area.image

    def effect(self, products: ImageProducts) -> FaultEffect:
        """One sum of each word."""
        return _upset(self.area, products, self.term, flip=lambda size: np.full(size, self.mask))


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """Once term `term` is added, the words of `area` are others: drawn with `seed`, or all 0 where it is None."""

    area: Area
    term: int
    seed: int | None

    @property
    def image(self) -> int:
        """That of the area."""
        return self.area.image

    def effect(self, products: ImageProducts) -> FaultEffect:
        """One sum of each word."""

        def words(size: int) -> Column:
            if self.seed is None:
                return np.zeros(size, np.int64)
            return np.random.default_rng(self.seed).integers(-(2**31), 2**31, size)

        return _upset(self.area, products, self.term, keep=0, flip=words)


@dataclass(frozen=True, kw_only=True)
class Misread:
    """A word of A (row `index`) or of B (column `index`), at `term`, reaches all its multipliers with bits flipped.

    `mask` are these bits. The word is sound in memory: whoever reads it there, as checks do, reads it right.
    """

    operand: Factor
    index: int
    term: int
    mask: int
    group: int = 0
    image: int = 0

    def __post_init__(self) -> None:
        if self.operand not in get_args(Factor):
            raise InputError(f"operand={self.operand!r} is not known; choose from a, b")
        check_mask(self.mask, 8)

    def effect(self, products: ImageProducts) -> FaultEffect:
        """One product of every output of the row or the column."""
        of_a = self.operand == "a"
        for name, at, limit in (
            ("group", self.group, products.groups),
            ("index", self.index, products.m if of_a else products.n),
            ("term", self.term, products.k),
        ):
            check_place(name, at, size=1, limit=limit)
        own = np.array([self.index])
        rows, columns = (own, np.arange(products.n)) if of_a else (np.arange(products.m), own)
        return FaultEffect(
            units=products.units(self.group, rows, columns),
            misread_at=self.term,
            misread_a=self.mask if of_a else 0,
            misread_b=0 if of_a else self.mask,
        )


@dataclass(frozen=True, kw_only=True)
class RowAddressFault:
    """A row-address fault: rows `first` and `second` of A are fetched one for the other, so are two rows of C."""

    first: int
    second: int
    group: int = 0
    image: int = 0

    def effect(self, products: ImageProducts) -> FaultEffect:
        """All sums of two rows."""
        check_place("group", self.group, size=1, limit=products.groups)
        for name in ("first", "second"):
            check_place(name, getattr(self, name), size=1, limit=products.m)
        if self.first == self.second:
            raise InputError(f"row {self.first} exchanged with itself: give two rows")
        own = np.arange(products.n)
        return FaultEffect(
            units=products.units(self.group, np.array([self.first, self.second]), own),
            reads=np.concatenate([own + products.n, own]),
        )


def _upset(
    area: Area, products: ImageProducts, term: int, *, flip: Callable[[int], Column], keep: int = -1
) -> FaultEffect:
    check_place("term", term, size=1, limit=products.terms)
    units = area.units(products)
    return FaultEffect(units=units, upset_at=term, upset_keep=keep, upset_flip=flip(len(units)))
