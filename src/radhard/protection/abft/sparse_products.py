"""Integer matrix products where only what faults touch is computed: what words and sums are off by.

Whatever is not hit is sound, and in sound products the sums of outputs and those of factors agree. So only what they
are off by is followed from hit words to the sums that have them as terms, and the operations are counted as if all of
them were executed.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch

from radhard.kernels.sums import BlockSums
from radhard.machine.site import Column
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import NOTHING, Change, Checks
from radhard.protection.abft.checksums import weight_sums
from radhard.protection.abft.deltas import Deltas
from radhard.protection.abft.entries import Entries
from radhard.protection.abft.sound import SoundProducts
from radhard.protection.abft.struck import HitChains
from radhard.protection.cost.shape import Block, pieces

Coordinates = tuple[Column, ...]  # of entries [u]: one column an axis
ReadTerms = Callable[[Coordinates, int], Column]  # places, and how many terms each has -> [u, terms]


class SparseProducts:
    """The products [g] of one application by blocks, as far as they are off.

    `words` [g, q, m, n]: what running sums after each slab of k are off by, exactly.
    """

    def __init__(self, application: ProtectedApplication, checks: Checks, *, block: Block) -> None:
        self.application, self.checks, self.block = application, checks, block
        x = application.products
        self.sound, self.everyone, self.shape = SoundProducts(x), application.entries, x.shape
        self.rows, self.slabs, self.columns = block.count(x.shape)  # blocks along m, k, n
        self.ends = np.array([*range(block.k, x.shape.k, block.k), x.shape.k], np.int64)
        self.words = self._words()

    # --- sound sums ---

    @cached_property
    def stored(self) -> BlockSums | None:
        """The sums of the weight; None of activations."""
        x, step = self.application.products, self.block.n
        return weight_sums(self.application, self.checks, step=step) if x.stored else None

    @cached_property
    def beta(self) -> Column:
        """Sums of blocks of columns of B [h, j, terms] int64."""
        return self.sound.beta(self.block.n) if self.stored is None else self.stored.blocks.numpy()

    @cached_property
    def beta_whole(self) -> Column:
        """Sums of all columns of B [h, terms] int64, made of the columns themselves."""
        found: Column = self.sound.beta(self.shape.n)[:, 0]
        return found

    @cached_property
    def alpha(self) -> Column:
        """Sums of blocks of rows of A [g, i, terms] int64."""
        return self.sound.alpha(self.block.m)

    def slab(self, q: Column) -> tuple[Column, Column]:
        """The first term of slabs [e], and the first behind: those of the last one have the bias with them."""
        last = np.where(q == self.slabs - 1, self.shape.terms, self.ends[q])
        return q * self.block.k, last

    # --- what they are off by ---

    def _words(self) -> Deltas:
        work, ends = self.application, tuple(self.ends.tolist())
        chains = HitChains(whole=work.operator.unwritten, inputs=work.inputs, ends=ends)
        work.machine.strike(chains, site=work.site, cost=None)
        size = self.shape.m * self.shape.n
        parts = [
            (((index // size * len(ends))[:, None] + np.arange(len(ends))) * size + (index % size)[:, None], delta)
            for index, delta in chains.found
        ]
        return Deltas.of([(index.ravel(), delta.ravel()) for index, delta in parts])

    def sums(
        self,
        name: str,
        read: ReadTerms,
        *,
        before: tuple[int, ...] = (),
        size: int,
        step: int,
        after: tuple[int, ...] = (),
        dtype: torch.dtype,
        entries: Entries | None = None,
    ) -> Change:
        """What faults add to sums over every `step` of `size` entries: flat in [f, *before, blocks, *after]."""
        entries, blocks = entries or self.everyone, -(-size // step)
        whole = (len(entries), *before, blocks, *after)
        found = []
        for first, count, width in pieces(size, step):
            grid, axis, base = (*before, count, *after), 1 + len(before), first // step

            def place(index: Column, grid: tuple[int, ...] = grid, axis: int = axis, base: int = base) -> Coordinates:
                at = list(np.unravel_index(index, (len(entries), *grid)))
                return (*at[:axis], at[axis] + base, *at[axis + 1 :])

            def terms(index: Column, width: int = width, place: Callable[[Column], Coordinates] = place) -> Coordinates:
                return (read(place(index), width),)

            label = name if width == step else f"{name}/rest"
            index, delta = self.checks.struck(label, "sum", terms, entries, grid=grid, width=width, dtype=dtype)
            if len(index):
                found.append((np.ravel_multi_index(place(index), whole), delta))
        each = list(zip(NOTHING, *found, strict=True))
        return np.concatenate(each[0]), np.concatenate(each[1])

    def factor(self, name: str, *, size: int, step: int) -> tuple[Deltas, Deltas]:
        """Sums of A or B over blocks, and of these."""
        k, terms, blocks = self.shape.k, self.shape.terms, -(-size // step)
        words = self.sound.words_of_a if name == "encode_a" else self.sound.words_of_b

        def of_words(at: Coordinates, width: int) -> Column:
            g, block, t = (column[:, None] for column in at)
            return words(g, block * step + np.arange(width), t)

        index, delta = self.sums(name, of_words, size=size, step=step, after=(k,), dtype=torch.int32)
        row, t = np.divmod(index, k)
        sums = Deltas.of([(row * terms + t, delta)], bits=32)

        def of_blocks(at: Coordinates, width: int) -> Column:
            g, _, t = (column[:, None] for column in at)
            sound = np.add.reduceat(words(g, np.arange(size)[None], t), np.arange(0, size, step), axis=1)
            block = np.arange(width)
            return sound + sums.at((g * blocks + block) * terms + t)

        index, delta = self.sums(f"{name}/all", of_blocks, size=blocks, step=blocks, after=(k,), dtype=torch.int32)
        row, t = np.divmod(index, k)
        block, own = np.divmod(sums.index, terms)
        whole = Deltas.of([(block // blocks * terms + own, sums.delta), (row * terms + t, delta)], bits=32)
        return sums, whole
