"""Reads faulty blocks of a product, and corrects single words in its output.

A block of C = A B is the sum of products of one slab of k, over some rows and columns: of a later slab, the difference
of two running sums.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.machine.operator import GATHERED_AT_ONCE
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Dot, Entries
from radhard.protection.abft.detection import Detection, FlaggedBlocks
from radhard.protection.abft.gather import gather_blocks
from radhard.protection.cost.shape import Block

Places = tuple[Tensor, Tensor, Tensor]  # of words: block [e], row and column [e] in it


@dataclass(frozen=True, kw_only=True, eq=False)
class Blocks:
    """Blocks [f, h, w] of equal sizes, with what they are made of, all int64.

    `values` are as computed; a [f, h, t] and b [f, w, t] their factors, `alpha` and `beta` [f, t] the sums of these
    over h and over w; `expected` [f] is what each must sum to. `at` says where they are.
    """

    at: FlaggedBlocks
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


class Correction:
    """Reads the blocks of one application; `total` [g, m, n] int32 is put right in place.

    `found` is what detection made, `expected` [g, q, i, j] the sums that blocks must have.
    """

    def __init__(self, application: ProtectedApplication, *, block: Block, found: Detection, expected: Tensor) -> None:
        self.total = found.sums[-1].clone()
        self.checks = application.checks
        self._work = application
        self._block = block
        self._found = found
        self._expected = expected

    def alike(self, flagged: FlaggedBlocks) -> Iterator[Blocks]:
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
        code = sizes[:, 0]
        for limit, column in zip((block.k + 1, block.n + 1, 2, 2), sizes.T[1:], strict=True):
            code = code * limit + column
        for one in code.unique():
            mine = where(code == one)
            h, depth, w = sizes[mine[0], :3].tolist()
            for index in mine.split(max(1, GATHERED_AT_ONCE // ((h + w) * depth + h * w))):
                yield self._gather(flagged.only(index))

    def _gather(self, at: FlaggedBlocks) -> Blocks:
        """Read the blocks and their factors; a block of a later slab is a difference."""
        x, block = self._work.products, self._block
        slabs, (rows, columns) = len(self._found.sums), self._expected.shape[2:]
        h = min(block.m, x.shape.m - int(at.i[0]) * block.m)
        w = min(block.n, x.shape.n - int(at.j[0]) * block.n)
        first, last = int(at.q[0]) == 0, int(at.q[0]) == slabs - 1
        depth = min(block.k, x.shape.k - int(at.q[0]) * block.k)
        row, term, column = at.i * block.m, at.q * block.k, at.j * block.n
        entries = self._work.entries.inner(at.g, (at.q * rows + at.i) * columns + at.j, slabs * rows * columns)
        sums, every = self._found.sums.flatten(0, 1), at.q * len(x.a) + at.g
        values = gather_blocks(sums, every, (row, column), rows=h, columns=w)
        if not first:
            before = gather_blocks(sums, every - len(x.a), (row, column), rows=h, columns=w)
            values = self.checks.minus(f"{h}x{depth}x{w}/slab", values, before, entries)
        weight = at.g % len(x.b)
        a = gather_blocks(x.a, at.g, (row, term), rows=h, columns=depth)
        b = gather_blocks(x.b, weight, (column, term), rows=w, columns=depth)
        if last and x.bias is not None:
            bias = gather_blocks(x.bias[:, None], weight, (torch.zeros_like(column), column), rows=1, columns=w)
            a = torch.cat([a, torch.ones_like(a[..., :1])], 2)
            b = torch.cat([b, bias.mT], 2)
        left, right, terms = self._found.left.blocks, self._found.right.blocks, a.shape[2]
        return Blocks(
            at=at,
            entries=entries,
            values=values,
            a=a,
            b=b,
            alpha=gather_blocks(left, at.g, (at.i, term), rows=1, columns=terms)[:, 0],
            beta=gather_blocks(right, at.g, (at.j, term), rows=1, columns=terms)[:, 0],
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

    def weighted(self, blocks: Blocks, sums: Tensor, index: Tensor) -> Tensor:
        """Stored sums [h, j, 2, terms] of a weight -> those of blocks `index` [e]: [e, 2, t]."""
        at, zero = blocks.at.only(index), torch.zeros_like(index)
        every = at.g % len(self._work.products.b) * sums.shape[1] + at.j
        return gather_blocks(sums.flatten(0, 1), every, (zero, at.q * self._block.k), rows=2, columns=blocks.a.shape[2])

    def corrected(self, label: str, blocks: Blocks, at: Places, delta: Tensor) -> Tensor:
        """Words `at` [e] of the blocks, less their `delta`."""
        return self.checks.minus(f"{label}/correct", blocks.values[at], delta, self.words(blocks, at))

    def again(self, label: str, blocks: Blocks, at: Places) -> Tensor:
        """Words `at` [e] of the blocks, computed again from their factors."""
        parts = []
        for f, r, c in zip(*(index.split(max(1, GATHERED_AT_ONCE // blocks.a.shape[2])) for index in at), strict=True):
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
        turn = _turns(place, blocks.at.q[f], sizes=self.total.shape)
        for number in range(int(turn.max()) + 1):  # one word may be off in several slabs: the first one, then the next
            mine = where(turn == number)
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


def _turns(place: Places, slab: Tensor, *, sizes: torch.Size) -> Tensor:
    """Words at `place` [e] of an output and their slabs [e] -> how many earlier ones of the same word there are."""
    g, row, column = place
    word = (g * sizes[1] + row) * sizes[2] + column
    order = (word * (int(slab.max()) + 1) + slab).argsort()
    ordered, turn = word[order], torch.zeros_like(word)
    new = torch.ones_like(word, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    starts = where(new)
    counts = torch.diff(starts, append=torch.full_like(starts[:1], len(word)))
    turn[order] = torch.arange(len(word), device=word.device) - starts.repeat_interleave(counts)
    return turn
