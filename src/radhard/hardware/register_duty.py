"""The duty of an array's registers: the share of their cycles in which an upset reaches an output, in closed form.

A register of a cell is useful in a cycle if some output depends on the word that it then holds. Its upset may still be
masked by the numbers: by a factor 0, or by the write-back.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from radhard.errors import InputError
from radhard.hardware.fault import ImageProducts
from radhard.hardware.systolic import Register, SystolicArray


@dataclass(frozen=True, kw_only=True)
class RegisterDuty:
    """A register of `bits` in every cell: so many of all `cell_cycles` of an image are `useful`."""

    register: Register
    bits: int
    useful: int
    cell_cycles: int

    @property
    def duty(self) -> float:
        """The share of cycles that are useful: the probability that an upset at a random time reaches an output."""
        return self.useful / self.cell_cycles


def register_duties(array: SystolicArray, products: Iterable[ImageProducts]) -> tuple[RegisterDuty, ...]:
    """The duty of each register while the array computes `products`, those of one image. InputError if there are none.

    >>> from radhard.hardware import ImageProducts, SystolicArray, register_duties
    >>> product = ImageProducts(groups=1, m=197, k=768, n=768, terms=769)
    >>> for found in register_duties(SystolicArray(rows=128, columns=128, dataflow="output"), [product]):
    ...     print(f"{found.register:4} {found.duty:.3f}")
    a    0.514
    b    0.514
    sum  0.734
    """
    useful, total = dict.fromkeys(array.registers, 0), 0
    for product in products:
        total += array.cell_cycles(product)
        for register, cycles in (_of_output if array.dataflow == "output" else _of_weight)(array, product):
            useful[register] += product.groups * cycles
    if not total:
        raise InputError("the duty of an array without products: give the products of one image at least")
    return tuple(
        RegisterDuty(register=register, bits=bits, useful=useful[register], cell_cycles=total)
        for register, bits in array.registers.items()
    )


def _of_output(array: SystolicArray, product: ImageProducts) -> Iterator[tuple[Register, int]]:
    computing = product.k + array.rows + array.columns - 2
    for down, height in parts(product.m, array.rows):
        for across, width in parts(product.n, array.columns):
            tiles, cells = down * across, height * width
            yield "a", tiles * cells * product.k
            yield "b", tiles * cells * product.k
            # row q leaves after array.rows - q cycles
            leaving = width * (height * array.rows - height * (height - 1) // 2)
            yield "sum", tiles * (cells * computing + leaving)


def _of_weight(array: SystolicArray, product: ImageProducts) -> Iterator[tuple[Register, int]]:
    for down, height in parts(product.k, array.rows):
        for across, width in parts(product.n, array.columns):
            tiles, cells = down * across, height * width
            yield "a", tiles * cells * product.m
            entering = width * height * (height + 1) // 2  # the weight of row q passes q cells and stays for a cycle
            waiting = width * height * (height - 1) // 2 + height * width * (width - 1) // 2  # r + c cycles each
            yield "weight", tiles * (entering + waiting + cells * product.m)
            yield "sum", tiles * array.rows * width * product.m  # cells below the last term pass sums on


def parts(limit: int, size: int) -> list[tuple[int, int]]:
    """How many tiles of which length make up `limit`: whole ones, and one that is not."""
    whole, rest = divmod(limit, size)
    return [(count, length) for count, length in ((whole, size), (1, rest)) if count and length]
