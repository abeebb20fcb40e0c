"""Elementwise arithmetic: division, small powers, and functions that hardware evaluates as one operation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.fx import Node

from radhard.errors import CaptureError
from radhard.machine import (
    SPECIALS,
    Add,
    Arithmetic,
    Elementwise,
    Mul,
    NoteNonFinite,
    Special,
    UnitInput,
    apply_special,
    tensors,
)
from radhard.machine.operator import OperatorRole
from radhard.operators.aten import Argument, Lowered, Lowering, lowers

_ATEN = torch.ops.aten


@dataclass(frozen=True, kw_only=True)
class Div(Elementwise):
    """x / y, broadcast, as hardware divides: by the reciprocal."""

    name: ClassVar[str] = "div"

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One reciprocal, one multiplication."""
        x, y = tensors(inputs)
        return m.mul(x, m.special("reciprocal", y))

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's division."""
        del note
        x, y = tensors(inputs)
        return x / y


@dataclass(frozen=True, kw_only=True)
class Power(Elementwise):
    """x [...] float -> x to the power of `exponent`, a whole number of 2 or more, by repeated multiplication."""

    name: ClassVar[str] = "power"
    role: ClassVar[OperatorRole] = "activation"
    exponent: int

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """`exponent` - 1 multiplications."""
        (x,) = tensors(inputs)
        power = x
        for _ in range(self.exponent - 1):
            power = m.mul(power, x)
        return power

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's power."""
        del note
        (x,) = tensors(inputs)
        return x**self.exponent


@dataclass(frozen=True, kw_only=True)
class RealPower(Elementwise):
    """x [...] float -> x to the power of `exponent`, no whole number: exp(exponent log x); NaN below 0."""

    name: ClassVar[str] = "real_power"
    role: ClassVar[OperatorRole] = "activation"
    exponent: float

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One logarithm, one multiplication, one exponential."""
        (x,) = tensors(inputs)
        return m.special("exp", m.mul(m.special("log", x), self.exponent))

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """The same functions of torch; its power differs in the last bit with an element's place in a batch."""
        del note
        (x,) = tensors(inputs)
        return (x.log() * self.exponent).exp()


@dataclass(frozen=True, kw_only=True)
class Function(Elementwise):
    """x [...] float -> `function` of it [...]: one special operation."""

    function: Special

    @property
    def name(self) -> str:  # type: ignore[override]
        """The function's."""
        return self.function

    @property
    def role(self) -> OperatorRole:  # type: ignore[override]
        """Those that a network has as an activation, or as a part of one that is written out."""
        return "activation" if self.function in ("erf", "exp", "expm1", "tanh") else ""

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """The function."""
        (x,) = tensors(inputs)
        return m.special(self.function, x)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's function of that name."""
        del note
        (x,) = tensors(inputs)
        return apply_special(self.function, x)


@dataclass(frozen=True, kw_only=True)
class Identity(Elementwise):
    """x -> x, no operation: what quantised operators wrap to change the scale of a word."""

    name: ClassVar[str] = "identity"

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Nothing happens."""
        del m
        (x,) = tensors(inputs)
        return x

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """The same tensor."""
        del note
        (x,) = tensors(inputs)
        return x


@lowers(_ATEN.add.Tensor, _ATEN.add.Scalar)
def _add(x: Argument, y: Argument, *, alpha: float = 1) -> Lowered:
    return _signed(x, y, alpha, 1)


@lowers(_ATEN.sub.Tensor, _ATEN.sub.Scalar)
def _sub(x: Argument, y: Argument, *, alpha: float = 1) -> Lowered:
    return _signed(x, y, alpha, -1)


@lowers(_ATEN.rsub.Scalar, _ATEN.rsub.Tensor)
def _rsub(x: Argument, y: Argument, alpha: float = 1) -> Lowered:
    return _signed(y, x, alpha, -1)


def _signed(x: Argument, y: Argument, alpha: float, sign: int) -> Lowered:
    if alpha != 1:
        raise CaptureError(f"addition with alpha={alpha}: write the product out in the model")
    return Lowered(operator=Add(sign=sign), inputs=(x, y))


@lowers(_ATEN.mul.Tensor, _ATEN.mul.Scalar)
def _mul(x: Argument, y: Argument) -> Lowered:
    return Lowered(operator=Mul(), inputs=(x, y))


@lowers(_ATEN.div.Tensor, _ATEN.div.Scalar)
def _div(x: Argument, y: Argument) -> Lowered:
    if not isinstance(y, Node):
        return Lowered(operator=Mul(), inputs=(x, 1.0 / y))
    return Lowered(operator=Div(), inputs=(x, y))


@lowers(_ATEN.pow.Tensor_Scalar)
def _pow(x: Node, exponent: float) -> Lowered:
    roots: dict[float, Special] = {0.5: "sqrt", -0.5: "rsqrt", -1.0: "reciprocal"}
    if exponent in roots:
        return Lowered(operator=Function(function=roots[exponent]), inputs=(x,))
    if exponent == int(exponent) and 2 <= exponent <= 8:
        return Lowered(operator=Power(exponent=int(exponent)), inputs=(x,))
    if exponent == int(exponent):
        raise CaptureError(f"a power of {exponent}: whole ones are known from 2 to 8, and -1")
    return Lowered(operator=RealPower(exponent=exponent), inputs=(x,))


def _function(name: Special) -> Lowering:
    return lambda x: Lowered(operator=Function(function=name), inputs=(x,))


for _name in SPECIALS:
    lowers(getattr(_ATEN, _name).default)(_function(_name))
