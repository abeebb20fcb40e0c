"""Softmax over one axis: subtract the maximum, exponentiate, divide by the running sum."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.fx import Node
from torch.nn import functional

from radhard.machine import Arithmetic, NoteNonFinite, Operator, UnitInput, Units, rows, tensors
from radhard.operators.aten import Lowered, in_float32, lowers

_ATEN = torch.ops.aten


@dataclass(frozen=True, kw_only=True)
class Softmax(Operator):
    """x [..., n, ...] float -> the same shape, rows along `dim` in [0, 1] with sum 1."""

    name: ClassVar[str] = "softmax"
    dim: int = -1

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """A row."""
        (x,) = tensors(inputs)
        return rows(x, (self.dim,))

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """y = exp(x - max) / sum(exp(x - max)), the division as a reciprocal and products."""
        (x,) = tensors(inputs)
        exponentials = m.special("exp", m.add(x, -m.largest(x)))
        return m.mul(exponentials, m.special("reciprocal", m.sum(exponentials)))

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's softmax."""
        del note
        (x,) = tensors(inputs)
        return functional.softmax(x, self.dim)


@lowers(_ATEN.softmax.int)
def _softmax(x: Node, dim: int, dtype: Any = None) -> Lowered:
    in_float32("softmax", dtype)
    return Lowered(operator=Softmax(dim=dim), inputs=(x,))


@lowers(_ATEN._softmax.default)
def _softmax_plain(x: Node, dim: int, half_to_float: object) -> Lowered:
    del half_to_float
    return Lowered(operator=Softmax(dim=dim), inputs=(x,))
