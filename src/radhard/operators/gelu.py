"""GELU (Hendrycks & Gimpel, 2016), x Phi(x): with erf, and its tanh approximation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.fx import Node
from torch.nn import functional

from radhard.machine import Arithmetic, Elementwise, NoteNonFinite, UnitInput, tensors
from radhard.machine.operator import OperatorRole
from radhard.operators.aten import Lowered, lowers

_ATEN = torch.ops.aten


@dataclass(frozen=True, kw_only=True)
class Gelu(Elementwise):
    """x [...] float -> [...]; `form` is torch's `approximate`: "none" for erf, "tanh"."""

    name: ClassVar[str] = "gelu"
    role: ClassVar[OperatorRole] = "activation"
    form: Literal["none", "tanh"] = "none"

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """x (1 + erf(x / sqrt 2)) / 2, or x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2."""
        (x,) = tensors(inputs)
        if self.form == "none":
            inner = m.special("erf", m.mul(x, math.sqrt(0.5)))
        else:
            cube = m.mul(m.mul(x, x), x)
            inner = m.special("tanh", m.mul(m.add(x, m.mul(cube, 0.044715)), math.sqrt(2.0 / math.pi)))
        return m.mul(m.mul(x, m.add(inner, 1.0)), 0.5)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's GELU."""
        del note
        (x,) = tensors(inputs)
        return functional.gelu(x, approximate=self.form)


@lowers(_ATEN.gelu.default)
def _gelu(x: Node, approximate: str = "none") -> Lowered:
    return Lowered(operator=Gelu(form="tanh" if approximate == "tanh" else "none"), inputs=(x,))
