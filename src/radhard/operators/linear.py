"""Linear layers: a matrix product with stored weights, and a bias added in the accumulator."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.fx import Node
from torch.nn import functional

from radhard.kernels.chains import Chains
from radhard.kernels.octets import OCTETS
from radhard.machine import NoteNonFinite, Rows, Site, UnitInput, Units, WriteBack
from radhard.machine.gemm import MatrixProduct, operands, scatter_flat
from radhard.machine.matrices import Matrices, by_image, from_images
from radhard.operators.aten import Lowered, lowers

_ATEN = torch.ops.aten


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear(MatrixProduct):
    """x [..., k], weight [n, k], bias [n] or None -> [..., n]; with a `write_back`, 8 bits x int8 with int32 bias."""

    name: ClassVar[str] = "linear"
    stored: ClassVar[bool] = True
    write_back: WriteBack | None = None

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """[..., n] of the type that is written back."""
        x, weight = operands(inputs)
        dtype = self.dtype(x)
        return torch.empty(*x.shape[:-1], weight.shape[0], dtype=dtype, device=x.device)

    def multipliers(self, inputs: Sequence[Tensor | None], index: Tensor) -> Tensor | None:
        """Those of the columns, which are the last axis of the output."""
        return self.multiplier(index % operands(inputs)[1].shape[0])

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """One output's chain: a row of x, a row of the weight."""
        x, weight = operands(inputs)
        bias, n = inputs[2], weight.shape[0]
        flat = x.reshape(-1, x.shape[-1])

        def gather(index: Tensor) -> tuple[UnitInput, ...]:
            row, column = index // n, index % n
            return (
                Rows(flat, row),
                Rows(weight, column),
                None if bias is None else bias[column],
                self.multiplier(column),
            )

        return Units((*x.shape[:-1], n), gather, scatter_flat)

    def chains(self, inputs: Sequence[Tensor | None], out: Tensor) -> tuple[Chains, ...]:
        """Those of its outputs."""
        x, weight = operands(inputs)
        return self.chains_of(x.reshape(-1, x.shape[-1]), weight, out=out, bias=inputs[2])

    def matrices(self, inputs: Sequence[Tensor | None], site: Site) -> Matrices:
        """A product for each image, all with the same weight."""
        x, weight = operands(inputs)
        bias, shape = inputs[2], [*x.shape[:-1], weight.shape[0]]
        a = by_image(x, site)
        return Matrices(
            left=a,
            sizes=(a.shape[0], a.shape[1], a.shape[2]),
            b=weight[None],
            bias=None if bias is None else bias[None],
            stored=True,
            slot=np.arange(len(a)),
            piece=np.zeros(len(a), np.int64),
            pieces=1,
            split=lambda out: by_image(out, site),
            merge=lambda total: from_images(total, shape, site),
        )

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's linear, or the exact integer product, written back."""
        del note
        x, weight = operands(inputs)
        if x.dtype not in OCTETS:
            return functional.linear(x, weight, inputs[2])
        return self.product(x.reshape(-1, x.shape[-1]), weight, bias=inputs[2]).view(*x.shape[:-1], -1)


@lowers(_ATEN.linear.default)
def _linear(x: Node, weight: Node, bias: Node | None = None) -> Lowered:
    return Lowered(operator=Linear(), inputs=(x, weight, bias))
