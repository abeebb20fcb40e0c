"""Detection where it costs what faults touch: finds what `detection` finds, and counts the same operations."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from radhard.kernels.events import Events
from radhard.machine.site import Column
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Change, Checks
from radhard.protection.abft.deltas import NO_DELTAS, Deltas
from radhard.protection.abft.detection import FlaggedBlocks, Width
from radhard.protection.abft.entries import Entries
from radhard.protection.abft.sparse_audit import audit_total
from radhard.protection.abft.sparse_products import Coordinates, SparseProducts
from radhard.protection.abft.struck import ReadUnits
from radhard.protection.cost.shape import Block


class SparseSums(SparseProducts):
    """Products [g], and what their sums over blocks are off by, in `bits` that wrap.

    `tiles` [g, q, i, j]: sums of blocks of running sums. `left` [g, i, terms] and `right` [g, j, terms]: sums of A and
    B, `whole` [g] what the last tiles must add up to; `alarmed` [f] int64 the products for which they do not.
    """

    def __init__(self, application: ProtectedApplication, checks: Checks, *, block: Block, width: Width) -> None:
        super().__init__(application, checks, block=block)
        self.bits, self.dtype = int(width), torch.int32 if width == 32 else torch.int64
        self.tiles, total = self._tiles()
        self.left, left_all = self.factor("encode_a", size=self.shape.m, step=block.m)
        self.right = right_all = NO_DELTAS
        if not self.shape.stored:
            self.right, right_all = self.factor("encode_b", size=self.shape.n, step=block.n)
        self.whole = self._whole(left_all, right_all)
        off = Deltas.of([total, (self.whole.index, -self.whole.delta)], bits=self.bits)
        checks.count(cmp=len(self.everyone))
        self.alarmed = torch.from_numpy(off.index)
        checks.note(Events(checks=len(self.everyone), alarms=len(self.alarmed)))

    def wanted(self, g: Column, q: Column, i: Column, j: Column) -> Column:
        """What blocks [e] must sum to, sound, int64."""
        return self.sound.tiles(self.alpha, self.beta, (g, i, j), *self.slab(q))

    def _tiles(self) -> tuple[Deltas, Change]:
        """Sums of blocks, and those of the last ones of each product."""
        (m, n), block, g = (self.shape.m, self.shape.n), self.block, len(self.everyone)
        in_rows = (g, self.slabs, m, self.columns)
        in_tiles = (g, self.slabs, self.rows, self.columns)

        def of_words(at: Coordinates, width: int) -> Column:
            x, q, i, j = (column[:, None] for column in at)
            column = j * block.n + np.arange(width)
            sound = self.sound.words(x, i, column, 0, self.ends[q])
            return sound + self.words.at(((x * self.slabs + q) * m + i) * n + column)

        struck = self.sums("tiles/columns", of_words, before=(self.slabs, m), size=n, step=block.n, dtype=self.dtype)
        word, column = np.divmod(self.words.index, n)
        rows = Deltas.of([(word * self.columns + column // block.n, self.words.delta), struck], bits=self.bits)

        def of_rows(at: Coordinates, width: int) -> Column:
            x, q, i, j = (column[:, None] for column in at)
            row = i * block.m + np.arange(width)
            sound = self.sound.row_sums(self.beta, (x, row, j), 0, self.slab(q)[1])
            return sound + rows.at(np.ravel_multi_index(np.broadcast_arrays(x, q, row, j), in_rows))

        after = (self.columns,)
        struck = self.sums("tiles", of_rows, before=(self.slabs,), size=m, step=block.m, after=after, dtype=self.dtype)
        x, q, row, j = np.unravel_index(rows.index, in_rows)
        tile = np.ravel_multi_index((x, q, row // block.m, j), in_tiles)
        tiles = Deltas.of([(tile, rows.delta), struck], bits=self.bits)

        def of_tiles(at: Coordinates, width: int) -> Column:
            x, place = at[0][:, None], np.arange(width)[None]
            i, j = np.divmod(place, self.columns)
            sound = self.sound.tiles(self.alpha, self.beta, (x, i, j), 0, self.shape.terms)
            return sound + tiles.at((x * self.slabs + self.slabs - 1) * width + place)

        size = self.rows * self.columns
        struck = self.sums("total", of_tiles, size=size, step=size, dtype=self.dtype)
        x, q, _, _ = np.unravel_index(tiles.index, in_tiles)
        last = q == self.slabs - 1
        return tiles, (np.concatenate([x[last], struck[0]]), np.concatenate([tiles.delta[last], struck[1]]))

    def _whole(self, left: Deltas, right: Deltas) -> Deltas:
        """What products must add up to."""
        terms = self.shape.terms

        def of_a(g: Column) -> Column:
            found: Column = self.alpha[g].sum(1)
            return found

        def of_b(g: Column) -> Column:
            found: Column = self.beta[g % self.sound.h].sum(1)
            return found

        def factors(index: Column) -> tuple[Column, Column]:
            at = index[:, None] * terms + np.arange(terms)
            return of_a(index) + left.at(at), of_b(index) + right.at(at)

        struck = self.checks.struck(
            "wanted", "dot", factors, self.everyone, grid=(1, 1, 1), width=terms, dtype=self.dtype
        )
        parts = [struck]
        g, t = np.divmod(left.index, terms)
        if len(g):
            parts.append((g, left.delta * of_b(g)[np.arange(len(g)), t]))
        g, t = np.divmod(right.index, terms)
        if len(g):
            parts.append((g, right.delta * (of_a(g)[np.arange(len(g)), t] + left.at(right.index))))
        return Deltas.of(parts, bits=self.bits)


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseSuspects:
    """The blocks that are `flagged`: their sums are not as expected.

    `actual` and `expected`: what these are off by, flat in [g, q, i, j].
    """

    flagged: FlaggedBlocks
    actual: Deltas
    expected: Deltas


def locate(found: SparseSums) -> SparseSuspects:
    """Check every block of the products with an alarm. Where no block explains it, stored sums are compared."""
    checks, alarmed = found.checks, found.alarmed.numpy()
    some, size = found.everyone.only(found.alarmed), found.rows * found.columns
    grid = (len(found.everyone), found.slabs, found.rows, found.columns)
    expected = _expected(found, some)
    tiles = Deltas(*_of_products(found.tiles, alarmed, found.slabs * size))
    parts = [(tiles.index, tiles.delta)]
    if found.slabs > 1:
        early = tiles.index // size % found.slabs < found.slabs - 1
        parts.append((tiles.index[early] + size, -tiles.delta[early]))

        def both(index: Column) -> tuple[Column, Column]:
            f, q, i, j = np.unravel_index(index, (len(some), found.slabs - 1, found.rows, found.columns))
            return tuple(_tile(found, (alarmed[f], slab, i, j)) for slab in (q + 1, q))  # type: ignore[return-value]

        index, delta = checks.struck("slabs", "minus", both, some, grid=(found.slabs - 1, *grid[2:]), dtype=found.dtype)
        f, place = np.divmod(index, (found.slabs - 1) * size)
        parts.append((alarmed[f] * found.slabs * size + size + place, delta))
    actual = Deltas.of(parts, bits=found.bits)
    wrong = Deltas.of([(actual.index, actual.delta), (expected.index, -expected.delta)], bits=found.bits)
    checks.count(cmp=len(alarmed) * found.slabs * size)
    checks.note(Events(flagged=len(wrong)))
    g, q, i, j = (torch.from_numpy(np.ascontiguousarray(at)) for at in np.unravel_index(wrong.index, grid))
    audit_total(found, at=found.alarmed[~torch.isin(found.alarmed, g)])
    return SparseSuspects(flagged=FlaggedBlocks(g=g, i=i, q=q, j=j), actual=actual, expected=expected)


def _tile(found: SparseSums, at: Coordinates) -> Column:
    """Sums over blocks [e] of running sums, as computed."""
    g, q, i, j = at
    sound = found.sound.tiles(found.alpha, found.beta, (g, i, j), 0, found.slab(q)[1])
    return sound + found.tiles.at(((g * found.slabs + q) * found.rows + i) * found.columns + j)


def _of_products(x: Deltas, g: Column, size: int) -> tuple[Column, Column]:
    mine = np.isin(x.index // size, g)
    return x.index[mine], x.delta[mine]


def _reading(
    factors: Callable[[Coordinates, int], tuple[Column, Column]], place: Callable[[Column], Coordinates], depth: int
) -> ReadUnits:
    return lambda index: factors(place(index), depth)


def _expected(found: SparseSums, some: Entries) -> Deltas:
    """What blocks must sum to, of the products with an alarm, whose checks are `some`."""
    alarmed, checks, terms = found.alarmed.numpy(), found.checks, found.shape.terms
    grid = (len(found.everyone), found.slabs, found.rows, found.columns)
    alike, width, inner = found.slabs - 1, found.block.k, grid[2:]
    parts: list[Change] = []

    def factors(at: Coordinates, depth: int) -> tuple[Column, Column]:
        f, q, i, j = at
        g, t = alarmed[f], (q * width)[:, None] + np.arange(depth)
        left, right = ((g * of + place)[:, None] for of, place in ((found.rows, i), (found.columns, j)))
        a = found.alpha[g[:, None], i[:, None], t] + found.left.at(left * terms + t)
        b = found.beta[(g % found.sound.h)[:, None], j[:, None], t] + found.right.at(right * terms + t)
        return a, b

    for name, first, count, depth in (
        ("blocks", 0, alike, width),
        ("blocks/last" if alike else "blocks", alike, 1, terms - alike * width),
    ):
        if count:

            def place(index: Column, first: int = first, count: int = count) -> Coordinates:
                f, q, i, j = np.unravel_index(index, (len(some), count, *inner))
                return f, q + first, i, j

            def read(
                index: Column, depth: int = depth, place: Callable[[Column], Coordinates] = place
            ) -> tuple[Column, Column]:
                return factors(place(index), depth)

            index, delta = checks.struck(name, "dot", read, some, grid=(count, *inner), width=depth, dtype=found.dtype)
            f, *at = place(index)
            parts.append((np.ravel_multi_index((alarmed[f], *at), grid), delta))
    slab_of = np.minimum(np.arange(terms) // width, alike)
    index, delta = _of_products(found.left, alarmed, found.rows * terms)
    if len(index):
        block, t = np.divmod(index, terms)
        g, i = np.divmod(block, found.rows)
        each = found.beta[g % found.sound.h, :, t] * delta[:, None]  # [p, j]
        tile = ((g * found.slabs + slab_of[t]) * found.rows + i)[:, None] * found.columns + np.arange(found.columns)
        parts.append((tile.ravel(), each.ravel()))
    index, delta = _of_products(found.right, alarmed, found.columns * terms)
    if len(index):
        block, t = np.divmod(index, terms)
        g, j = np.divmod(block, found.columns)
        i = np.arange(found.rows)
        a = found.alpha[g, :, t] + found.left.at((g[:, None] * found.rows + i) * terms + t[:, None])
        tile = ((g * found.slabs + slab_of[t])[:, None] * found.rows + i) * found.columns + j[:, None]
        parts.append((tile.ravel(), (a * delta[:, None]).ravel()))
    return Deltas.of(parts, bits=found.bits)
