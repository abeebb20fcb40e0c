"""`MaskCounting`: a machine that counts, of every integer product it computes, the single flips that it masks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radhard.errors import InputError
from radhard.kernels.masked import count_masked
from radhard.kernels.octets import OCTETS
from radhard.kernels.threads import split
from radhard.machine import Clean, Cost, Kind, Machine, Operator, Site, Wrapping
from radhard.machine.gemm import MatrixProduct
from radhard.machine.matrices import Matrices
from radhard.program import Program, run
from radhard.words import Words

Counts = NDArray[np.int64]
NO_BIAS = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskedBits:
    """Of each site and kind that was counted: how many of the exposed bits of each image [B] int64 are masked."""

    of: Mapping[tuple[Site, Kind], Counts]


class MaskCounting(Wrapping):
    """Lets `inner` compute, and counts for each image the bits of integer products whose flip no written word shows.

    Of products and running sums in 8-bit words with a write-back; of all other sites nothing is counted.
    """

    def __init__(self, inner: Machine, words: Words) -> None:
        super().__init__(inner)
        self.words = words
        self.found: dict[tuple[Site, Kind], Counts] = {}
        self._images = 0

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """Start afresh."""
        self.found, self._images = {}, len(ids)
        super().begin(costs, ids)

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The inner machine's output."""
        if counts_at(operator):
            assert isinstance(operator, MatrixProduct)
            on_host = [None if x is None else x.cpu() for x in inputs]
            try:
                matrices = operator.matrices(on_host, site)
            except InputError:  # the images are rows of one product: its flips are not told apart by image
                return self.inner.apply(operator, inputs, site)
            self._count(operator, matrices, site)
        return self.inner.apply(operator, inputs, site)

    def _count(self, operator: MatrixProduct, of: Matrices, site: Site) -> None:
        back, (h, n, _) = operator.write_back, of.b.shape
        assert back is not None
        own = back.multiplier.cpu().to(torch.float32)
        factor = np.ascontiguousarray((own.expand(h, n) if own.numel() in (1, n) else own.view(h, n)).numpy())
        zero, low, high = (np.float32(value) for value in back.grid.limits)
        product, total = self.words.product, self.words.accumulator
        exposed = np.array([(1 << product.exposed) - 1, (1 << total.exposed) - 1], dtype=np.uint32)
        a, b = np.ascontiguousarray(of.a.numpy()), np.ascontiguousarray(of.b.mT.numpy())
        bias = None if of.bias is None else np.ascontiguousarray(of.bias.to(torch.int32).expand(h, n).numpy())
        masked = np.zeros((len(a), 2), dtype=np.int64)

        def count(first: int, last: int) -> None:
            for x in range(first, last):
                y = x % h
                masked[x] = count_masked(
                    a[x], b[y], NO_BIAS if bias is None else bias[y], factor[y], zero, low, high,
                    back.dtype in OCTETS, product.bits, exposed,
                )  # fmt: skip

        split(len(a), max(1, a[0].size * n), count)
        for kind, column in (("mul", 0), ("add", 1)):
            counts = np.zeros(self._images, dtype=np.int64)
            np.add.at(counts, of.slot, masked[:, column])
            counts = counts if site.batch_axis is not None else np.full_like(counts, counts[0])
            self.found[site, kind] = counts  # type: ignore[index]


def counts_at(operator: Operator) -> bool:
    """Whether the masked flips of an operator are counted: an integer product, written back in 8 bits or as float32."""
    back = operator.write_back if isinstance(operator, MatrixProduct) else None
    return back is not None and back.dtype != torch.int32


def masked_bits(program: Program, images: Tensor, *, ids: Tensor, words: Words) -> MaskedBits:
    """One clean run of `images` [B, ...] -> the masked bits of every integer product in it."""
    machine = MaskCounting(Clean(), words)
    run(program, images, machine, ids=ids)
    return MaskedBits(of=machine.found)
