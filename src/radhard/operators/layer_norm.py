"""Layer normalisation (Ba et al., 2016) over the last axes: mean, variance, scale and shift of each row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from radhard.machine import Arithmetic, Note, Operator, UnitInput, Units, rows


@dataclass(frozen=True, kw_only=True)
class LayerNorm(Operator):
    """x [..., *shape], weight and bias [*shape] or None -> x's shape; every row of `shape` has mean 0, variance 1."""

    name: ClassVar[str] = "layer_norm"
    shape: tuple[int, ...]
    eps: float = 1e-5

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """The input's shape."""
        assert inputs[0] is not None
        return torch.empty_like(inputs[0])

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """A row."""
        x, weight, bias = inputs
        assert x is not None
        of_rows = rows(x, tuple(range(-len(self.shape), 0)))
        flat = [None if p is None else p.reshape(1, -1) for p in (weight, bias)]

        def gather(index: Tensor) -> tuple[UnitInput, ...]:
            return (*of_rows.gather(index), *(None if p is None else p.expand(len(index), -1) for p in flat))

        return Units(of_rows.grid, gather, of_rows.scatter)

    def text(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """(x - mean) / sqrt(variance + eps) * weight + bias, the variance about the mean, divided by n."""
        x, weight, bias = inputs
        assert isinstance(x, Tensor)
        share = 1.0 / math.prod(self.shape)
        centred = m.add(x, -m.mul(m.sum(x), share))
        variance = m.mul(m.sum(m.mul(centred, centred)), share)
        y = m.mul(centred, m.special("rsqrt", m.add(variance, self.eps)))
        if isinstance(weight, Tensor):
            y = m.mul(y, weight)
        return m.add(y, bias) if isinstance(bias, Tensor) else y

    def kernel(self, inputs: Sequence[Tensor | None], note: Note) -> Tensor:
        """torch's layer normalisation."""
        del note
        x, weight, bias = inputs
        assert x is not None
        return functional.layer_norm(x, self.shape, weight, bias, self.eps)
