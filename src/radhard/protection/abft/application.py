"""One protected application: its results from the inner machine, its checks and its checksums."""

from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from radhard.machine import CHECK, Load, Machine, Matrices, MatrixProduct, Operator, Site, WriteBack, read_cost
from radhard.machine.operator import GATHERED_AT_ONCE
from radhard.protection.abft.checks import Checks, Entries
from radhard.protection.abft.checksums import column_sums, row_sums
from radhard.protection.abft.products import matrices
from radhard.protection.abft.stages import Accumulated, Written
from radhard.protection.abft.stored import BlockSums, StoredSums, store, with_bias


class ProtectedApplication:
    """`operator` applied to `inputs` at `site`, on `inner`; `checks` keeps the account."""

    def __init__(
        self,
        *,
        operator: Operator,
        inputs: tuple[Tensor | None, ...],
        site: Site,
        inner: Machine,
        stored: dict[str, object],
        exposed: bool,
    ) -> None:
        self.operator = operator
        self.inputs = inputs
        self.site = site
        self.inner = inner
        self.checks = Checks(inner, site, exposed=exposed)
        self.stored = stored

    def compute(self) -> Tensor:
        """What the inner machine returns, with the faults of the site."""
        return self.inner.apply(self.operator, self.inputs, self.site)

    def copy(self, number: int, *, images: int | None = None) -> Tensor:
        """The operator once more, at the site `<site>/check/copy<number>`, with faults of its own.

        Its operations are those of so many images, default all: others need no copy, and nobody reads theirs.
        """
        site = self._beside(f"copy{number}")
        cost = read_cost(self.operator, self.inputs, site)
        if images is None:
            images = self.operator.units(self.inputs).count // max(cost.units, 1)
        self.checks.count(mul=images * cost.operations("mul"), add=images * cost.operations("add"))
        return self.inner.apply(self.operator, self.inputs, site)

    def voted(self, words: Tensor) -> Tensor:
        """Words [...] in the layout of the output, as the voter yields them: exposed like words that are loaded."""
        return self.inner.apply(Load(), (words,), self._beside("vote")) if self.checks.exposed else words

    def _beside(self, name: str) -> Site:
        return replace(self.site, name=f"{self.site.name}{CHECK}{name}", of=self.site.name)

    # --- matrix products ---

    @cached_property
    def products(self) -> Matrices:
        """The application as matrix products; InputError if it is none."""
        return matrices(self.operator, self.inputs, self.site)

    @cached_property
    def entries(self) -> Entries:
        """The products, as the entries of checks."""
        x = self.products
        return Entries(slot=x.slot, piece=x.piece, pieces=x.pieces)

    @property
    def write_back(self) -> WriteBack | None:
        """How the accumulators are written back."""
        assert isinstance(self.operator, MatrixProduct)
        return self.operator.write_back

    def accumulators(self, step: int) -> Tensor:
        """Running sums [q, g, m, n] int32 after every `step` products and at the end, with the faults of the site."""
        k = self.products.shape.k
        ends = (*range(step, k, step), k)
        whole = Accumulated(whole=self.operator.unwritten, products=self.products, ends=ends)
        sums = self.inner.apply(whole, self.inputs, self.site)
        split = self.products.split
        first = split(sums[0])
        if first.is_contiguous() and first.data_ptr() == sums.data_ptr():  # the products lie as in the output
            return sums.view(len(sums), *first.shape)
        return torch.stack([split(of_slab) for of_slab in sums])

    def factors(self) -> tuple[Tensor, Tensor]:
        """A [g, m, terms] and B [g, n, terms] int32; a bias is the last term."""
        x = self.products
        a, b = x.a.int(), x.of_weight(with_bias(x).int(), x.every)
        return (a if x.bias is None else torch.cat([a, torch.ones_like(a[..., :1])], 2)), b

    def write(self, total: Tensor) -> Tensor:
        """Accumulators [g, m, n] int32 -> the operator's output."""
        merged = self.products.merge(total)
        if self.write_back is None:
            return merged
        finish = Written(whole=self.operator, write_back=self.write_back, products=self.products)
        return self.inner.apply(finish, (merged, *self.inputs), self.site)

    def row_sums(self, step: int) -> BlockSums:
        """Sums over blocks of `step` rows of A."""
        return row_sums(self.products, step, checks=self.checks, entries=self.entries)

    def column_sums(self, step: int) -> BlockSums:
        """Sums over blocks of `step` columns of B, one for each product; those of a weight are stored."""
        if not self.products.stored:
            return column_sums(self.products, step, checks=self.checks, entries=self.entries)
        known, x = self._of_weight(step).sums, self.products
        return BlockSums(blocks=x.of_weight(known.blocks, x.every), all=x.of_weight(known.all, x.every))

    def weighted_sums(self, step: int) -> Tensor | None:
        """Stored sums over blocks of columns [h, j, 2, terms], weighted by their numbers; None of activations."""
        return self._of_weight(step).weighted if self.products.stored else None

    def _of_weight(self, step: int) -> StoredSums:
        weight = self.inputs[1]
        assert weight is not None
        known = self.stored.get(self.site.name)
        if not isinstance(known, StoredSums) or known.weight is not weight or known.step != step:
            known = self.stored[self.site.name] = store(self.products, weight, step=step)
        return known

    def audit(self, g: Tensor, j: Tensor, right: BlockSums, *, step: int) -> None:
        """Make the stored sums of blocks `j` [f] of products `g` [f] once more, and note which are corrupted.

        Called where a mismatch has no cause in the output: the sums are wrong, or the weight is no longer theirs.
        """
        if not self.products.stored:
            return
        x, count = self.products, right.blocks.shape[1]
        pairs = (g * count + j).unique()
        last = pairs % count == count - 1  # the one block that may be narrower
        for some in (pairs[~last], pairs[last]):
            for part in some.split(max(1, GATHERED_AT_ONCE // (step * x.shape.k))):
                self._audit(part // count, part % count, right, step=step)

    def _audit(self, g: Tensor, j: Tensor, right: BlockSums, *, step: int) -> None:
        """The same of blocks of equal widths."""
        if not len(g):
            return
        x, count = self.products, right.blocks.shape[1]
        width = min(step, x.shape.n - int(j[0]) * step)
        columns = x.b.unfold(1, width, 1)[g % len(x.b), j * step].mT.long()  # [f, width, k]
        entries = self.entries.inner(g, j, count)
        again = self.checks.sums(f"audit/{width}", columns, dim=1, step=width, entries=entries)[:, 0]
        wrong = self.checks.differ(again, right.blocks[g, j, : x.shape.k])
        self.checks.note(corrupted=int(wrong.any(1).sum()))

    def audit_total(self, g: Tensor, right: BlockSums) -> None:
        """Compare the stored sums over all columns, of products `g` [f], with those over blocks."""
        if not self.products.stored or not len(g):
            return
        blocks, entries = right.blocks[g], self.entries.only(g)
        again = self.checks.sums("audit/all", blocks, dim=1, step=blocks.shape[1], entries=entries)[:, 0]
        self.checks.note(corrupted=int(self.checks.differ(again, right.all[g]).any(1).sum()))
