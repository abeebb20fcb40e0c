"""Checks a whole product: the sum of its output against the dot product of its factors' checksums.

The sums of blocks, where these are wanted, come on the way to the sum of the whole; after an alarm they are checked.

Sums of 32 bits wrap, as accumulators do: no single error escapes them, but an even number of words that are off by
2^31, or four by 2^30, do. A stuck high bit of an accumulator makes such errors. Sums of 64 bits see them; they suppose
that no sound accumulator wraps.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from radhard.kernels.events import Events
from radhard.kernels.sums import BlockSums
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.audit import audit_total
from radhard.protection.abft.checks import Checks
from radhard.protection.abft.checksums import column_sums, predicted, row_sums
from radhard.protection.cost.shape import Block

Width = Literal[32, 64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FlaggedBlocks:
    """Blocks, columns [f] int64: of product `g`, at place `i`, `q`, `j` along m, k and n."""

    g: Tensor
    i: Tensor
    q: Tensor
    j: Tensor

    def only(self, index: Tensor) -> "FlaggedBlocks":
        """Those at `index` [f]."""
        return FlaggedBlocks(g=self.g[index], i=self.i[index], q=self.q[index], j=self.j[index])


@dataclass(frozen=True, kw_only=True, eq=False)
class Detection:
    """What detection made and found, for all products [g], by blocks of `block`.

    `sums` [q, g, m, n] int32 are the running sums after each slab of k, `tiles` [g, q, i, j] their sums over blocks;
    `left` and `right` the sums of A and B; `whole` [g] what the last tiles must add up to; `alarmed` [f] int64
    the products for which they do not. Tiles and wholes are int32, or int64 where sums have 64 bits.
    """

    block: Block
    sums: Tensor
    tiles: Tensor
    left: BlockSums
    right: BlockSums
    whole: Tensor
    alarmed: Tensor

    @property
    def total(self) -> Tensor:
        """The products as computed, [g, m, n] int32."""
        return self.sums[-1]


def detect(application: ProtectedApplication, checks: Checks, *, block: Block, width: Width = 32) -> Detection:
    """Compute the products, their sums over blocks, and check each as a whole."""
    everyone, shape = application.entries, application.products.shape
    sums, dtype = application.accumulators(block.k), torch.int32 if width == 32 else torch.int64
    rows = checks.sums("tiles/columns", sums.transpose(0, 1).to(dtype), dim=3, step=block.n, entries=everyone)
    tiles = checks.sums("tiles", rows, dim=2, step=block.m, entries=everyone)
    last = tiles[:, -1].flatten(1)
    total = checks.sums("total", last, dim=1, step=last.shape[1], entries=everyone)[:, 0]
    left = row_sums(application, checks, step=block.m)
    right = column_sums(application, checks, step=block.n)
    factors = (left.all[:, None], right.all[:, None])
    whole = predicted("wanted", *factors, slabs=[shape.terms], checks=checks, entries=everyone, dtype=dtype)[:, 0, 0, 0]
    alarmed = checks.differ(total, whole).nonzero()[:, 0]
    checks.note(Events(checks=len(total), alarms=len(alarmed)))
    return Detection(block=block, sums=sums, tiles=tiles, left=left, right=right, whole=whole, alarmed=alarmed)


@dataclass(frozen=True, kw_only=True, eq=False)
class Suspects:
    """The blocks that are `flagged`: their sums are not as expected; both [g, q, i, j], of alarmed products."""

    flagged: FlaggedBlocks
    actual: Tensor
    expected: Tensor


def locate(application: ProtectedApplication, checks: Checks, *, found: Detection) -> Suspects:
    """Check every block of the products with an alarm. Where no block explains it, stored sums are compared."""
    alarmed, shape, block = found.alarmed, application.products.shape, found.block
    slabs, some = len(found.sums), application.entries.only(found.alarmed)
    terms = [block.k] * (slabs - 1) + [shape.terms - (slabs - 1) * block.k]
    factors = (found.left.blocks[alarmed], found.right.blocks[alarmed])
    expected = torch.zeros_like(found.tiles)
    expected[alarmed] = predicted("blocks", *factors, slabs=terms, checks=checks, entries=some, dtype=found.tiles.dtype)
    actual = found.tiles.clone()
    if slabs > 1:
        actual[alarmed, 1:] = checks.minus("slabs", actual[alarmed, 1:], found.tiles[alarmed, :-1], some)
    wrong = checks.differ(actual[alarmed], expected[alarmed])
    f, q, i, j = wrong.nonzero(as_tuple=True)
    checks.note(Events(flagged=len(f)))
    audit_total(application, checks, at=alarmed[~wrong.flatten(1).any(1)], sums=found.right)
    return Suspects(flagged=FlaggedBlocks(g=alarmed[f], i=i, q=q, j=j), actual=actual, expected=expected)
