"""The matrix product operator, and the write-back of its accumulators.

C = A B: output (i, j) is a chain of k products A[i, t] B[t, j] and k - 1 running sums in the order t = 0, 1,
2 ..., or k with a bias. Words of 8 bits (A int8 or uint8, B int8) accumulate in int32 with the bias added there; the
result is left so, or written back in 8 bits (rounded, saturated) or as float32.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.kernels.chains import Chains, chains_of_rows
from radhard.kernels.octets import OCTETS
from radhard.kernels.write import WriteBack
from radhard.kernels.written import written
from radhard.machine.arithmetic import Arithmetic, Rows
from radhard.machine.matrices import Matrices, by_image, from_images
from radhard.machine.operator import NoteNonFinite, Operator, UnitInput, Units, unravel
from radhard.machine.site import Site


def written_back(m: Arithmetic, total: Tensor, multiplier: UnitInput, *, back: WriteBack) -> Tensor:
    """The definition of a write-back: accumulators [u] int32, multiplier [u] -> [u] of its type."""
    assert isinstance(multiplier, Tensor)
    value = m.scale(total.to(torch.float32), multiplier)
    return m.quantize(value, back.grid) if back.dtype in OCTETS else value


class MatrixProduct(Operator):
    """A linear layer, a convolution, a product of activations: a unit is a chain of products and running sums.

    Its first input is the left factor, its second the right one, with a third as the bias. With a `write_back` it
    computes in words of 8 bits: the left ones int8 or uint8, the right ones int8, the bias int32.
    """

    stored: ClassVar[bool]
    """Whether the right factor is a weight, which does not depend on the images."""
    write_back: WriteBack | None

    @abstractmethod
    def matrices(self, inputs: Sequence[Tensor | None], site: Site) -> Matrices:
        """One application as products of matrices, each of one image.

        Raises InputError, naming the site, where the images are rows or columns of one product.
        """

    def settings(self, right: Tensor) -> tuple[Any, ...]:
        """What `torch.ops.radhard.NAME`, of the operator's name, takes between the multiplier and the grid."""
        del right
        return ()

    def written_as(self, write_back: WriteBack | None, *, zero: int = 0) -> Self:
        """The same product of words of 8 bits, written so; the left words' zero point `zero` is what it pads with."""
        del zero
        return replace(self, write_back=write_back)  # type: ignore[type-var]

    @property
    def unwritten(self) -> Self:
        """The product that leaves its accumulators, int32 of words."""
        return self if self.write_back is None else replace(self, write_back=None)  # type: ignore[type-var]

    def dtype(self, left: Tensor) -> torch.dtype:
        """The type of its output for a left factor: words of 8 bits without a write-back leave int32 accumulators."""
        if self.write_back is not None:
            return self.write_back.dtype
        return torch.int32 if left.dtype in OCTETS else left.dtype

    def multipliers(self, inputs: Sequence[Tensor | None], index: Tensor) -> UnitInput:
        """The multiplier [u] of each of the units `index` [u]; what knows their columns need not gather factors."""
        return self.units(inputs).gather(index)[3]

    def multiplier(self, column: Tensor) -> Tensor | None:
        """The multiplier [u] of each of the columns [u]."""
        if self.write_back is None:
            return None
        of_all = self.write_back.multiplier
        return of_all.expand(len(column)) if of_all.numel() == 1 else of_all[column]

    def chains_of(self, left: Tensor, right: Tensor, *, out: Tensor, bias: Tensor | None) -> tuple[Chains, ...]:
        """Rows left [..., m, k], right [..., n, k] -> their chains, which write `out` [..., m, n]; none of floats."""
        if left.dtype not in OCTETS:
            return ()
        return (chains_of_rows(left, right, out, bias=bias, back=self.write_back),)

    def product(self, a: Tensor, b: Tensor, *, bias: Tensor | None, spread: bool = False) -> Tensor:
        """a [..., m, k] of 8 bits, b [..., n, k] int8, bias [n] int32 -> [..., m, n], written back or int32.

        Words are contiguous unless they may be `spread`.
        """
        return written(a, b, bias=bias, back=self.write_back, spread=spread)

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Products, running sums, write-back: of rows, columns, bias [u], multiplier [u] -> [u]."""
        a, b, bias, multiplier = inputs
        assert isinstance(a, Rows)
        assert isinstance(b, Rows)
        total = m.gemm(a, b, bias if isinstance(bias, Tensor) else None)
        return total if self.write_back is None else written_back(m, total, multiplier, back=self.write_back)


def scatter_flat(out: Tensor, index: Tensor, values: Tensor) -> None:
    """Results [u] to flat places [u] of an output, however it lies in memory."""
    if out.is_contiguous():
        out.view(-1)[index] = values
    else:
        out[unravel(index, tuple(out.shape))] = values


@dataclass(frozen=True, kw_only=True, eq=False)
class Gemm(MatrixProduct):
    """a [..., m, k], b [..., k, n] -> [..., m, n], both of them activations; batch axes broadcast."""

    name: ClassVar[str] = "matmul"
    stored: ClassVar[bool] = False
    write_back: WriteBack | None = None

    def _shape(self, a: Tensor, b: Tensor) -> tuple[int, ...]:
        groups = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        return (*groups, a.shape[-2], b.shape[-1])

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """[..., m, n] of the type that is written back."""
        a, b = operands(inputs)
        dtype = self.dtype(a)
        return torch.empty(self._shape(a, b), dtype=dtype, device=a.device)

    def multipliers(self, inputs: Sequence[Tensor | None], index: Tensor) -> Tensor | None:
        """Those of the columns, which are the last axis of the output."""
        return self.multiplier(index % operands(inputs)[1].shape[-1])

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """One output's chain: a row of a, a column of b, of the same group."""
        a, b = operands(inputs)
        shape = self._shape(a, b)
        left = a.expand(*shape[:-2], *a.shape[-2:])
        right = b.mT.expand(*shape[:-2], *b.mT.shape[-2:])

        def gather(index: Tensor) -> tuple[UnitInput, ...]:
            *group, row, column = unravel(index, shape)
            own = torch.arange(len(index), device=index.device)
            return (
                Rows(left[(*group, row)], own),
                Rows(right[(*group, column)], own),
                None,
                self.multiplier(column),
            )

        return Units(shape, gather, scatter_flat)

    def chains(self, inputs: Sequence[Tensor | None], out: Tensor) -> tuple[Chains, ...]:
        """Those of its outputs."""
        a, b = operands(inputs)
        shape = self._shape(a, b)
        rows = (a.expand(*shape[:-2], *a.shape[-2:]), b.mT.expand(*shape[:-2], *b.mT.shape[-2:]))
        return self.chains_of(*rows, out=out, bias=None)

    def matrices(self, inputs: Sequence[Tensor | None], site: Site) -> Matrices:
        """A product for each image and group."""
        a, b = operands(inputs)
        groups = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        if site.batch_axis is not None and site.batch_axis >= len(groups):
            raise InputError(
                f"site {site.name!r}: the images are rows or columns of one product, not products of their own; take "
                "it out of the plan"
            )
        (m, k), n = a.shape[-2:], b.shape[-1]
        left, right = (by_image(x.expand(*groups, *x.shape[-2:]).flatten(-2), site) for x in (a, b.mT))
        images, pieces = left.shape[:2]
        flat = [*groups, m * n]
        return Matrices(
            left=left.reshape(-1, m, k),
            sizes=(images * pieces, m, k),
            b=right.reshape(-1, n, k),
            bias=None,
            stored=False,
            slot=np.repeat(np.arange(images), pieces),
            piece=np.tile(np.arange(pieces), images),
            pieces=pieces,
            split=lambda out: by_image(out.flatten(-2), site).reshape(-1, m, n),
            merge=lambda total: from_images(total.reshape(images, pieces, -1), flat, site).unflatten(-1, (m, n)),
        )

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's matmul, or the exact integer product, written back."""
        del note
        a, b = operands(inputs)
        if a.dtype not in OCTETS:
            return a @ b
        return self.product(a, b.mT, bias=None, spread=True)


def operands(inputs: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
    """The first two inputs."""
    a, b = inputs[0], inputs[1]
    assert a is not None
    assert b is not None
    return a, b
