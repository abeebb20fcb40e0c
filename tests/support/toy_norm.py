"""A normalisation that no file of the package knows: each row divided by its greatest magnitude."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from radhard.machine import Arithmetic, Operator, UnitInput, Units, tensors
from radhard.machine.operator import OperatorRole, rows
from radhard.operators import lowers


@torch.library.custom_op("toy::norm", mutates_args=())
def toy_norm(x: Tensor) -> Tensor:
    """x [..., n] -> x over the greatest magnitude of its row."""
    return x / x.abs().amax(-1, keepdim=True).clamp(min=1.0)


@toy_norm.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


@lowers(torch.ops.toy.norm.default)
@dataclass(frozen=True, kw_only=True)
class ToyNorm(Operator):
    """x [..., n] -> x's shape."""

    name: ClassVar[str] = "toy-norm"
    role: ClassVar[OperatorRole] = "normalisation"

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """A row."""
        (x,) = tensors(inputs)
        return rows(x, (-1,))

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One reciprocal a row, one multiplication an element."""
        (x,) = tensors(inputs)
        return m.mul(x, m.special("reciprocal", x.abs().amax(-1, keepdim=True).clamp(min=1.0)))
