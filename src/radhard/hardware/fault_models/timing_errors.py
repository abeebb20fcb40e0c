"""Timing errors: one bit of one running sum of an inference comes too late, most often a high one."""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import numpy as np

from radhard.errors import InputError
from radhard.hardware.fault import ImageProducts
from radhard.hardware.fault_model import UpsetsByImage
from radhard.hardware.fault_models.array_products import array_of, products_on_array
from radhard.hardware.fault_models.registry import ArraySizes, fault_model
from radhard.hardware.permanent import Dataflow
from radhard.hardware.positions import REGISTERS, positions
from radhard.hardware.systolic import SystolicArray
from radhard.hardware.timing_error import SUM_BITS, TimingError
from radhard.program import Program

MOST = 32
"""The largest `halving`: then the lowest bit comes late half as often as the highest."""


@fault_model("timing", about="a running sum of a systolic array of which one bit comes too late")
@dataclass(frozen=True, kw_only=True)
class TimingErrors:
    """One bit of one running sum of an inference keeps the value that it had before the addition.

    The sum is uniform over all sums of all products; of a bit that the addition leaves as it is nothing is wrong. Bit b
    is chosen with a probability in proportion to 2 ** ((b - 31) / `halving`): it halves with every `halving` bits below
    the highest. `array`, `dataflow`: as `RegisterUpsets` has them.

    That high bits come late first is what near-threshold accumulators show (ReaLM, DAC 2025, adds 2 ** 30); how fast
    the probability falls below them we have no number for, so the 4 is an assumption. InputError for a number that is
    not from 1 to 32.

    >>> import radhard as rh
    >>> rh.TimingErrors(halving=2).title
    'accumulators of a 16x16 array, output stationary'
    """

    stored: ClassVar[bool] = False
    unprotected: ClassVar[str] = ""
    event: ClassVar[str] = "timing error"
    array: ArraySizes = (16, 16)
    dataflow: Dataflow = "output"
    halving: int = 4

    def __post_init__(self) -> None:
        if type(self.halving) is not int or not 1 <= self.halving <= MOST:
            raise InputError(f"halving={self.halving!r}: give a whole number of bits from 1 to {MOST}")
        _ = self.cells

    @property
    def cells(self) -> SystolicArray:
        """The array."""
        return array_of(self.array, self.dataflow)

    @property
    def title(self) -> str:
        """`accumulators of a 16x16 array, output stationary`."""
        return f"accumulators of a {self.array[0]}x{self.array[1]} array, {self.dataflow} stationary"

    def places(self, program: Program, *, sites: Collection[str] | None = None) -> "RunningSums":
        """The sums of one image. InputError where there is no product of 8-bit words, or one of floats."""
        products = products_on_array(program, sites=sites)
        return RunningSums(array=self.cells, products=products, halving=self.halving)


@dataclass(frozen=True, kw_only=True)
class RunningSums:
    """All running sums of the `products` of one image, by the names of their sites: one for each term."""

    in_copies: ClassVar[bool] = False
    array: SystolicArray
    products: Mapping[str, ImageProducts]
    halving: int

    @property
    def bits(self) -> int:
        """Sums."""
        return sum(map(_sums, self.products.values()))

    def sample(self, images: Sequence[int], *, seed: int, trial: int = 0) -> UpsetsByImage:
        """One for each image: product after product, in each the order (group, row, column, term)."""
        ends, highest = list(accumulate(map(_sums, self.products.values()))), list(accumulate(weights(self.halving)))
        names, found = list(self.products), UpsetsByImage()
        lines = "\n".join(["sums", *(f"{name} {p.groups} {p.m} {p.k} {p.n}" for name, p in self.products.items())])
        sums = positions(ends[-1], lines, stream=REGISTERS, images=images, seed=seed, trial=trial)
        bits = positions(highest[-1], f"late {lines}", stream=REGISTERS, images=images, seed=seed, trial=trial)
        for (image, number), (_, weight) in zip(sums, bits, strict=True):
            place = bisect_right(ends, number)
            product = self.products[names[place]]
            shape = (product.groups, product.m, product.n, product.k)
            at = np.unravel_index(number - (ends[place - 1] if place else 0), shape)
            group, row, column, term = (int(x) for x in at)
            bit = bisect_right(highest, weight)
            found[image] = (
                names[place],
                TimingError(array=self.array, group=group, row=row, column=column, term=term, bit=bit, image=image),
            )
        return found

    def sites(self, site: str, upset: TimingError) -> tuple[str, ...]:
        """The one that is hit."""
        del upset
        return (site,)

    def words(self, site: str, upset: TimingError) -> int:
        """The output of the sum."""
        return len(upset.effect(self.products[site]).units)

    def told(self, site: str, upset: TimingError) -> str:
        """`bit 30 of the sum with term 5 of row 1, column 2, if it changes there`."""
        del site
        where = f"row {upset.row}, column {upset.column}"
        return f"bit {upset.bit} of the sum with term {upset.term} of {where}, if it changes there"

    def upset(self, site: str, record: Mapping[str, object], *, image: int) -> TimingError:
        """A timing error by the columns of a table."""
        if site not in self.products:
            known = ", ".join(self.products)
            raise InputError(f"site {site!r} has no product on the array; those that have: {known}")
        found = TimingError.from_record(record, array=self.array, image=image)
        found.effect(self.products[site])
        return found


def weights(halving: int) -> list[int]:
    """How often each bit of a sum comes late, from the least: 2 ** 32 for the highest, rounded."""
    return [round(2.0 ** (32 - (SUM_BITS - 1 - bit) / halving)) for bit in range(SUM_BITS)]


def _sums(product: ImageProducts) -> int:
    return product.groups * product.m * product.n * product.k
