"""Division, and the operator that does nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from radhard.machine import Arithmetic, Elementwise, Note, UnitInput, tensors


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
