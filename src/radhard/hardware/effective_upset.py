"""The sampler of effective upsets: one upset of a register, uniform over the cycles in which it reaches an output.

A word that an output depends on enters the array, moves from cell to cell or stays in one, and leaves: its life. Each
word of a tile has a home, the cell (row, column) of its products:

    dataflow  register  useful cycles of the word at home in (row, column): s = 0, 1 ... and where it is then
    output    a, b      k, in its cell, from cycle row + column on
    output    sum       in its cell, from cycle 0 to the end of the sums; then one cell further down a cycle
    weight    a         m, in its cell, from cycle rows + row + column on
    weight    weight    row + 1 on its way down, one cell a cycle; then in its cell, until the last row has passed
    weight    sum       m, in its cell, from cycle rows + row + column on; also in cells beyond the last term

An upset is a word and a cycle of its life, all equally likely.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from radhard.errors import InputError
from radhard.hardware.fault import Column, ImageProducts
from radhard.hardware.register_duty import parts
from radhard.hardware.register_upset import RegisterUpset
from radhard.hardware.systolic import Register, SystolicArray


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """Equal tiles of a product: `down` x `across` of them from tile `first` on, each `height` x `width` words at home.

    `useful`: cycles of the lives of all their words, in all groups.
    """

    name: str
    first: tuple[int, int]
    down: int
    across: int
    height: int
    width: int
    useful: int


@dataclass(frozen=True, kw_only=True)
class EffectiveUpsets:
    """The effective upsets of `register` while `array` computes the `products` of an image. InputError without these.

    >>> from radhard.hardware import EffectiveUpsets, ImageProducts, SystolicArray
    >>> product = ImageProducts(groups=1, m=50, k=96, n=288, terms=97)
    >>> upsets = EffectiveUpsets(array=SystolicArray(), products={"qkv": product}, register="sum")
    >>> name, upset = upsets.sample(seed=1)
    >>> name, upset.register, len(upset.effect(product).units)
    ('qkv', 'sum', 1)
    """

    array: SystolicArray
    products: Mapping[str, ImageProducts]
    register: Register

    def __post_init__(self) -> None:
        if not self.products:
            raise InputError("an upset of an array without products: give the products of one image at least")
        if self.register not in self.array.registers:
            known = ", ".join(self.array.registers)
            raise InputError(
                f"register={self.register!r}: a cell of an array with dataflow={self.array.dataflow!r} has {known}"
            )

    @property
    def useful(self) -> int:
        """Cycles of all words of an image: `register_duties` counts the same."""
        return int(self._bounds[-1])

    def sample(self, *, seed: int, trial: int = 0, image: int = 0) -> tuple[str, RegisterUpset]:
        """One of them and the product that it hits. It depends on seed, trial, image and this value alone."""
        array = self.array
        draw = np.random.default_rng((seed, trial, image, list(array.registers).index(self.register)))
        tiles = self._tiles[int(np.searchsorted(self._bounds, draw.integers(0, self.useful), side="right"))]
        product = self.products[tiles.name]
        longest = int(self._lives(tiles.name, tiles.height, tiles.width).max())
        while True:
            row, column = int(draw.integers(0, tiles.height)), int(draw.integers(0, tiles.width))
            age = int(draw.integers(0, longest))
            if age < self.life(product, row, column):
                break
        row, cycle = self.place(product, row, column, age)
        tile = (
            tiles.first[0] + int(draw.integers(0, tiles.down)),
            tiles.first[1] + int(draw.integers(0, tiles.across)),
        )
        upset = RegisterUpset(
            array=array,
            register=self.register,
            row=row,
            column=column,
            cycle=cycle,
            mask=1 << int(draw.integers(0, array.registers[self.register])),
            tile=tile,
            group=int(draw.integers(0, product.groups)),
            image=image,
        )
        return tiles.name, upset

    def life(self, product: ImageProducts, row: int, column: int) -> int:
        """Useful cycles of the word at home in a cell."""
        if self.array.dataflow == "output":
            return _end_of_sums(self.array, product) + self.array.rows - row if self.register == "sum" else product.k
        return product.m + (2 * row + 1 + column if self.register == "weight" else 0)

    def place(self, product: ImageProducts, row: int, column: int, age: int) -> tuple[int, int]:
        """The row of the cell in which the word at home in (row, column) is at this age, and the cycle."""
        array = self.array
        if array.dataflow == "output" and self.register == "sum":
            return row + max(0, age - _end_of_sums(array, product)), age
        if self.register == "weight":
            return min(age, row), array.rows - 1 - row + age
        return row, row + column + age + (array.rows if array.dataflow == "weight" else 0)

    @cached_property
    def _tiles(self) -> tuple[Tiles, ...]:
        array, found = self.array, []
        for name, product in self.products.items():
            along = product.m if array.dataflow == "output" else product.k
            top = 0
            for down, height in parts(along, array.rows):
                left = 0
                homes = array.rows if array.dataflow == "weight" and self.register == "sum" else height
                for across, width in parts(product.n, array.columns):
                    useful = product.groups * down * across * int(self._lives(name, homes, width).sum())
                    found.append(
                        Tiles(
                            name=name,
                            first=(top, left),
                            down=down,
                            across=across,
                            height=homes,
                            width=width,
                            useful=useful,
                        )
                    )
                    left += across
                top += down
        return tuple(found)

    @cached_property
    def _bounds(self) -> Column:
        return np.cumsum([tiles.useful for tiles in self._tiles])

    def _lives(self, name: str, height: int, width: int) -> Column:
        """The lives [height, width] of the words of a tile."""
        product = self.products[name]
        rows = np.array([self.life(product, row, 0) for row in range(height)], np.int64)
        columns = np.array([self.life(product, 0, column) for column in range(width)], np.int64)
        lives: Column = rows[:, None] + columns - rows[0]  # a row and a column add to a life apart
        return lives


def _end_of_sums(array: SystolicArray, product: ImageProducts) -> int:
    """The first cycle in which sums leave, where these stay in their cells."""
    return product.k + array.rows + array.columns - 2
