"""Deployed int8 matrix products with every row checked as it is written."""

import torch
from torch import Tensor

from radhard.deploy.applied import Applied
from radhard.deploy.forms.registry import build
from radhard.deploy.products import OPS, ScrubbedProduct, mend, worst
from radhard.deploy.step import Step
from radhard.kernels import SummedWeight, store
from radhard.kernels.library import OnUncorrectable, no_events
from radhard.kernels.linear import CheckedRows, beside_digits, checked
from radhard.kernels.matmul import checked_activations
from radhard.kernels.sums import RowVerdict
from radhard.kernels.write import unscaled
from radhard.machine import Machine, MatrixProduct, Site
from radhard.protection.forms import RowCheck


class CheckedProduct(ScrubbedProduct):
    """As `IntegerProduct`, every row checked by sums: of a stored weight they are made here, while it is trusted."""

    columns: Tensor
    rows: Tensor

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
        if not self.operator.stored:
            out = checked_activations(
                *(x.a, x.b.mT, unscaled(total.device)),
                on_uncorrectable=self.on_uncorrectable,
                events=self.events,
                total=total,
            )
            return work.write(out)
        rows = []
        for h, own in enumerate(self.stored()):
            a, accumulated = (y[h :: self.groups].flatten(0, 1) for y in (x.a, total))
            wide = beside_digits(accumulated - own.bias, a[None], own.weight[None])
            rows.append(CheckedRows(a=a, stored=own, back=unscaled(total.device), total=wide))
        for h, right in enumerate(checked(rows, on_uncorrectable=self.on_uncorrectable, events=self.events)):
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


@build.register
def _(form: RowCheck, applied: Applied, *, on_uncorrectable: OnUncorrectable) -> Step:
    """The step of a product of words of 8 bits."""
    del form
    assert applied.product is not None
    return CheckedProduct(applied.product, *applied.weights, site=applied.site, on_uncorrectable=on_uncorrectable)
