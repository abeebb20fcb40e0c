"""Root-mean-square normalisation (Zhang & Sennrich, 2019) over the last axes: scale only, no mean, no shift."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.fx import Node
from torch.nn import functional

from radhard.machine import Arithmetic, NoteNonFinite, Operator, UnitInput, Units
from radhard.machine.operator import OperatorRole
from radhard.operators.aten import Lowered, lowers
from radhard.operators.layer_norm import rows_with_parameters

_ATEN = torch.ops.aten


@dataclass(frozen=True, kw_only=True)
class RmsNorm(Operator):
    """x [..., *shape], weight [*shape] or None -> x's shape; every row of `shape` has mean square 1."""

    name: ClassVar[str] = "rms_norm"
    role: ClassVar[OperatorRole] = "normalisation"
    shape: tuple[int, ...]
    eps: float = 1e-6

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """A row."""
        return rows_with_parameters(inputs, rank=len(self.shape))

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """x / sqrt(mean(x^2) + eps) * weight."""
        x, weight = inputs
        assert isinstance(x, Tensor)
        square = m.mul(m.sum(m.mul(x, x)), 1.0 / math.prod(self.shape))
        y = m.mul(x, m.special("rsqrt", m.add(square, self.eps)))
        return m.mul(y, weight) if isinstance(weight, Tensor) else y

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's RMS normalisation."""
        del note
        x, weight = inputs
        assert x is not None
        return functional.rms_norm(x, self.shape, weight, self.eps)


@lowers(_ATEN.rms_norm.default)
def _rms_norm(x: Node, shape: Sequence[int], weight: Node | None = None, eps: float | None = None) -> Lowered:
    smallest = torch.finfo(torch.float32).eps
    operator = RmsNorm(shape=tuple(shape), eps=smallest if eps is None else eps)
    return Lowered(operator=operator, inputs=(x, weight))
