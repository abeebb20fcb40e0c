"""The base class of operators: a definition over primitives, units, and a fused kernel that computes the same."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from radhard.kernels.chains import Chains
from radhard.machine.arithmetic import Arithmetic, Plain, Rows

OperatorRole = Literal["", "activation", "normalisation"]
"""What an operator is for in a network, where that says what the parts of the network are."""

UnitInput = Tensor | Rows | None
NoteNonFinite = Callable[[Tensor], None]

GATHERED_AT_ONCE = 1 << 22
"""Elements that are gathered at a time, where all of them would need much memory."""


@dataclass(frozen=True, eq=False)
class Units:
    """How one application of an operator falls into units that depend on nothing else in it.

    `grid` has as many axes as the output and is indexed flat, row-major: the canonical order. `gather` takes
    flat indices [u] and gives the inputs of these units: first what they read of each of the operator's inputs, in
    their order, then constants of the geometry. `scatter` writes their results [u, ...] into an output.
    """

    grid: tuple[int, ...]
    gather: Callable[[Tensor], tuple[UnitInput, ...]]
    scatter: Callable[[Tensor, Tensor, Tensor], None]

    @property
    def count(self) -> int:
        """Number of units."""
        return math.prod(self.grid)


class Operator(ABC):
    """A definition over `Arithmetic`, the units of an application, and perhaps a fused kernel.

    >>> import torch
    >>> from radhard.machine import Site, read_cost
    >>> from radhard.operators import Softmax
    >>> cost = read_cost(Softmax(), (torch.zeros(2, 10),), Site(name="s", batch_axis=0))
    >>> [(step.kind, step.per_unit) for step in cost.steps]
    [('add', 10), ('special', 10), ('add', 9), ('special', 1), ('mul', 10)]
    """

    name: ClassVar[str]
    role: ClassVar[OperatorRole] = ""
    first_step: int = 0  # of the site's definition: above 0 where the operator finishes what another began at its site

    @abstractmethod
    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """How an application to `inputs` falls into units."""

    @abstractmethod
    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """The operator on a stack of units [u, ...] -> [u, ...], every operation through `m`."""

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """An uninitialised output for `inputs`; by default like the first of them."""
        x = inputs[0]
        assert x is not None
        return torch.empty_like(x)

    @property
    def unwritten(self) -> "Operator":
        """The operator without the step that writes its results as words: it yields float32, or accumulators int32.

        It is the operator itself where that writes no words.
        """
        return self

    def chains(self, inputs: Sequence[Tensor | None], out: Tensor) -> tuple[Chains, ...]:
        """Where what the units read and write lies in memory, if they are chains of products of 8-bit words.

        Several write the running sums after so many products; of other operators there are none.
        """
        del inputs, out
        return ()

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """The whole application at once; by default the definition, read for all units.

        `note` takes a mask of the output's shape: where a value that was to be quantised was not finite; or how many
        were not, with size 1 along the axes that were counted together.
        """
        del note
        units, out = self.units(inputs), self.empty(inputs)
        step = max(1, GATHERED_AT_ONCE * units.count // max(1, sum(x.numel() for x in inputs if x is not None)))
        for first in range(0, units.count, step):
            index = torch.arange(first, min(first + step, units.count), device=out.device)
            units.scatter(out, index, self.definition(Plain(), *units.gather(index)))
        return out


def unravel(index: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Flat indices [u] int64 into `shape`, row-major -> the index [u] along each axis."""
    found = []
    for size in reversed(shape):
        found.append(index % size)
        index = index // size
    return tuple(found[::-1])


def elements(inputs: Sequence[Tensor | None], shape: tuple[int, ...]) -> Units:
    """Units of an elementwise operator: inputs broadcast to `shape`, each unit reads one element of each."""

    def gather(index: Tensor) -> tuple[UnitInput, ...]:
        at = unravel(index, shape)
        return tuple(None if x is None else x.expand(shape)[at] for x in inputs)

    def scatter(out: Tensor, index: Tensor, values: Tensor) -> None:
        out[unravel(index, shape)] = values

    return Units(shape, gather, scatter)


def rows(x: Tensor, dims: tuple[int, ...]) -> Units:
    """Units of an operator over `dims` of `x`: each unit reads one row [n], n the size of these axes together.

    `scatter` writes rows [u, n] into an output of x's shape, and single values [u, 1] into one whose `dims`
    have size 1.
    """
    dims = tuple(sorted(d % x.ndim for d in dims))
    grid = tuple(1 if d in dims else size for d, size in enumerate(x.shape))
    kept = [d for d in range(x.ndim) if d not in dims]
    last = tuple(range(-len(dims), 0))

    def place(index: Tensor) -> tuple[Tensor, ...]:
        at = unravel(index, grid)
        return tuple(at[d] for d in kept)

    def gather(index: Tensor) -> tuple[UnitInput, ...]:
        moved = x.movedim(dims, last)
        picked = moved[place(index)] if kept else moved.expand(len(index), *moved.shape)
        return (picked.flatten(1),)

    def scatter(out: Tensor, index: Tensor, values: Tensor) -> None:
        moved = out.movedim(dims, last)
        values = values.reshape(-1, *moved.shape[len(kept) :])
        if kept:
            moved[place(index)] = values
        else:
            moved.copy_(values[0])

    return Units(grid, gather, scatter)
