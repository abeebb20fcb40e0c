"""Operators that are applied to no tensors: only the units that a fault hits are read, and what it changes is kept.

Whatever a check sums or multiplies is sound but for few entries. So its own arithmetic need not be executed to know
what it yields; only of a unit that a flip hits the words are read, and what the flips make of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from radhard.machine import Arithmetic, Cost, CostStep, Operator, Plain, Rows, UnitInput, Units
from radhard.machine.site import Column
from radhard.protection.abft.sound import running_sums

ReadUnits = Callable[[Column], tuple[Column, ...]]  # units [u], flat -> what they read, each [u, ...] int64


@dataclass(frozen=True, kw_only=True, eq=False)
class HitUnits(Operator):
    """The units of `whole` on a `grid`, which `read` what they compute in words of `dtype`.

    `found` are units [u] int64 and what flips added to their results [u] int64.
    """

    name: ClassVar[str] = "hit units"
    whole: Operator
    grid: tuple[int, ...]
    dtype: torch.dtype
    read: ReadUnits
    found: list[tuple[Column, Column]] = field(default_factory=list)

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """Those that are hit."""
        del inputs

        def gather(index: Tensor) -> tuple[UnitInput, ...]:
            return tuple(torch.from_numpy(x).to(self.dtype) for x in self.read(index.numpy()))

        def scatter(out: Tensor, index: Tensor, values: Tensor) -> None:
            del out
            self.found.append((index.numpy(), values.numpy()))

        return Units(self.grid, gather, scatter)

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """What `m` yields beyond a machine without faults [u] int64."""
        values, sound = (self.whole.definition(each, *inputs) for each in (m, Plain()))
        return values.reshape(len(values)).long() - sound.reshape(len(values)).long()


@dataclass(frozen=True, kw_only=True, eq=False)
class HitChains(Operator):
    """The chains of `whole`, a product without write-back of `inputs`, that are hit.

    `found` are units [u] int64 and what their running sums after `ends` products have too much [u, e] int64.
    """

    name: ClassVar[str] = "hit chains"
    whole: Operator
    inputs: tuple[Tensor | None, ...]
    ends: tuple[int, ...]
    found: list[tuple[Column, Column]] = field(default_factory=list)

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """Those of the product."""
        del inputs
        own = self.whole.units(self.inputs)

        def scatter(out: Tensor, index: Tensor, values: Tensor) -> None:
            del out
            self.found.append((index.numpy(), values.numpy()))

        return Units(own.grid, own.gather, scatter)

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Running sums with flips, less those without."""
        a, b, bias, _ = inputs
        assert isinstance(a, Rows)
        assert isinstance(b, Rows)
        added = bias if isinstance(bias, Tensor) else None
        sound = running_sums(a, b, added, np.array(self.ends, np.int64))
        return m.gemm(a, b, added, self.ends).long() - torch.from_numpy(sound)


@lru_cache(maxsize=4096)
def cost_of(name: str, pieces: int, rest: tuple[int, ...], width: int, dtype: torch.dtype) -> Cost:
    """What a check costs, of so many pieces of an image: sums or dot products of `width` terms, or additions."""
    added = CostStep(kind="add", per_unit=width - 1 if name in ("sum", "dot") else 1, dtype=dtype)
    steps = (added,) if name != "dot" else (CostStep(kind="mul", per_unit=width, dtype=dtype), added)
    return Cost(grid=(pieces, *rest), steps=steps)
