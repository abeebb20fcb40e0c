"""Arithmetic element by element: division, small powers, functions that hardware evaluates by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from radhard.machine import Arithmetic, Elementwise, Note, Special, UnitInput, apply_special, tensors


@dataclass(frozen=True, kw_only=True)
class Div(Elementwise):
    """x / y, broadcast, as hardware divides: by the reciprocal."""

    name: ClassVar[str] = "div"

    def text(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One reciprocal, one multiplication."""
        x, y = tensors(inputs)
        return m.mul(x, m.special("reciprocal", y))

    def kernel(self, inputs: Sequence[Tensor | None], note: Note) -> Tensor:
        """torch's division."""
        del note
        x, y = tensors(inputs)
        return x / y


@dataclass(frozen=True, kw_only=True)
class Power(Elementwise):
    """x [...] float -> x to the power of `exponent`, a whole number of 2 or more, by repeated multiplication."""

    name: ClassVar[str] = "power"
    exponent: int

    def text(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """`exponent` - 1 multiplications."""
        (x,) = tensors(inputs)
        power = x
        for _ in range(self.exponent - 1):
            power = m.mul(power, x)
        return power

    def kernel(self, inputs: Sequence[Tensor | None], note: Note) -> Tensor:
        """torch's power."""
        del note
        (x,) = tensors(inputs)
        return x**self.exponent


@dataclass(frozen=True, kw_only=True)
class RealPower(Elementwise):
    """x [...] float -> x to the power of `exponent`, no whole number: exp(exponent log x); NaN below 0."""

    name: ClassVar[str] = "real_power"
    exponent: float

    def text(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One logarithm, one multiplication, one exponential."""
        (x,) = tensors(inputs)
        return m.special("exp", m.mul(m.special("log", x), self.exponent))

    def kernel(self, inputs: Sequence[Tensor | None], note: Note) -> Tensor:
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

    def text(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """The function."""
        (x,) = tensors(inputs)
        return m.special(self.function, x)

    def kernel(self, inputs: Sequence[Tensor | None], note: Note) -> Tensor:
        """torch's function of that name."""
        del note
        (x,) = tensors(inputs)
        return apply_special(self.function, x)


@dataclass(frozen=True, kw_only=True)
class Identity(Elementwise):
    """x -> x, no operation: what quantised operators wrap to change the scale of a word."""

    name: ClassVar[str] = "identity"

    def text(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Nothing happens."""
        del m
        (x,) = tensors(inputs)
        return x

    def kernel(self, inputs: Sequence[Tensor | None], note: Note) -> Tensor:
        """The same tensor."""
        del note
        (x,) = tensors(inputs)
        return x
