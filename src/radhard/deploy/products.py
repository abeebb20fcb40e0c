"""Deployed int8 matrix products: unprotected, with every row checked, or within a range."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, get_args

import torch
from torch import Tensor

from radhard.deploy.step import Step
from radhard.deploy.steps import within
from radhard.errors import InputError
from radhard.kernels import SummedWeight, examine, store
from radhard.kernels.library import OnUncorrectable, no_events
from radhard.kernels.linear import checked, limits
from radhard.kernels.matmul import checked_activations
from radhard.kernels.sums import RowVerdict
from radhard.kernels.write import saturate
from radhard.machine import Machine, MatrixProduct, Site
from radhard.protection.forms import Bounds

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


class CheckedProduct(IntegerProduct):
    """As `Product`, every row checked by sums: of a stored weight they are made here, while it is trusted."""

    columns: Tensor
    rows: Tensor
    events: Tensor

    def __init__(
        self,
        operator: MatrixProduct,
        weight: Tensor | None,
        bias: Tensor | None,
        *,
        site: Site,
        on_uncorrectable: OnUncorrectable,
    ) -> None:
        super().__init__(operator, weight, bias, site=site)
        self.on_uncorrectable = on_uncorrectable
        if weight is not None:
            parts = zip(self.weight.chunk(self.groups), self.bias.chunk(self.groups), strict=True)
            stored = [store(w, b) for w, b in parts]
            for name in ("weight", "columns", "rows"):
                self.register_buffer(name, torch.cat([getattr(one, name) for one in stored]))
        self.register_buffer("events", no_events())

    def compute(self, *given: Tensor | None) -> Tensor:
        """-> the operator's output, repaired."""
        op = getattr(OPS, f"{self.operator.name}_checked")
        stored = (self.weight, self.bias, self.columns, self.rows) if self.operator.stored else ()
        how = (self.grid, self.dtype, self.on_uncorrectable.policy, self.on_uncorrectable.site, self.events)
        out: Tensor = op.default(*given, *stored, self.multiplier, *self.settings, *how)
        return out

    def on(self, machine: Machine, *given: Tensor | None) -> Tensor:
        """The machine accumulates and writes; between, rows are checked."""
        work = self.work(machine, *given)
        x = work.products
        total = work.accumulators(x.shape.k)[0]
        kept: dict[str, Any] = {
            "policy": self.on_uncorrectable.policy,
            "site": self.on_uncorrectable.site,
            "events": self.events,
        }
        if not self.operator.stored:
            one = torch.ones(1, device=total.device)
            return work.write(checked_activations(x.a, x.b.mT, one, self.grid, torch.int32, **kept, total=total))
        for h, own in enumerate(self.stored()):
            a, stored = x.a[h :: self.groups].flatten(0, 1), (own.weight, own.bias, own.columns, own.rows)
            one = torch.ones(len(own.bias), device=total.device)
            mine = total[h :: self.groups].flatten(0, 1)
            right = checked(a, stored, one, self.grid, torch.int32, **kept, total=mine)
            total[h :: self.groups] = right.view_as(total[h :: self.groups])
        return work.write(total)

    def stored(self) -> list[SummedWeight]:
        """What is stored of each group, as views of this step's memory; nothing of activations."""
        if not self.operator.stored:
            return []
        parts = (x.chunk(self.groups) for x in (self.weight, self.bias, self.columns, self.rows))
        return [SummedWeight(weight=w, bias=b, columns=c, rows=r) for w, b, c, r in zip(*parts, strict=True)]

    def scrub(self) -> RowVerdict:
        """Look through what is stored, and set it right in place -> the worst that was found."""
        return worst(mend(stored) for stored in self.stored())


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


class RangedProduct(IntegerProduct):
    """As `Product`, its accumulators brought into a range before they are written."""

    events: Tensor

    def __init__(
        self, operator: MatrixProduct, weight: Tensor | None, bias: Tensor | None, bounds: Bounds, *, site: Site
    ) -> None:
        super().__init__(operator, weight, bias, site=site)
        self.bounds = bounds
        self.register_buffer("events", no_events())

    def compute(self, *given: Tensor | None) -> Tensor:
        """-> the operator's output."""
        total = within(self.accumulated(*given), self.bounds, self.events)
        by_channel = self.operator.name == "conv2d"
        value = total.to(torch.float32) * (self.multiplier[:, None, None] if by_channel else self.multiplier)
        return value if self.dtype == torch.float32 else saturate(value, limits(self.grid), dtype=self.dtype)

    def on(self, machine: Machine, *given: Tensor | None) -> Tensor:
        """The machine accumulates and writes; between is the range."""
        work = self.work(machine, *given)
        return work.write(within(work.accumulators(work.products.shape.k)[0], self.bounds, self.events))
