"""Faulty blocks read from a product, and single words of them put right in its output.

A block of C = A B is the sum of products of one slab of k, over some rows and columns: of a later slab, the difference
of two running sums.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.protection.checks import Dot, Entries
from radhard.protection.detection import Detection, Flagged
from radhard.protection.shape import Block
from radhard.protection.work import Work

Places = tuple[Tensor, Tensor, Tensor]  # of words: block [e], row and column [e] in it
_CHUNK = 1 << 22  # factors of blocks, or of words, that are read at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Blocks:
    """Blocks [f, h, w] of equal sizes, with what they are made of, all int64.

    `values` are as computed; a [f, h, t] and b [f, w, t] their factors, `alpha` and `beta` [f, t] the sums of these
    over h and over w; `expected` [f] is what each must sum to. `at` says where they are.
    """

    at: Flagged
    entries: Entries
    values: Tensor
    a: Tensor
    b: Tensor
    alpha: Tensor
    beta: Tensor
    expected: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def only(self, index: Tensor) -> "Blocks":
        """Those at `index` [f]."""
        named = ("values", "a", "b", "alpha", "beta", "expected")
        chosen = {name: getattr(self, name)[index] for name in named}
        return Blocks(at=self.at.only(index), entries=self.entries.only(index), **chosen)


class Surgery:
    """Reads the blocks of one application; `total` [g, m, n] int32 is put right in place.

    `found` is what detection made, `expected` [g, q, i, j] the sums that blocks must have.
    """

    def __init__(self, work: Work, *, block: Block, found: Detection, expected: Tensor) -> None:
        self.total = found.sums[-1].clone()
        self.checks = work.checks
        self._work = work
        self._block = block
        self._found = found
        self._expected = expected

    def alike(self, flagged: Flagged) -> Iterator[Blocks]:
        """The blocks, those of equal sizes together, so many at a time that memory suffices."""
        shape, block = self._work.products.shape, self._block
        sizes = torch.stack(
            [
                (shape.m - flagged.i * block.m).clamp(max=block.m),
                (shape.k - flagged.q * block.k).clamp(max=block.k),
                (shape.n - flagged.j * block.n).clamp(max=block.n),
                (flagged.q > 0).long(),
                (flagged.q == len(self._found.sums) - 1).long(),
            ],
            1,
        )
        for size in sizes.unique(dim=0):
            h, depth, w = size[:3].tolist()
            for index in where((sizes == size).all(1)).split(max(1, _CHUNK // ((h + w) * depth + h * w))):
                yield self._gather(flagged.only(index))

    def _gather(self, at: Flagged) -> Blocks:
        """Read the blocks and their factors; a block of a later slab is a difference."""
        x, block = self._work.products, self._block
        slabs, g, (rows, columns) = len(self._found.sums), at.g[:, None, None], self._expected.shape[2:]
        h = min(block.m, x.shape.m - int(at.i[0]) * block.m)
        w = min(block.n, x.shape.n - int(at.j[0]) * block.n)
        first, last = int(at.q[0]) == 0, int(at.q[0]) == slabs - 1
        depth = min(block.k, x.shape.k - int(at.q[0]) * block.k)
        row = (at.i * block.m)[:, None] + torch.arange(h)
        column = (at.j * block.n)[:, None] + torch.arange(w)
        term = (at.q * block.k)[:, None] + torch.arange(depth)
        entries = self._work.entries.inner(at.g, (at.q * rows + at.i) * columns + at.j, slabs * rows * columns)
        place = (g, row[:, :, None], column[:, None, :])
        values = self._found.sums[(at.q[:, None, None], *place)].long()
        if not first:
            before = self._found.sums[(at.q[:, None, None] - 1, *place)].long()
            values = self.checks.minus(f"{h}x{depth}x{w}/slab", values, before, entries)
        weight = g % len(x.b)
        a = x.a[g, row[:, :, None], term[:, None, :]].long()
        b = x.b[weight, column[:, :, None], term[:, None, :]].long()
        if last and x.bias is not None:
            a = torch.cat([a, torch.ones_like(a[..., :1])], 2)
            b = torch.cat([b, x.bias[weight[:, 0], column].long()[..., None]], 2)
            term = torch.cat([term, torch.full_like(term[:, :1], x.shape.k)], 1)
        return Blocks(
            at=at,
            entries=entries,
            values=values,
            a=a,
            b=b,
            alpha=self._found.left.blocks[at.g[:, None], at.i[:, None], term],
            beta=self._found.right.blocks[at.g[:, None], at.j[:, None], term],
            expected=self._expected[at.g, at.q, at.i, at.j],
        )

    def rows(self, label: str, blocks: Blocks) -> tuple[Tensor, Tensor]:
        """What the sums of the rows [f, h] are off by, and what they must be."""
        return self._residual(f"{label}/rows", blocks, blocks.values, factor=blocks.a, sums=blocks.beta)

    def columns(self, label: str, blocks: Blocks) -> tuple[Tensor, Tensor]:
        """What the sums of the columns [f, w] are off by, and what they must be."""
        return self._residual(f"{label}/columns", blocks, blocks.values.mT, factor=blocks.b, sums=blocks.alpha)

    def _residual(
        self, name: str, blocks: Blocks, values: Tensor, *, factor: Tensor, sums: Tensor
    ) -> tuple[Tensor, Tensor]:
        width = values.shape[2]
        actual = self.checks.sums(name, values, dim=2, step=width, entries=blocks.entries)[..., 0]
        wanted = self.checks.apply(f"{name}/wanted", Dot(), (factor, sums[:, None]), blocks.entries)[..., 0]
        return self.checks.minus(f"{name}/residual", actual, wanted, blocks.entries), wanted

    def weighted(self, blocks: Blocks, sums: Tensor) -> Tensor:
        """Stored sums [h, j, 2, terms] of a weight -> those of each block [f, 2, t]."""
        first, size = blocks.at.q * self._block.k, blocks.a.shape[2]
        term = first[:, None] + torch.arange(size)
        weight = blocks.at.g % len(self._work.products.b)
        return sums[weight[:, None], blocks.at.j[:, None], :, term].mT

    def corrected(self, label: str, blocks: Blocks, at: Places, delta: Tensor) -> Tensor:
        """Words `at` [e] of the blocks, less their `delta`."""
        return self.checks.minus(f"{label}/correct", blocks.values[at], delta, self.words(blocks, at))

    def again(self, label: str, blocks: Blocks, at: Places) -> Tensor:
        """Words `at` [e] of the blocks, computed again from their factors."""
        parts = []
        for f, r, c in zip(*(index.split(max(1, _CHUNK // blocks.a.shape[2])) for index in at), strict=True):
            factors = (blocks.a[f, r][:, None], blocks.b[f, c][:, None])
            parts.append(self.checks.apply(f"{label}/again", Dot(), factors, self.words(blocks, (f, r, c)))[:, 0, 0])
        return torch.cat(parts)

    def put(self, label: str, blocks: Blocks, at: Places, words: Tensor) -> None:
        """Put `words` [e] in their places in the blocks, and right in `total`.

        That is the word itself, or where the block is one slab of several, what it lost is taken from the output: from
        its old and its new word, so that a repair that is hit leaves both wrong by the same, and the next attempt puts
        both right.
        """
        f, r, c = at
        place = (blocks.at.g[f], blocks.at.i[f] * self._block.m + r, blocks.at.j[f] * self._block.n + c)
        old = blocks.values[at]
        blocks.values[at] = words
        if len(self._found.sums) == 1:
            self.total[place] = words.to(torch.int32)
            return
        entries = self.words(blocks, at)
        lost = self.checks.minus(f"{label}/lost", old, words, entries).to(torch.int32)
        slab = blocks.at.q[f]
        for q in slab.unique():  # one word may be off in several slabs
            mine = where(slab == q)
            chosen = tuple(index[mine] for index in place)
            less = self.checks.minus(f"{label}/total", self.total[chosen], lost[mine], entries.only(mine))
            self.total[chosen] = less

    def words(self, blocks: Blocks, at: Places) -> Entries:
        """Words as the entries of checks."""
        f, r, c = at
        _, h, w = blocks.values.shape
        return blocks.entries.inner(f, r * w + c, h * w)

    def audit(self, blocks: Blocks, index: Tensor) -> None:
        """Compare the stored sums of blocks `index` [f] with their weights: a mismatch had no other cause."""
        if len(index):
            at = blocks.at.only(index)
            self._work.audit(at.g, at.j, self._found.right, step=self._block.n)


def where(mask: Tensor) -> Tensor:
    """Mask [f] -> indices int64."""
    return mask.nonzero()[:, 0]
