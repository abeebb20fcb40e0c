"""An operator that no file of the package knows: sqrt(x^2 + y^2), which `torch.hypot` is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from radhard.machine import Arithmetic, Elementwise, NoteNonFinite, UnitInput, tensors
from radhard.operators import lowers


@lowers(torch.ops.aten.hypot.default)
@dataclass(frozen=True, kw_only=True)
class ToyHypot(Elementwise):
    """x [...], y [...], broadcast -> [...]."""

    name: ClassVar[str] = "toy-hypot"

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Two squares, their sum, one square root."""
        x, y = tensors(inputs)
        return m.special("sqrt", m.add(m.mul(x, x), m.mul(y, y)))

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """The same of whole tensors."""
        del note
        x, y = tensors(inputs)
        return (x * x + y * y).sqrt()
