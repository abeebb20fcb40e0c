"""Deployed int8 matrix products: unprotected, and the base of those that check themselves."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, get_args

import torch
from torch import Tensor

from radhard.deploy.step import Step
from radhard.errors import InputError
from radhard.kernels import SummedWeight, examine
from radhard.kernels.library import OnUncorrectable
from radhard.kernels.sums import RowVerdict
from radhard.machine import MatrixProduct, Site

OPS = torch.ops.radhard


class IntegerProduct(Step):
    """A matrix product of words of 8 bits, as `torch.ops.radhard` has it.

    A stored right factor and its bias are copies of its own: what changes in another's memory does not change here.
    """

    operator: MatrixProduct
    weight: Tensor
    bias: Tensor
    multiplier: Tensor

    def __init__(self, operator: MatrixProduct, weight: Tensor | None, bias: Tensor | None, *, site: Site) -> None:
        super().__init__(operator, site)
        assert operator.write_back is not None
        self.dtype = operator.write_back.dtype
        self.grid = list(operator.write_back.grid.limits)
        self.settings: tuple[Any, ...] = ()
        self.biased = bias is not None
        multiplier = operator.write_back.multiplier
        if weight is not None:
            n = len(weight)
            self.shape = weight.shape
            self.settings = operator.settings(weight)
            self.register_buffer("weight", weight.flatten(1).clone())
            zero = torch.zeros(n, dtype=torch.int32, device=weight.device)
            self.register_buffer("bias", zero if bias is None else bias.clone())
            multiplier = multiplier.expand(n)
        self.register_buffer("multiplier", multiplier.clone())

    @property
    def groups(self) -> int:
        """How many stored weights there are, one after another, each of a product of its own."""
        return getattr(self.operator, "groups", 1)

    def compute(self, *given: Tensor | None) -> Tensor:
        """-> the operator's output."""
        return self.accumulated(*given, dtype=self.dtype)

    def accumulated(self, *given: Tensor | None, dtype: torch.dtype = torch.int32) -> Tensor:
        """-> accumulators in the layout of the output, the bias in them; or what is written of them as `dtype`."""
        op = getattr(OPS, self.operator.name)
        stored = (self.weight, self.bias) if self.operator.stored else ()
        out: Tensor = op.default(*given, *stored, self.multiplier, *self.settings, self.grid, dtype)
        return out

    @property
    def whole(self) -> MatrixProduct:
        """The operator with the multiplier of the module, which is on its device."""
        assert self.operator.write_back is not None
        write_back = replace(self.operator.write_back, multiplier=self.multiplier)
        return replace(self.operator, write_back=write_back)  # type: ignore[type-var]

    @contextmanager
    def corrupted(self, word: int, bit: int) -> Iterator[None]:
        """Within it one bit of the weight, word by word as the operator has it, is flipped in memory."""
        rows, own = self.shape[0], self.shape.numel() // self.shape[0]
        if not (0 <= word < rows * own and 0 <= bit < 8):
            raise InputError(
                f"site {self.site.name!r}: word {word}, bit {bit}: its weight has {rows * own} words of 8 bits"
            )
        row, column = divmod(word, own)
        of_group = rows // self.groups
        stored = self.weight.chunk(self.groups)[row // of_group][row % of_group]
        before = stored[column].clone()
        stored[column] ^= -128 if bit == 7 else 1 << bit
        try:
            yield
        finally:
            stored[column] = before

    def inputs(self, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        """With the weight and the bias as they lie in memory."""
        if not self.operator.stored:
            return given
        weights = [one[: self.shape[0] // self.groups] for one in self.weight.chunk(self.groups)]
        return (*given, torch.cat(weights).view(self.shape), self.bias if self.biased else None)


class ScrubbedProduct(IntegerProduct):
    """A product that checks itself; what it stores of a weight is made at the start, while that is trusted."""

    on_uncorrectable: OnUncorrectable
    events: Tensor

    @abstractmethod
    def scrub(self) -> RowVerdict:
        """Look through what is stored, and set it right in place -> the worst that was found."""


def mend(stored: SummedWeight) -> RowVerdict:
    """Set right in place what changed of a weight and its sums, if that can be told."""
    verdict, truth = examine(stored)
    if verdict in ("sums", "mended"):
        for name, own in vars(stored).items():
            own.copy_(getattr(truth, name))
    return verdict


def worst(verdicts: Iterable[RowVerdict]) -> RowVerdict:
    """Of several verdicts the one that says most."""
    return max(verdicts, key=get_args(RowVerdict).index, default="sound")
