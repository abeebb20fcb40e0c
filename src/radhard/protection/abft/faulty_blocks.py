"""Reads faulty blocks of a product, and the factors that they are made of.

A block of C = A B is the sum of products of one slab of k, over some rows and columns: of a later slab, the difference
of two running sums.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.machine import Shape
from radhard.machine.operator import GATHERED_AT_ONCE
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from radhard.protection.abft.correcting import WordPlaces
from radhard.protection.abft.detection import Detection, FlaggedBlocks, Suspects
from radhard.protection.abft.entries import Entries
from radhard.protection.abft.gather import gather_blocks
from radhard.protection.cost.shape import Block


@dataclass(frozen=True, kw_only=True, eq=False)
class FaultyBlocks:
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

    @property
    def h(self) -> int:
        """Rows of a block."""
        return self.values.shape[1]

    @property
    def w(self) -> int:
        """Columns of a block."""
        return self.values.shape[2]

    @property
    def sizes(self) -> str:
        """Their sizes along m, k and n, as the sites of their checks have them."""
        (_, h, w), terms = self.values.shape, self.a.shape[2]
        return f"{h}x{terms}x{w}"

    def only(self, index: Tensor) -> "FaultyBlocks":
        """Those at `index` [f]."""
        named = ("values", "a", "b", "alpha", "beta", "expected")
        chosen = {name: getattr(self, name)[index] for name in named}
        return FaultyBlocks(at=self.at.only(index), entries=self.entries.only(index), **chosen)

    def words(self, at: WordPlaces) -> Entries:
        """Words as the entries of checks."""
        f, r, c = at
        _, h, w = self.values.shape
        return self.entries.inner(f, r * w + c, h * w)


def read_blocks(
    application: ProtectedApplication, checks: Checks, *, found: Detection, suspects: Suspects
) -> Iterator[FaultyBlocks]:
    """The flagged blocks, those of equal sizes together, so many at a time that memory suffices."""
    flagged, shape = suspects.flagged, application.products.shape
    for mine, (h, depth, w) in alike(shape, found.block, flagged, slabs=len(found.sums)):
        for index in mine.split(blocks_at_once(h, depth, w)):
            yield _read(application, checks, found=found, expected=suspects.expected, at=flagged.only(index))


def blocks_at_once(h: int, depth: int, w: int) -> int:
    """How many blocks of these sizes are gathered at a time, with their factors."""
    return max(1, GATHERED_AT_ONCE // ((h + w) * depth + h * w))


def alike(
    shape: Shape, block: Block, flagged: FlaggedBlocks, *, slabs: int
) -> Iterator[tuple[Tensor, tuple[int, int, int]]]:
    """The numbers of the flagged blocks of equal sizes, and these sizes along m, k and n.

    Blocks of the first slab, of the last one and of others are told apart.
    """
    sizes = torch.stack(
        [
            (shape.m - flagged.i * block.m).clamp(max=block.m),
            (shape.k - flagged.q * block.k).clamp(max=block.k),
            (shape.n - flagged.j * block.n).clamp(max=block.n),
            (flagged.q > 0).long(),
            (flagged.q == slabs - 1).long(),
        ],
        1,
    )
    code = sizes[:, 0]
    for limit, column in zip((block.k + 1, block.n + 1, 2, 2), sizes.T[1:], strict=True):
        code = code * limit + column
    for one in code.unique():
        mine = (code == one).nonzero()[:, 0]
        h, depth, w = sizes[mine[0], :3].tolist()
        yield mine, (h, depth, w)


def _read(
    application: ProtectedApplication, checks: Checks, *, found: Detection, expected: Tensor, at: FlaggedBlocks
) -> FaultyBlocks:
    """Blocks of equal sizes and their factors; a block of a later slab is a difference."""
    x, block = application.products, found.block
    slabs, (rows, columns) = len(found.sums), expected.shape[2:]
    h = min(block.m, x.shape.m - int(at.i[0]) * block.m)
    w = min(block.n, x.shape.n - int(at.j[0]) * block.n)
    first, last = int(at.q[0]) == 0, int(at.q[0]) == slabs - 1
    depth = min(block.k, x.shape.k - int(at.q[0]) * block.k)
    row, term, column = at.i * block.m, at.q * block.k, at.j * block.n
    entries = application.entries.inner(at.g, (at.q * rows + at.i) * columns + at.j, slabs * rows * columns)
    sums, every = found.sums.flatten(0, 1), at.q * len(x.a) + at.g
    values = gather_blocks(sums, every, (row, column), rows=h, columns=w)
    if not first:
        before = gather_blocks(sums, every - len(x.a), (row, column), rows=h, columns=w)
        values = checks.minus(f"{h}x{depth}x{w}/slab", values, before, entries)
    weight = at.g % len(x.b)
    a = gather_blocks(x.a, at.g, (row, term), rows=h, columns=depth)
    b = gather_blocks(x.b, weight, (column, term), rows=w, columns=depth)
    if last and x.bias is not None:
        bias = gather_blocks(x.bias[:, None], weight, (torch.zeros_like(column), column), rows=1, columns=w)
        a = torch.cat([a, torch.ones_like(a[..., :1])], 2)
        b = torch.cat([b, bias.mT], 2)
    terms = a.shape[2]
    return FaultyBlocks(
        at=at,
        entries=entries,
        values=values,
        a=a,
        b=b,
        alpha=gather_blocks(found.left.blocks, at.g, (at.i, term), rows=1, columns=terms)[:, 0],
        beta=gather_blocks(found.right.blocks, at.g, (at.j, term), rows=1, columns=terms)[:, 0],
        expected=expected[at.g, at.q, at.i, at.j],
    )
