"""Group normalisation (Wu & He, 2018): mean, variance, scale and shift of each group of channels of an image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.fx import Node
from torch.nn import functional

from radhard.machine import Arithmetic, NoteNonFinite, Operator, UnitInput, Units
from radhard.machine.operator import OperatorRole, unravel
from radhard.operators.aten import Lowered, lowers
from radhard.operators.layer_norm import normalised

_ATEN = torch.ops.aten


@dataclass(frozen=True, kw_only=True)
class GroupNorm(Operator):
    """x [b, c, ...], weight and bias [c] or None -> x's shape; `groups` groups of channels, each a row."""

    name: ClassVar[str] = "group_norm"
    role: ClassVar[OperatorRole] = "normalisation"
    groups: int
    eps: float = 1e-5

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """A group of an image."""
        x, *parameters = inputs
        assert x is not None
        grouped = x.reshape(x.shape[0], self.groups, -1)
        grid = (x.shape[0], self.groups, *(1 for _ in x.shape[2:]))
        size = math.prod(x.shape[2:])
        each = [None if p is None else p.view(self.groups, -1).repeat_interleave(size, dim=1) for p in parameters]

        def gather(index: Tensor) -> tuple[UnitInput, ...]:
            image, group = unravel(index, grid)[:2]
            return (grouped[image, group], *(None if p is None else p[group] for p in each))

        def scatter(out: Tensor, index: Tensor, values: Tensor) -> None:
            image, group = unravel(index, grid)[:2]
            channels = out.shape[1] // self.groups
            own = group[:, None] * channels + torch.arange(channels, device=out.device)
            out[image[:, None], own] = values.expand(-1, channels * size).reshape(-1, channels, *out.shape[2:])

        return Units(grid, gather, scatter)

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """As layer normalisation, over a group."""
        return normalised(m, inputs, eps=self.eps)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's group normalisation."""
        del note
        x, weight, bias = inputs
        assert x is not None
        return functional.group_norm(x, self.groups, weight, bias, self.eps)


@lowers(_ATEN.group_norm.default)
def _group_norm(
    x: Node,
    groups: int,
    weight: Node | None = None,
    bias: Node | None = None,
    eps: float = 1e-5,
    enable: object = None,
) -> Lowered:
    del enable
    return Lowered(operator=GroupNorm(groups=groups, eps=eps), inputs=(x, weight, bias))
