"""A timing error of an accumulator: one bit of one running sum comes too late, so that it keeps its value.

It is wrong only if the addition changes it: if a carry has rippled into it. The adder of an output-stationary array
adds a term to the sum in its cell, with the bias in it; that of a weight-stationary array adds it to the sum of the
tile's terms that comes from the cell above.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from radhard.errors import InputError
from radhard.hardware.fault import FaultEffect, ImageProducts, check_place
from radhard.hardware.fault_model import PlaceRecord, whole
from radhard.hardware.machine import strike
from radhard.hardware.systolic import SystolicArray
from radhard.machine import Operator, Site

SUM_BITS = 32


@dataclass(frozen=True, kw_only=True)
class TimingError:
    """Bit `bit` of the sum that takes term `term` of output (`row`, `column`) of `group` keeps the value it had before.

    >>> from radhard.hardware import ImageProducts, SystolicArray, TimingError
    >>> array = SystolicArray(rows=4, columns=4, dataflow="output")
    >>> product = ImageProducts(groups=1, m=6, k=8, n=10, terms=8)
    >>> TimingError(array=array, row=1, column=2, term=5, bit=30).effect(product).units.tolist()
    [12]
    """

    row: int
    column: int
    term: int
    bit: int
    group: int = 0
    array: SystolicArray = field(default_factory=SystolicArray)
    image: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.bit < SUM_BITS:
            raise InputError(f"bit {self.bit}: a sum has {SUM_BITS} bits, counted from 0")

    def effect(self, products: ImageProducts) -> FaultEffect:
        """One bit of one sum, if the addition changes it. InputError for a sum that the product lacks."""
        limits = {"group": products.groups, "row": products.m, "column": products.n, "term": products.k}
        for name, limit in limits.items():
            check_place(name, getattr(self, name), size=1, limit=limit)
        stays = self.array.dataflow == "weight"
        return FaultEffect(
            units=products.units(self.group, np.array([self.row]), np.array([self.column])),
            upset_at=self.term,
            upset_flip=np.array([1 << self.bit], np.int64),
            late=True,
            segment=self.array.rows if stays else 0,
            bias_first=not stays,
        )

    def strike(
        self, out: Tensor, operator: Operator, inputs: Sequence[Tensor | None], site: Site, *, images: Tensor
    ) -> None:
        """Recompute in place what it reaches of an operator's output `out`, for a batch of the `images` [B] int64."""
        strike(out, operator, inputs, site, self, images=images)

    def record(self) -> PlaceRecord:
        """Group, output, term and bit."""
        return {name: getattr(self, name) for name in ("group", "row", "column", "term", "bit")}

    @classmethod
    def from_record(cls, record: Mapping[str, object], *, array: SystolicArray, image: int) -> "TimingError":
        """The inverse of `record`. InputError for what is missing."""
        names = ("group", "row", "column", "term", "bit")
        return cls(array=array, image=image, **{name: whole(record, name) for name in names})
