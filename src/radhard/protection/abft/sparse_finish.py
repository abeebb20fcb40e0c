"""Writes products back of which it is known what their words are off by: the sound output, and in it these words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from radhard.machine import Arithmetic, MatrixProduct, NoteNonFinite, Operator, Plain, UnitInput, Units, WriteBack
from radhard.machine.gemm import written_back
from radhard.protection.abft.deltas import Deltas
from radhard.protection.abft.sparse_products import SparseProducts


def total_of(found: SparseProducts) -> Deltas:
    """What the words of products [g, m, n] are off by as computed, modulo 2^32."""
    size = found.shape.m * found.shape.n
    slab, word = np.divmod(found.words.index, size)
    last = slab % found.slabs == found.slabs - 1
    return Deltas.of([((slab // found.slabs * size + word)[last], found.words.delta[last])], bits=32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Finished(Operator):
    """Writes back what `whole` computed: `words` is its sound output, with that of accumulators that are off."""

    name: ClassVar[str] = "finished"
    first_step = 2  # after products and running sums
    whole: MatrixProduct
    write_back: WriteBack
    words: Tensor
    found: SparseProducts
    total: Deltas

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """One accumulator, and its multiplier."""
        own = self.whole.units(inputs)

        def gather(index: Tensor) -> tuple[UnitInput, ...]:
            return accumulated(self.found, self.total, index), self.whole.multipliers(inputs, index)

        return Units(own.grid, gather, own.scatter)

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One scale multiplication."""
        total, multiplier = inputs
        assert isinstance(total, Tensor)
        return written_back(m, total, multiplier, back=self.write_back)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """The words themselves."""
        del inputs, note
        return self.words


def accumulated(found: SparseProducts, total: Deltas, index: Tensor) -> Tensor:
    """Accumulators `index` [u], flat in [g, m, n], which are off by `total` -> [u] int32."""
    word = index.numpy()
    row, j = np.divmod(word, found.shape.n)
    g, i = np.divmod(row, found.shape.m)
    return torch.from_numpy(found.sound.words(g, i, j, 0, found.shape.k) + total.at(word)).to(torch.int32)


def finish(found: SparseProducts, total: Deltas) -> Tensor:
    """The operator's output, of accumulators that are off by `total`."""
    work = found.application
    out = work.operator.kernel(work.inputs, lambda _: None)
    back = work.write_back
    if len(total):
        units, index = work.operator.units(work.inputs), torch.from_numpy(total.index)
        words = accumulated(found, total, index)
        if back is not None:
            words = written_back(Plain(), words, work.product.multipliers(work.inputs, index), back=back)
        units.scatter(out, index, words)
    if back is None:
        return out
    written = Finished(whole=work.product, write_back=back, words=out, found=found, total=total)
    return work.machine.apply(written, work.inputs, work.site)
