"""`ProtectedApplication`: one application of an operator under a scheme, and its results on a machine. A value."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from radhard.machine import CHECK, Machine, Matrices, MatrixProduct, Operator, Site, WriteBack
from radhard.protection.abft.entries import Entries
from radhard.protection.abft.products import matrices
from radhard.protection.abft.repeated import Repeated
from radhard.protection.abft.stages import Accumulated, Written


@dataclass(frozen=True, kw_only=True, eq=False)
class ProtectedApplication:
    """`operator` applied to `inputs` at `site`; `machine` computes it, with the faults of the site."""

    operator: Operator
    inputs: tuple[Tensor | None, ...]
    site: Site
    machine: Machine

    def compute(self) -> Tensor:
        """The operator's output."""
        return self.machine.apply(self.operator, self.inputs, self.site)

    @cached_property
    def repeated(self) -> Operator:
        """The operator, to be run several times; where faults alone make runs differ, it computes once."""
        if not self.machine.sparse or not all(x is None or x.is_cpu for x in self.inputs):
            return self.operator
        return Repeated.of(self.operator, self.inputs)

    def compute_first(self) -> Tensor:
        """The operator's output, as the first of several runs."""
        return self.machine.apply(self.repeated, self.inputs, self.site)

    def beside(self, name: str) -> Site:
        """The site `<site>/check/<name>`, of what is computed to protect this one."""
        return replace(self.site, name=f"{self.site.name}{CHECK}{name}", of=self.site.name)

    # --- matrix products ---

    @cached_property
    def products(self) -> Matrices:
        """The application as matrix products; InputError if it is none."""
        return matrices(self.operator, self.inputs, self.site)

    @cached_property
    def entries(self) -> Entries:
        """The products, as the entries of checks."""
        return Entries.of(self.products)

    @property
    def product(self) -> MatrixProduct:
        """The operator, a matrix product."""
        assert isinstance(self.operator, MatrixProduct)
        return self.operator

    @property
    def write_back(self) -> WriteBack | None:
        """How the accumulators are written back."""
        return self.product.write_back

    def accumulators(self, step: int) -> Tensor:
        """Running sums [q, g, m, n] int32 after every `step` products and at the end, with the faults of the site."""
        k = self.products.shape.k
        ends = (*range(step, k, step), k)
        whole = Accumulated(whole=self.operator.unwritten, products=self.products, ends=ends)
        sums = self.machine.apply(whole, self.inputs, self.site)
        split = self.products.split
        first = split(sums[0])
        if first.is_contiguous() and first.data_ptr() == sums.data_ptr():  # the products lie as in the output
            return sums.view(len(sums), *first.shape)
        return torch.stack([split(of_slab) for of_slab in sums])

    def write(self, total: Tensor) -> Tensor:
        """Accumulators [g, m, n] int32 -> the operator's output."""
        merged = self.products.merge(total)
        if self.write_back is None:
            return merged
        finish = Written(whole=self.product, write_back=self.write_back, products=self.products)
        return self.machine.apply(finish, (merged, *self.inputs), self.site)
