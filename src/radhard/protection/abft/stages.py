"""Operators in stages: accumulators first, so that they can be checked before they are written back.

`Accumulated` yields the running sums of a matrix product at the ends of slabs of the reduction, `Written` writes the
last of them back; `Requantized` writes back what a float operator yields between int8 words. The two parts execute the
operations of the operator, each once and at its site. So the canonical index of an operation, and the faults that hit
it, are those of the operator when it is not protected.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from radhard.kernels.chains import Chains
from radhard.kernels.write import no_bias, write, write_float
from radhard.machine import Arithmetic, MatrixProduct, NoteNonFinite, Operator, Rows, UnitInput, Units, WriteBack
from radhard.machine.gemm import written_back
from radhard.machine.matrices import Matrices
from radhard.operators import Affine, Quantized


@dataclass(frozen=True, kw_only=True, eq=False)
class Accumulated(Operator):
    """The running sums of `whole`, a product without write-back, after `ends` products: [e, *its output] int32."""

    name: ClassVar[str] = "accumulated"
    whole: Operator
    products: Matrices
    ends: tuple[int, ...]

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """One output of the product for each end."""
        out = self.whole.empty(inputs)
        return torch.empty(len(self.ends), *out.shape, dtype=out.dtype, device=out.device)

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """Those of the product: one output's chain."""
        whole = self.whole.units(inputs)

        def scatter(out: Tensor, index: Tensor, values: Tensor) -> None:
            for place, sums in enumerate(out):
                whole.scatter(sums, index, values[:, place])

        return Units(whole.grid, whole.gather, scatter)

    def chains(self, inputs: Sequence[Tensor | None], out: Tensor) -> tuple[Chains, ...]:
        """Those of the product, as far as each end; the bias belongs to the last."""
        found = []
        for end, sums in zip(self.ends, out, strict=True):
            for x in self.whole.chains(inputs, sums):
                found.append(x if end == x.k else replace(x, k=end, bias=None))
        return tuple(found)

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Products, running sums; [u, e] of these are kept."""
        a, b, bias, _ = inputs
        assert isinstance(a, Rows)
        assert isinstance(b, Rows)
        return m.gemm(a, b, bias if isinstance(bias, Tensor) else None, self.ends)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """The exact product of each slab, added up; of one slab the product's own kernel."""
        if len(self.ends) == 1:
            return self.whole.kernel(inputs, note)[None]
        x, out, first = self.products, self.empty(inputs), 0
        total = torch.zeros((), dtype=torch.int32, device=out.device)
        for place, last in enumerate(self.ends):
            total = total + x.product(first, last)
            if place == len(self.ends) - 1 and x.bias is not None:
                total = total + x.of_weight(x.bias, x.every)[:, None]
            out[place] = x.merge(total)
            first = last
        return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Written(Operator):
    """Accumulators [...] int32 in the layout of the output, then the inputs of `whole` -> what `whole` writes back."""

    name: ClassVar[str] = "written"
    first_step = 2  # after products and running sums
    whole: MatrixProduct
    write_back: WriteBack
    products: Matrices

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """The product's output."""
        return self.whole.empty(inputs[1:])

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """Those of the product: one accumulator, and its multiplier."""
        total, *rest = inputs
        assert total is not None
        whole = self.whole.units(rest)

        def gather(index: Tensor) -> tuple[UnitInput, ...]:
            return _read(total, index, whole), self.whole.multipliers(rest, index)

        return Units(whole.grid, gather, whole.scatter)

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One scale multiplication."""
        total, multiplier = inputs
        assert isinstance(total, Tensor)
        return written_back(m, total, multiplier, back=self.write_back)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """One pass over the accumulators, columns of all weights side by side."""
        del note
        assert inputs[0] is not None
        x = self.products
        (g, m, _), n = x.sizes, x.b.shape[1]
        h = len(x.b) if x.stored else 1  # factors that are activations share their columns' multipliers
        rows = x.split(inputs[0]).view(g // h, h, m, n).transpose(1, 2).reshape(-1, h * n)
        words = write(rows, no_bias(h * n, rows.device), self.write_back)
        return x.merge(words.view(g // h, m, h, n).transpose(1, 2).reshape(g, m, n))


@dataclass(frozen=True, kw_only=True, eq=False)
class Requantized(Operator):
    """Results [...] float32 of `whole`, then its inputs -> the words that it writes.

    `first_step` is the number of steps that `whole` takes before it writes.
    """

    name: ClassVar[str] = "requantized"
    whole: Quantized
    writes: Affine
    first_step: int

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """The operator's output."""
        return self.whole.empty(inputs[1:])

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """Those of the operator: its results."""
        value, *rest = inputs
        assert value is not None
        whole = self.whole.units(rest)
        return Units(whole.grid, lambda index: (_read(value, index, whole),), whole.scatter)

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Scale, round and saturate."""
        (value,) = inputs
        assert isinstance(value, Tensor)
        return m.quantize(m.scale(value, self.writes.factor), self.writes.grid)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """One pass; what is not finite is noted."""
        assert inputs[0] is not None
        words, non_finite = write_float(inputs[0], self.writes.factor, self.writes.grid)
        if non_finite is not None:
            note(non_finite)
        return words


def _read(out: Tensor, index: Tensor, units: Units) -> Tensor:
    """What units `index` [u] wrote into `out`: [u], or [u, n] where a unit writes a row of n. Undoes `scatter`."""
    size = max(1, out.numel() // max(1, units.count))
    shape = (len(index),) if size == 1 else (len(index), size)
    order = torch.full(out.shape, -1, device=out.device)
    units.scatter(order, index, torch.arange(len(index) * size, device=out.device).view(shape))
    hit = order >= 0
    values = torch.empty(len(index) * size, dtype=out.dtype, device=out.device)
    values[order[hit]] = out[hit]
    return values.view(shape)
