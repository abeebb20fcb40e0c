"""Upsets of the registers of a systolic array: one bit of one register, in one cycle, an inference."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from radhard.errors import InputError
from radhard.hardware.fault import ImageProducts
from radhard.hardware.fault_model import UpsetsByImage
from radhard.hardware.fault_models.array_products import array_of, products_on_array
from radhard.hardware.fault_models.registry import ArraySizes, fault_model
from radhard.hardware.permanent import Dataflow
from radhard.hardware.register_sampler import sample_register_upsets
from radhard.hardware.register_upset import RegisterUpset
from radhard.hardware.systolic import SystolicArray
from radhard.program import Program


@fault_model("registers", about="registers of a systolic array that computes the products of 8-bit words")
@dataclass(frozen=True, kw_only=True)
class RegisterUpsets:
    """One bit of one register of an array of `array` = (rows, columns) cells flips, in one cycle of an inference.

    It is uniform over all bits, cells and cycles of an image's products, also idle ones. `dataflow`: what stays in a
    cell, its sum (`output`) or its weight (`weight`). InputError for an array of size 0, or another dataflow.

    >>> import radhard as rh
    >>> rh.RegisterUpsets(array=(128, 128), dataflow="weight").title
    'registers of a 128x128 array, weight stationary'
    """

    stored: ClassVar[bool] = False
    unprotected: ClassVar[str] = ""
    array: ArraySizes = (16, 16)
    dataflow: Dataflow = "output"

    def __post_init__(self) -> None:
        _ = self.cells

    @property
    def cells(self) -> SystolicArray:
        """The array."""
        return array_of(self.array, self.dataflow)

    @property
    def title(self) -> str:
        """`registers of a 16x16 array, output stationary`."""
        rows, columns = self.array
        return f"registers of a {rows}x{columns} array, {self.dataflow} stationary"

    def places(self, program: Program, *, sites: Collection[str] | None = None) -> "RegisterPlaces":
        """The bit-cycles of one image. InputError where there is no product of 8-bit words, or one of floats."""
        return RegisterPlaces(array=self.cells, products=products_on_array(program, sites=sites))


@dataclass(frozen=True, kw_only=True)
class RegisterPlaces:
    """All bits of all cells in all cycles of the `products` of one image, by the names of their sites."""

    in_copies: ClassVar[bool] = False
    array: SystolicArray
    products: Mapping[str, ImageProducts]

    @property
    def bits(self) -> int:
        """Bits times cycles."""
        return sum(map(self.array.bit_cycles, self.products.values()))

    def sample(self, images: Sequence[int], *, seed: int, trial: int = 0) -> UpsetsByImage:
        """One for each image."""
        return dict(sample_register_upsets(self.array, self.products, images=images, seed=seed, trial=trial))

    def sites(self, site: str, upset: RegisterUpset) -> tuple[str, ...]:
        """The one that is hit; none where the register is idle."""
        return (site,) if self.words(site, upset) else ()

    def words(self, site: str, upset: RegisterUpset) -> int:
        """Outputs of the product that depend on the word in the register."""
        return len(upset.effect(self.products[site]).units)

    def told(self, site: str, upset: RegisterUpset) -> str:
        """`term 2 of row 1, in columns 6 to 7`, `sum of terms 0 to 4, of row 1, column 6`, or `idle`."""
        return upset.told(self.products[site])

    def upset(self, site: str, record: Mapping[str, object], *, image: int) -> RegisterUpset:
        """An upset by the columns of a table."""
        if site not in self.products:
            known = ", ".join(self.products)
            raise InputError(f"site {site!r} has no product on the array; those that have: {known}")
        found = RegisterUpset.from_record(record, array=self.array, image=image)
        found.effect(self.products[site])
        return found
