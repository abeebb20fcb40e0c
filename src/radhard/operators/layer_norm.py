"""Layer normalisation (Ba et al., 2016) over the last axes: mean, variance, scale and shift of each row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.fx import Node
from torch.nn import functional

from radhard.machine import Arithmetic, NoteNonFinite, Operator, UnitInput, Units, rows
from radhard.machine.operator import OperatorRole
from radhard.operators.aten import Lowered, lowers

_ATEN = torch.ops.aten


@dataclass(frozen=True, kw_only=True)
class LayerNorm(Operator):
    """x [..., *shape], weight and bias [*shape] or None -> x's shape; every row of `shape` has mean 0, variance 1."""

    name: ClassVar[str] = "layer_norm"
    role: ClassVar[OperatorRole] = "normalisation"
    shape: tuple[int, ...]
    eps: float = 1e-5

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """A row."""
        return rows_with_parameters(inputs, rank=len(self.shape))

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """(x - mean) / sqrt(variance + eps) * weight + bias, the variance about the mean, divided by n."""
        return normalised(m, inputs, eps=self.eps)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's layer normalisation."""
        del note
        x, weight, bias = inputs
        assert x is not None
        return functional.layer_norm(x, self.shape, weight, bias, self.eps)


def rows_with_parameters(inputs: Sequence[Tensor | None], *, rank: int) -> Units:
    """Units of x and parameters of its last `rank` axes: a row of x [u, n], and the parameters [u, n] or None."""
    x, *parameters = inputs
    assert x is not None
    of_rows = rows(x, tuple(range(-rank, 0)))
    flat = [None if p is None else p.reshape(1, -1) for p in parameters]

    def gather(index: Tensor) -> tuple[UnitInput, ...]:
        return (*of_rows.gather(index), *(None if p is None else p.expand(len(index), -1) for p in flat))

    return Units(of_rows.grid, gather, of_rows.scatter)


def normalised(m: Arithmetic, inputs: Sequence[UnitInput], *, eps: float) -> Tensor:
    """Rows x [u, n], weight and bias [u, n] or None -> rows of mean 0 and variance 1, scaled and shifted [u, n]."""
    x, weight, bias = inputs
    assert isinstance(x, Tensor)
    share = 1.0 / x.shape[1]
    centred = m.add(x, -m.mul(m.sum(x), share))
    variance = m.mul(m.sum(m.mul(centred, centred)), share)
    y = m.mul(centred, m.special("rsqrt", m.add(variance, eps)))
    if isinstance(weight, Tensor):
        y = m.mul(y, weight)
    return m.add(y, bias) if isinstance(bias, Tensor) else y


@lowers(_ATEN.layer_norm.default)
def _layer_norm(
    x: Node,
    shape: Sequence[int],
    weight: Node | None = None,
    bias: Node | None = None,
    eps: float = 1e-5,
    enable: object = None,
) -> Lowered:
    del enable
    return Lowered(operator=LayerNorm(shape=tuple(shape), eps=eps), inputs=(x, weight, bias))
