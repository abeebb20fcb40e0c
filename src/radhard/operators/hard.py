"""Piecewise-linear activations with bounds: clamp (ReLU6), hard sigmoid and hard swish (Howard et al., 2019)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.fx import Node
from torch.nn import functional

from radhard.machine import Arithmetic, Elementwise, NoteNonFinite, UnitInput, tensors
from radhard.machine.operator import OperatorRole
from radhard.operators.aten import Lowered, lowers

_ATEN = torch.ops.aten


@dataclass(frozen=True, kw_only=True)
class Clamp(Elementwise):
    """x [...] float -> [...] between `low` and `high`: comparisons, no operation that a flip could hit. NaN stays."""

    name: ClassVar[str] = "clamp"
    role: ClassVar[OperatorRole] = "activation"
    low: float = -math.inf
    high: float = math.inf

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Comparisons."""
        del m
        (x,) = tensors(inputs)
        return x.clamp(self.low, self.high)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's clamp."""
        del note
        (x,) = tensors(inputs)
        return x.clamp(self.low, self.high)


@lowers(torch.ops.aten.hardsigmoid.default)
@dataclass(frozen=True, kw_only=True)
class HardSigmoid(Elementwise):
    """x [...] float -> min(max(x + 3, 0), 6) / 6 [...]."""

    name: ClassVar[str] = "hard_sigmoid"
    role: ClassVar[OperatorRole] = "activation"

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One addition, one multiplication."""
        (x,) = tensors(inputs)
        return m.mul(m.add(x, 3.0).clamp(0.0, 6.0), 1.0 / 6.0)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's hard sigmoid."""
        del note
        (x,) = tensors(inputs)
        return functional.hardsigmoid(x)


@lowers(torch.ops.aten.hardswish.default)
@dataclass(frozen=True, kw_only=True)
class HardSwish(Elementwise):
    """x [...] float -> x min(max(x + 3, 0), 6) / 6 [...]."""

    name: ClassVar[str] = "hard_swish"
    role: ClassVar[OperatorRole] = "activation"

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One addition, two multiplications."""
        (x,) = tensors(inputs)
        return m.mul(m.mul(x, m.add(x, 3.0).clamp(0.0, 6.0)), 1.0 / 6.0)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's hard swish."""
        del note
        (x,) = tensors(inputs)
        return functional.hardswish(x)


@lowers(_ATEN.clamp.default, _ATEN.hardtanh.default)
def _clamp(x: Node, low: float | None = None, high: float | None = None) -> Lowered:
    bounds = {"low": -math.inf if low is None else low, "high": math.inf if high is None else high}
    return Lowered(operator=Clamp(**bounds), inputs=(x,))


@lowers(_ATEN.clamp_min.default)
def _clamp_min(x: Node, low: float) -> Lowered:
    return _clamp(x, low)


@lowers(_ATEN.clamp_max.default)
def _clamp_max(x: Node, high: float) -> Lowered:
    return _clamp(x, None, high)


@lowers(_ATEN.relu6.default)
def _relu6(x: Node) -> Lowered:
    return _clamp(x, 0.0, 6.0)
