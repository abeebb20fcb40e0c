"""The primitives as operators: multiply, add, sum, and the load of a word from memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from radhard.machine.arithmetic import Arithmetic
from radhard.machine.operator import NoteNonFinite, Operator, UnitInput, Units, elements, rows


def tensors(inputs: Sequence[UnitInput]) -> tuple[Tensor, ...]:
    """The inputs, each of which must be a tensor."""
    for place, x in enumerate(inputs):
        if not isinstance(x, Tensor):
            raise TypeError(f"input {place} of an operator is {type(x).__name__}, not a tensor")
    return tuple(x for x in inputs if isinstance(x, Tensor))


class Elementwise(Operator):
    """An operator whose units are the elements of its inputs, broadcast together."""

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """The broadcast shape, in the inputs' common type."""
        given = tensors(inputs)
        dtype = reduce(torch.promote_types, (torch.result_type(given[0], x) for x in given))
        shape = np.broadcast_shapes(*(x.shape for x in given))
        return torch.empty(shape, dtype=dtype, device=given[0].device)

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """An element."""
        return elements(inputs, np.broadcast_shapes(*(x.shape for x in tensors(inputs))))


@dataclass(frozen=True, kw_only=True)
class Add(Elementwise):
    """x + y, broadcast: residuals, position embeddings. `sign=-1` subtracts: negation is no operation."""

    name: ClassVar[str] = "add"
    sign: int = 1

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One addition."""
        x, y = tensors(inputs)
        return m.add(x, y if self.sign > 0 else -y)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's addition."""
        del note
        x, y = tensors(inputs)
        return x + y if self.sign > 0 else x - y


@dataclass(frozen=True, kw_only=True)
class Mul(Elementwise):
    """x * y, broadcast: attention and layer scales."""

    name: ClassVar[str] = "mul"

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One multiplication."""
        x, y = tensors(inputs)
        return m.mul(x, y)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's multiplication."""
        del note
        x, y = tensors(inputs)
        return x * y


@dataclass(frozen=True, kw_only=True)
class Load(Elementwise):
    """x -> x: every word of it, read from memory once."""

    name: ClassVar[str] = "load"

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One word."""
        (x,) = tensors(inputs)
        return m.load(x)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """The same tensor, not copied."""
        del note
        (x,) = tensors(inputs)
        return x


@dataclass(frozen=True, kw_only=True)
class Sum(Operator):
    """x [...] float32, int32 or int64 -> running sums over `dims` together, row-major; these axes stay with size 1."""

    name: ClassVar[str] = "sum"
    dims: tuple[int, ...]

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """Size 1 along `dims`."""
        (x,) = tensors(inputs)
        gone = {d % x.ndim for d in self.dims}
        return torch.empty([1 if d in gone else size for d, size in enumerate(x.shape)], dtype=x.dtype, device=x.device)

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """A row."""
        (x,) = tensors(inputs)
        return rows(x, self.dims)

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """n - 1 additions."""
        (x,) = tensors(inputs)
        return m.sum(x)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's sum; integers wrap."""
        del note
        (x,) = tensors(inputs)
        return x.sum(self.dims, keepdim=True, dtype=x.dtype)
