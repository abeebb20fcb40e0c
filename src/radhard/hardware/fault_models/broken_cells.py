"""The places of permanent faults: one broken cell of an array, in all products of an image.

Each image meets an array of its own. Which cell of it is broken, and how, is a number below the population (see
`radhard.hardware.positions`), which the array's sizes and the part of the cell name: neither the program, nor the sites
that are selected, nor the dataflow or the copies change it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from radhard.errors import InputError
from radhard.hardware.fault import ImageProducts
from radhard.hardware.fault_model import UpsetsByImage, whole
from radhard.hardware.positions import REGISTERS, positions
from radhard.hardware.stuck_at import CELL_PARTS, CellPart, StuckAt
from radhard.hardware.systolic import SystolicArray

CopiesOn = Literal["same", "other"]
EVERY_PRODUCT = "every product"
"""The site of a permanent fault in tables, where no sites are selected; else it is their names, with `;` between."""


def check_copies(copies: CopiesOn) -> None:
    """Raise InputError for another word."""
    if copies not in get_args(CopiesOn):
        raise InputError(f"copies={copies!r} is not known; choose from {', '.join(get_args(CopiesOn))}")


@dataclass(frozen=True, kw_only=True)
class BrokenCells:
    """All cells of the `array`; of a broken one, one bit of `part` is stuck at 0 or 1, or, if `dead`, all are at 0.

    `products`: those of one image at the sites that are selected, by their names; `selected`: whether some were.
    `in_copies`: whether the copies that redundancy executes meet the broken cell, too.
    """

    array: SystolicArray
    part: CellPart
    dead: bool
    in_copies: bool
    products: Mapping[str, ImageProducts]
    selected: bool

    @property
    def bits(self) -> int:
        """Cells; times bits and levels, where one bit is stuck."""
        return self.array.cells * (1 if self.dead else 2 * CELL_PARTS[self.part])

    def sample(self, images: Sequence[int], *, seed: int, trial: int = 0) -> UpsetsByImage:
        """One for each image: rows of cells, the cells of each, the bits of each from the least, 0 before 1."""
        site = ";".join(self.products) if self.selected else EVERY_PRODUCT
        population = f"{'dead' if self.dead else 'stuck'} {self.part} {self.array.rows} {self.array.columns}"
        found = UpsetsByImage()
        for image, number in positions(self.bits, population, stream=REGISTERS, images=images, seed=seed, trial=trial):
            cell, bit = (number, 0) if self.dead else divmod(number, 2 * CELL_PARTS[self.part])
            row, column = divmod(cell, self.array.columns)
            found[image] = site, self._fault(row=row, column=column, bit=bit // 2, level=bit % 2, image=image)
        return found

    def sites(self, site: str, upset: "BrokenCell") -> list[str]:
        """The sites of the products that the broken cell takes part in."""
        return [name for name in self._named(site) if upset.words(self.products[name])]

    def words(self, site: str, upset: "BrokenCell") -> int:
        """Outputs of all products that depend on what is stuck."""
        return sum(upset.words(self.products[name]) for name in self._named(site))

    def told(self, site: str, upset: "BrokenCell") -> str:
        """`bit 12 of sums of cell (3, 4) at 1, in 25 products`, `products of cell (3, 4) at 0 ...`, or `idle`."""
        reached = len(self.sites(site, upset))
        if not reached:
            return "idle"
        bit = "" if self.dead else f"bit {upset.mask.bit_length() - 1} of "
        words = f"words {self.part}" if self.part in ("a", "b") else f"{self.part}s"
        where = f"{reached} product{'s' * (reached > 1)}"
        return f"{bit}{words} of cell ({upset.row}, {upset.column}) at {upset.level}, in {where}"

    def upset(self, site: str, record: Mapping[str, object], *, image: int) -> "BrokenCell":
        """A broken cell by the columns of a table."""
        self._named(site)
        bit, level = (0, 0) if self.dead else (whole(record, "bit"), whole(record, "level"))
        if bit >= CELL_PARTS[self.part]:
            raise InputError(f"bit {bit}: a word {self.part} has {CELL_PARTS[self.part]} bits, counted from 0")
        return self._fault(row=whole(record, "row"), column=whole(record, "column"), bit=bit, level=level, image=image)

    def _fault(self, *, row: int, column: int, bit: int, level: int, image: int) -> "BrokenCell":
        mask = (1 << CELL_PARTS[self.part]) - 1 if self.dead else 1 << bit
        return BrokenCell(
            array=self.array, part=self.part, row=row, column=column, mask=mask, level=level, image=image
        )  # fmt: skip

    def _named(self, site: str) -> Collection[str]:
        """The sites that a table names."""
        if site == EVERY_PRODUCT:
            return self.products
        names = dict.fromkeys(name.strip() for name in site.split(";"))
        for name in names:
            if name not in self.products:
                known = ", ".join(self.products)
                raise InputError(f"site {name!r} has no product on the array; those that have: {known}")
        return names


@dataclass(frozen=True, kw_only=True)
class BrokenCell(StuckAt):
    """A stuck-at fault of the array that the inference of one image meets."""

    image: int

    def record(self) -> dict[str, str | int]:
        """Cell; bit and level, where one bit is stuck."""
        place: dict[str, str | int] = {"row": self.row, "column": self.column}
        if self.mask.bit_count() == 1:
            place |= {"bit": self.mask.bit_length() - 1, "level": self.level}
        return place
