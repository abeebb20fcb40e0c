"""The sampler of register upsets: one upset an image, uniform over all bits of all cells in all cycles.

Its address (`radhard.hardware.positions`) is a number below the bit-cycles of the image: product after product, in each
the order (group, tile down, tile across, cycle, row, column, bit), where the bits of a cell are those of its registers
in their order. The array and the products name the population.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

from radhard.errors import InputError
from radhard.hardware.fault import ImageProducts
from radhard.hardware.positions import REGISTERS, positions
from radhard.hardware.register_upset import RegisterUpset
from radhard.hardware.systolic import SystolicArray


def sample_register_upset(
    array: SystolicArray, products: Mapping[str, ImageProducts], *, seed: int, trial: int = 0, image: int = 0
) -> tuple[str, RegisterUpset]:
    """One upset while `array` computes the `products` of one image, and the name of the product that it hits.

    Most upsets of a real program hit idle registers (`register_duties`): their effect is empty. InputError if there are
    no products, or for a number out of range.

    >>> from radhard.hardware import ImageProducts, SystolicArray, sample_register_upset
    >>> product = ImageProducts(groups=1, m=50, k=96, n=288, terms=97)
    >>> name, upset = sample_register_upset(SystolicArray(), {"qkv": product}, seed=1)
    >>> name, upset.register, upset.image
    ('qkv', 'sum', 0)
    """
    ((_, found),) = sample_register_upsets(array, products, images=[image], seed=seed, trial=trial).items()
    return found


def sample_register_upsets(
    array: SystolicArray, products: Mapping[str, ImageProducts], *, images: Sequence[int], seed: int, trial: int = 0
) -> dict[int, tuple[str, RegisterUpset]]:
    """The upset of each of `images`, and the name of the product that it hits: as `sample_register_upset` has it."""
    ends = list(accumulate(map(array.bit_cycles, products.values())))
    if not ends or not ends[-1]:
        raise InputError("an upset of an array without products: give the products of one image at least")
    names, found = list(products), {}
    numbers = positions(ends[-1], _population(array, products), stream=REGISTERS, images=images, seed=seed, trial=trial)
    for image, number in numbers:
        place = bisect_right(ends, number)
        before = ends[place - 1] if place else 0
        found[image] = names[place], _at(array, products[names[place]], number - before, image=image)
    return found


def _at(array: SystolicArray, product: ImageProducts, position: int, *, image: int = 0) -> RegisterUpset:
    """The upset number `position` of the bit-cycles of a product."""
    down, across = array.tiles(product)
    sizes = (down, across, array.cycles(product), array.rows, array.columns, sum(array.registers.values()))
    place = []
    for size in reversed(sizes):
        position, own = divmod(position, size)
        place.append(own)
    bit, column, row, cycle, right, below = place
    masks = [(register, 1 << bit) for register, bits in array.registers.items() for bit in range(bits)]
    register, mask = masks[bit]
    return RegisterUpset(
        array=array,
        register=register,
        row=row,
        column=column,
        cycle=cycle,
        mask=mask,
        tile=(below, right),
        group=position,
        image=image,
    )


def _population(array: SystolicArray, products: Mapping[str, ImageProducts]) -> str:
    lines = [f"{array.rows} {array.columns} {array.dataflow}"]
    lines += [f"{name} {p.groups} {p.m} {p.k} {p.n}" for name, p in products.items()]
    return "\n".join(lines)
