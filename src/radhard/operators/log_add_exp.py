"""log(exp(x) + exp(y)) without overflow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from radhard.machine import Arithmetic, Elementwise, NoteNonFinite, UnitInput, tensors
from radhard.operators.aten import lowers


@lowers(torch.ops.aten.logaddexp.default)
@dataclass(frozen=True, kw_only=True)
class LogAddExp(Elementwise):
    """log(exp(x) + exp(y)), broadcast; of two equal infinities it is that one."""

    name: ClassVar[str] = "log_add_exp"

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """max + log1p(exp(min - max)): two additions, one exponential, one logarithm."""
        x, y = tensors(inputs)
        largest, least = torch.maximum(x, y), torch.minimum(x, y)
        apart = torch.where((x == y) & x.isinf(), 0.0, m.add(least, -largest))
        return m.add(largest, m.special("log1p", m.special("exp", apart)))

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's logaddexp."""
        del note
        x, y = tensors(inputs)
        return torch.logaddexp(x, y)
