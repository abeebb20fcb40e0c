"""Operations of one application, counted by interpreting the operator's definition."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from radhard.errors import CaptureError
from radhard.machine.arithmetic import Kind, Plain, Rows, Special
from radhard.machine.operator import Operator
from radhard.machine.site import Site
from radhard.words import CARRIERS, Word, Words, word_of


@dataclass(frozen=True, kw_only=True)
class CostStep:
    """One primitive of a definition: `per_unit` operations of `kind` in each unit, each a word that `dtype` carries.

    A product of words of 8 bits is carried by int16, an integer sum by int32: their formats are those of the run.
    """

    kind: Kind
    per_unit: int
    dtype: torch.dtype

    def word(self, words: Words) -> Word:
        """The number format of the step's words in a run with `words`."""
        if (self.kind, self.dtype) == ("mul", torch.int16):
            return words.product
        return words.accumulator if (self.kind, self.dtype) == ("add", torch.int32) else word_of(self.dtype)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One application for one image: a `grid` of units, each the `steps` of the definition in their order."""

    grid: tuple[int, ...]
    steps: tuple[CostStep, ...]

    @property
    def units(self) -> int:
        """Units of one image."""
        return math.prod(self.grid)

    def operations(self, kind: Kind) -> int:
        """Operations of `kind` an image."""
        return self.units * sum(step.per_unit for step in self.steps if step.kind == kind)

    def word(self, kind: Kind, words: Words) -> Word | None:
        """The one number format of all words of `kind`; None where there are none."""
        formats = {step.word(words) for step in self.steps if step.kind == kind and step.per_unit}
        if len(formats) > 1:
            raise CaptureError(
                f"an operator's {kind} operations yield words of several formats "
                f"({', '.join(sorted(f.name for f in formats))}): split its definition into two operators"
            )
        return next(iter(formats), None)

    def exposed_bits(self, kind: Kind, words: Words) -> int:
        """Bits an image in which an operation of `kind` can be hit."""
        word = self.word(kind, words)
        return 0 if word is None else self.operations(kind) * word.exposed


class CostInterpreter(Plain):
    """Writes down each primitive of a definition while it computes."""

    def __init__(self, units: int) -> None:
        self._units = units
        self.steps: list[CostStep] = []

    def _count(self, kind: Kind, total: int, dtype: torch.dtype) -> None:
        self.steps.append(CostStep(kind=kind, per_unit=total // self._units, dtype=dtype))

    def gemm(self, a: Rows, b: Rows, bias: Tensor | None, ends: tuple[int, ...] = ()) -> Tensor:
        """k multiplications a unit, k-1 additions, or k with a bias."""
        out = super().gemm(a, b, bias, ends)
        units, k = len(a.index), a.matrix.shape[1]
        self._count("mul", units * k, torch.int16 if out.dtype == torch.int32 else out.dtype)
        self._count("add", units * (k - 1 if bias is None else k), out.dtype)
        return out

    def mul(self, x: Tensor, y: Tensor | float) -> Tensor:
        """One multiplication an element."""
        out = super().mul(x, y)
        self._count("mul", out.numel(), out.dtype)
        return out

    def add(self, x: Tensor, y: Tensor | float) -> Tensor:
        """One addition an element."""
        out = super().add(x, y)
        self._count("add", out.numel(), out.dtype)
        return out

    def sum(self, x: Tensor) -> Tensor:
        """n - 1 additions a row of n."""
        self._count("add", x.shape[0] * (x.shape[1] - 1), x.dtype)
        return super().sum(x)

    def load(self, x: Tensor) -> Tensor:
        """One word an element."""
        self._count("load", x.numel(), x.dtype)
        return x

    def special(self, function: Special, x: Tensor) -> Tensor:
        """One special operation an element."""
        self._count("special", x.numel(), x.dtype)
        return super().special(function, x)

    def scale(self, x: Tensor, factor: Tensor | float) -> Tensor:
        """One scale multiplication an element."""
        out = super().scale(x, factor)
        self._count("scale", out.numel(), out.dtype)
        return out


def read_cost(operator: Operator, inputs: tuple[Tensor | None, ...], site: Site) -> Cost:
    """The cost of applying `operator` to `inputs` for one image, from its definition on one unit.

    Of a part, whose entries are alike, it is the cost of all that are executed.
    """
    if site.part is not None:
        entry = _of_entry(operator, tuple(None if x is None else (x.shape[1:], x.dtype) for x in inputs))
        return Cost(grid=(len(site.part.slot), *entry.grid[1:]), steps=entry.steps)
    return _read(operator, inputs, site)


@lru_cache(maxsize=4096)
def _of_entry(operator: Operator, words: tuple[tuple[torch.Size, torch.dtype] | None, ...]) -> Cost:
    """The cost of one entry of a part, read once for all that have the same shapes [...] and types."""
    inputs = tuple(None if word is None else torch.zeros(1, *word[0], dtype=word[1]) for word in words)
    return _read(operator, inputs, Site(name="entry"))


def _read(operator: Operator, inputs: tuple[Tensor | None, ...], site: Site) -> Cost:
    units = operator.units(inputs)
    tally = CostInterpreter(1)
    first = next(x for x in inputs if x is not None)
    operator.definition(tally, *units.gather(torch.zeros(1, dtype=torch.int64, device=first.device)))
    for step in tally.steps:
        if step.per_unit and step.dtype not in CARRIERS:
            raise CaptureError(
                f"site {site.name!r}: {operator.name} yields words in {step.dtype}, of which no bit can flip; convert "
                f"what it reads to one of {', '.join(map(str, CARRIERS))}"
            )
    return Cost(grid=site.image_grid(units.grid), steps=tuple(tally.steps))
