"""What of a program can be protected: the matrix products that checksums fit, with their sizes, and more."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.machine import Clean, MatrixProduct, Operator, Shape, Site
from radhard.program import Program, run
from radhard.protection.abft.products import float_matrices, matrices
from radhard.protection.planning.bounds import Limits
from radhard.protection.schemes.registry import Takes
from radhard.words import Words


@dataclass(frozen=True, kw_only=True)
class Product:
    """A site whose operator is `count` matrix products an image, all of one `shape`."""

    site: Site
    shape: Shape
    count: int


@dataclass(frozen=True, kw_only=True)
class Products:
    """Those of a program by the name of their site, in the order of the program.

    `found` are those of int8 words, which checksums protect, `floats` those of float32 or bfloat16. `refused`: sites of
    products that checksums cannot protect, and why.
    """

    found: Mapping[str, Product]
    refused: Mapping[str, str]
    floats: Mapping[str, Product] = field(default_factory=dict)

    def of(self, takes: Takes) -> Mapping[str, Product]:
        """Those that a scheme which `takes` such can protect."""
        both = {"int8 products": self.found, "float products": self.floats}
        return both.get(takes, {**self.found, **self.floats})


@dataclass(frozen=True, kw_only=True, eq=False)
class Protectable:
    """What of `program` can be protected: its `products`, and its non-linear sites, whose outputs are within `limits`.

    `words` are those that its products compute in.
    """

    program: Program
    products: Products
    limits: Limits
    words: Words


def products_of(program: Program) -> Products:
    """The products of `program`."""
    machine = _Measuring()
    run(program.on_host, torch.zeros(1, *program.input_shape), machine)
    return Products(found=machine.found, refused=machine.refused, floats=machine.floats)


class _Measuring(Clean):
    """Computes, and notes the sizes of products."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Product] = {}
        self.refused: dict[str, str] = {}
        self.floats: dict[str, Product] = {}

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The kernel's output."""
        if isinstance(operator, MatrixProduct):
            try:
                products = matrices(operator, inputs, site)
            except InputError as error:
                self.refused[site.name] = str(error)
                with suppress(InputError):
                    products = float_matrices(operator, inputs, site)
                    self.floats[site.name] = Product(site=site, shape=products.shape, count=products.sizes[0])
            else:
                self.found[site.name] = Product(site=site, shape=products.shape, count=products.sizes[0])
        return super().apply(operator, inputs, site)
