"""The logistic function 1 / (1 + exp(-x)), and SiLU (Elfwing et al., 2018), x sigmoid(x)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from radhard.machine import Arithmetic, Elementwise, NoteNonFinite, UnitInput, tensors
from radhard.machine.operator import OperatorRole
from radhard.operators.aten import lowers


def _sigmoid(m: Arithmetic, x: Tensor) -> Tensor:
    return m.special("reciprocal", m.add(m.special("exp", -x), 1.0))


@lowers(torch.ops.aten.sigmoid.default)
@dataclass(frozen=True, kw_only=True)
class Sigmoid(Elementwise):
    """x [...] float -> [...] in [0, 1]."""

    name: ClassVar[str] = "sigmoid"
    role: ClassVar[OperatorRole] = "activation"

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One exponential, one addition, one reciprocal."""
        (x,) = tensors(inputs)
        return _sigmoid(m, x)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's sigmoid."""
        del note
        (x,) = tensors(inputs)
        return torch.sigmoid(x)


@lowers(torch.ops.aten.silu.default)
@dataclass(frozen=True, kw_only=True)
class Silu(Elementwise):
    """x [...] float -> x sigmoid(x) [...]; "swish" elsewhere."""

    name: ClassVar[str] = "silu"
    role: ClassVar[OperatorRole] = "activation"

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """A sigmoid and one multiplication."""
        (x,) = tensors(inputs)
        return m.mul(x, _sigmoid(m, x))

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's SiLU."""
        del note
        (x,) = tensors(inputs)
        return functional.silu(x)
