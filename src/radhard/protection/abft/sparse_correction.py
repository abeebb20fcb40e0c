"""Correction where it costs what faults touch: faulty blocks are known by the words in them that are off."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from radhard.machine.site import Column
from radhard.protection.abft.correcting import RowPlaces, WordPlaces
from radhard.protection.abft.correction import turns
from radhard.protection.abft.deltas import Deltas
from radhard.protection.abft.detection import FlaggedBlocks
from radhard.protection.abft.faulty_blocks import alike, blocks_at_once
from radhard.protection.abft.sparse_audit import audit_blocks
from radhard.protection.abft.sparse_blocks import SparseBlocks
from radhard.protection.abft.sparse_detection import SparseSums, SparseSuspects
from radhard.protection.abft.sparse_finish import finish, total_of
from radhard.protection.abft.sparse_lines import LineSums, residual


class SparseCorrection:
    """The products of one application, put right in the flagged blocks.

    `total`, flat in [g, m, n], is what their words are off by in the end, modulo 2^32.
    """

    def __init__(self, found: SparseSums, suspects: SparseSuspects) -> None:
        self.found, self.checks, self.suspects = found, found.checks, suspects
        self._sound, self._block = found.sound, found.block
        self.total = total_of(found)

    @property
    def flagged(self) -> FlaggedBlocks:
        """The blocks whose sums are not as expected."""
        return self.suspects.flagged

    def narrow(self, index: Tensor) -> None:
        """Flag blocks `index` [f] of the flagged ones alone."""
        self.suspects = replace(self.suspects, flagged=self.flagged.only(index))

    def off(self) -> Tensor:
        """What the sums of the flagged blocks are off by [f] int64."""
        found, at, suspects = self.found, self.flagged, self.suspects
        count = found.slabs * found.rows * found.columns
        place = (at.q * found.rows + at.i) * found.columns + at.j
        g, q, i, j = (x.numpy() for x in (at.g, at.q, at.i, at.j))
        tile = g * count + place.numpy()

        def both(index: Column) -> tuple[Column, Column]:
            sound = found.wanted(g[index], q[index], i[index], j[index])
            return sound + suspects.actual.at(tile[index]), sound + suspects.expected.at(tile[index])

        entries = found.everyone.inner(at.g, place, count)
        struck = self.checks.struck("off", "minus", both, entries, dtype=found.dtype)
        off = suspects.actual.at(tile) - suspects.expected.at(tile)
        off[struck[0]] += struck[1]
        return torch.from_numpy(off).to(found.dtype).long()

    def written(self) -> Tensor:
        """The operator's output."""
        return finish(self.found, self.total)

    def blocks(self) -> Iterator[SparseBlocks]:
        """The blocks that are flagged, those of equal sizes together.

        Where a word has several slabs, they come so many at a time as those of `Correction`: which of two faults of a
        word is met first is a matter of their order.
        """
        found, block, flagged = self.found, self._block, self.flagged
        (m, n), slabs = (found.shape.m, found.shape.n), found.slabs
        g, q, i, j = np.unravel_index(found.words.index, (len(found.everyone), slabs, m, n))
        last = q == slabs - 1
        delta = found.words.delta
        word = (i % block.m) * block.n + j % block.n
        tile = ((g * slabs + q) * found.rows + i // block.m) * found.columns + j // block.n
        size = block.m * block.n
        step = found.rows * found.columns
        errors = Deltas.of([(tile * size + word, delta), ((tile + step)[~last] * size + word[~last], -delta[~last])])
        for mine, (h, depth, w) in alike(found.shape, block, flagged, slabs=slabs):
            at_once = len(mine) if slabs == 1 else blocks_at_once(h, depth, w)
            for index in mine.split(at_once):
                yield self._read(flagged.only(index), errors, (h, depth, w))

    def _read(self, at: FlaggedBlocks, errors: Deltas, sizes: tuple[int, int, int]) -> SparseBlocks:
        found, (h, depth, w) = self.found, sizes
        place = (at.q * found.rows + at.i) * found.columns + at.j
        count = found.slabs * found.rows * found.columns
        entries = found.everyone.inner(at.g, place, count)
        size = self._block.m * self._block.n
        tile = at.g.numpy() * count + place.numpy()
        owner, own = errors.within(tile * size, (tile + 1) * size)
        r, c = np.divmod(own.index % size, self._block.n)
        last = int(at.q[0]) == found.slabs - 1
        blocks = SparseBlocks(
            at=at,
            entries=entries,
            sizes=sizes,
            terms=depth + (last and found.shape.bias),
            errors=Deltas.of([((owner * h + r) * w + c, own.delta)]),
        )
        if int(at.q[0]):

            def both(index: Column) -> tuple[Column, Column]:
                f, r, c = np.unravel_index(index, (len(blocks), h, w))
                g, row, column = blocks.g[f], blocks.i[f] * self._block.m + r, blocks.j[f] * self._block.n + c
                return tuple(self._running(g, slab, row, column) for slab in (blocks.q[f], blocks.q[f] - 1))  # type: ignore[return-value]

            name = f"{h}x{depth}x{w}/slab"
            struck = self.checks.struck(name, "minus", both, entries, grid=(h, w))
            blocks.errors = Deltas.of([(blocks.errors.index, blocks.errors.delta), struck])
        return blocks

    # --- what is read of blocks where a fault hits ---

    def _running(self, g: Column, q: Column, row: Column, column: Column) -> Column:
        """Running sums [e] after slabs q, as computed."""
        found = self.found
        index = ((g * found.slabs + q) * found.shape.m + row) * found.shape.n + column
        return self._sound.words(g, row, column, 0, found.ends[q]) + found.words.at(index)

    def _values(self, x: SparseBlocks, f: Column, r: Column, c: Column) -> Column:
        """Words of blocks, as they are now: f, r, c broadcast."""
        first = x.q[f] * self._block.k
        g, row, column = x.g[f], x.i[f] * self._block.m + r, x.j[f] * self._block.n + c
        return self._sound.words(g, row, column, first, first + x.depth) + x.errors.at((f * x.h + r) * x.w + c)

    def _terms(self, x: SparseBlocks, f: Column) -> Column:
        return (x.q[f] * self._block.k)[:, None] + np.arange(x.terms)

    def _row(self, x: SparseBlocks, f: Column, r: Column) -> Column:
        """Rows of the left factor of blocks [e, t]."""
        rows = self._sound.rows_of_a(x.g[f], x.i[f] * self._block.m + r)
        found: Column = np.take_along_axis(rows, self._terms(x, f), 1)
        return found

    def _column(self, x: SparseBlocks, f: Column, c: Column) -> Column:
        """Columns of the right factor [e, t]."""
        columns = self._sound.rows_of_b(x.g[f], x.j[f] * self._block.n + c)
        found: Column = np.take_along_axis(columns, self._terms(x, f), 1)
        return found

    def _alpha(self, x: SparseBlocks, f: Column) -> Column:
        """Sums over the rows of blocks [e, t], as computed."""
        found, t = self.found, self._terms(x, f)
        g, i = x.g[f][:, None], x.i[f][:, None]
        own: Column = found.alpha[g, i, t]
        return own + found.left.at((g * found.rows + i) * found.shape.terms + t)

    def _beta(self, x: SparseBlocks, f: Column) -> Column:
        """Sums over their columns [e, t]."""
        found, t = self.found, self._terms(x, f)
        g, j = x.g[f][:, None], x.j[f][:, None]
        own: Column = found.beta[g % self._sound.h, j, t]
        return own + found.right.at((g * found.columns + j) * found.shape.terms + t)

    # --- sums of rows and columns ---

    def rows(self, label: str, blocks: SparseBlocks) -> tuple[Tensor, Tensor]:
        """What the sums of the rows [f, h] are off by, and what that by which they are judged is."""
        (h, w), found = (blocks.h, blocks.w), self.found
        f, word = np.divmod(blocks.errors.index, h * w)
        block, t, delta = self._of_sums(blocks, found.right, blocks.j, found.columns)
        row = blocks.i[block][:, None] * self._block.m + np.arange(h)
        each = self._sound.a_or_one(blocks.g[block][:, None], row, t[:, None]) * delta[:, None]

        def values(index: Column) -> Column:
            f, r = np.divmod(index[:, None], h)
            return self._values(blocks, f, r, np.arange(w)[None])

        def factors(index: Column) -> tuple[Column, Column]:
            f, r = np.divmod(index, h)
            return self._row(blocks, f, r), self._beta(blocks, f)

        lines = LineSums(
            name=f"{label}/rows",
            count=h,
            width=w,
            values=values,
            factors=factors,
            own=(f * h + word // w, blocks.errors.delta),
            due=((block[:, None] * h + np.arange(h)).ravel(), each.ravel()),
        )
        return residual(self.checks, blocks, lines)

    def columns(self, label: str, blocks: SparseBlocks) -> tuple[Tensor, Tensor]:
        """The same of the columns [f, w]."""
        (h, w), found = (blocks.h, blocks.w), self.found
        f, word = np.divmod(blocks.errors.index, h * w)
        block, t, delta = self._of_sums(blocks, found.left, blocks.i, found.rows)
        column = blocks.j[block][:, None] * self._block.n + np.arange(w)
        each = self._sound.b_or_bias(blocks.g[block][:, None], column, t[:, None]) * delta[:, None]

        def values(index: Column) -> Column:
            f, c = np.divmod(index[:, None], w)
            return self._values(blocks, f, np.arange(h)[None], c)

        def factors(index: Column) -> tuple[Column, Column]:
            f, c = np.divmod(index, w)
            return self._column(blocks, f, c), self._alpha(blocks, f)

        lines = LineSums(
            name=f"{label}/columns",
            count=w,
            width=h,
            values=values,
            factors=factors,
            own=(f * w + word % w, blocks.errors.delta),
            due=((block[:, None] * w + np.arange(w)).ravel(), each.ravel()),
        )
        return residual(self.checks, blocks, lines)

    def _of_sums(self, x: SparseBlocks, sums: Deltas, place: Column, count: int) -> tuple[Column, Column, Column]:
        """What sums of a factor are off by, of those that blocks read: block [p], term [p], delta [p]."""
        terms = self.found.shape.terms
        first = (x.g * count + place) * terms + x.q * self._block.k
        owner, found = sums.within(first, first + x.terms)
        return owner, found.index % terms, found.delta

    def recheck(self, label: str, blocks: SparseBlocks) -> Tensor:
        """Which of the blocks [f] do not sum to what they must."""
        found, size = self.found, blocks.h * blocks.w

        def values(index: Column) -> tuple[Column]:
            word = np.arange(size)[None]
            return (self._values(blocks, index[:, None], word // blocks.w, word % blocks.w),)

        struck = self.checks.struck(f"{label}/recheck", "sum", values, blocks.entries, grid=(1, 1), width=size)
        again = Deltas.of([(blocks.errors.index // size, blocks.errors.delta), struck], bits=found.bits)
        place = ((blocks.g * found.slabs + blocks.q) * found.rows + blocks.i) * found.columns + blocks.j
        self.checks.count(cmp=len(blocks))
        return torch.from_numpy(again.at(np.arange(len(blocks))) != self.suspects.expected.at(place))

    # --- words put right ---

    def correct(self, label: str, blocks: SparseBlocks, at: WordPlaces, delta: Tensor) -> None:
        """Take from words `at` [e] of the blocks their `delta`."""
        f, r, c = (x.numpy() for x in at)
        less = delta.numpy()

        def both(index: Column) -> tuple[Column, Column]:
            return self._values(blocks, f[index], r[index], c[index]), less[index]

        new = blocks.errors.at((f * blocks.h + r) * blocks.w + c) - less
        index, more = self.checks.struck(f"{label}/correct", "minus", both, blocks.words(at))
        new[index] += more
        self._put(label, blocks, at, new)

    def recompute(self, label: str, blocks: SparseBlocks, at: WordPlaces) -> None:
        """Compute words `at` [e] of the blocks again from their factors."""
        f, r, c = (x.numpy() for x in at)

        def factors(index: Column) -> tuple[Column, Column]:
            return self._row(blocks, f[index], r[index]), self._column(blocks, f[index], c[index])

        new = np.zeros(len(f), np.int64)
        entries = blocks.words(at)
        index, more = self.checks.struck(f"{label}/again", "dot", factors, entries, grid=(1, 1), width=blocks.terms)
        new[index] += more
        self._put(label, blocks, at, new)

    def _put(self, label: str, blocks: SparseBlocks, at: WordPlaces, new: Column) -> None:
        """Words [e] of the blocks are off by `new` from now on; put right what of it is in `total`."""
        (f, r, c), found, checks, block = tuple(x.numpy() for x in at), self.found, self.checks, self._block
        index = (f * blocks.h + r) * blocks.w + c
        old = blocks.errors.at(index)
        place = (blocks.g[f], blocks.i[f] * block.m + r, blocks.j[f] * block.n + c)
        word = (place[0] * found.shape.m + place[1]) * found.shape.n + place[2]
        if found.slabs == 1:
            blocks.put(index, new)
            self.total = self.total.placed(word, new, bits=32)
            return
        first = blocks.q[f] * block.k

        def change(e: Column) -> tuple[Column, Column]:
            sound = self._sound.words(place[0][e], place[1][e], place[2][e], first[e], first[e] + blocks.depth)
            return sound + old[e], sound + new[e]

        entries = blocks.words(at)
        lost = old - new
        hit, more = checks.struck(f"{label}/lost", "minus", change, entries)
        lost[hit] += more
        blocks.put(index, new)
        turn = turns(torch.from_numpy(word), blocks.at.q[at[0]]).numpy()
        for number in range(int(turn.max()) + 1):
            mine = np.flatnonzero(turn == number)

            def both(e: Column, mine: Column = mine) -> tuple[Column, Column]:
                own = mine[e]
                sound = self._sound.words(place[0][own], place[1][own], place[2][own], 0, found.shape.k)
                return sound + self.total.at(word[own]), lost[own]

            off = self.total.at(word[mine]) - lost[mine]
            few = entries.only(torch.from_numpy(mine))
            hit, more = checks.struck(f"{label}/total", "minus", both, few, dtype=torch.int32)
            off[hit] += more
            self.total = self.total.placed(word[mine], off, bits=32)

    def audit(self, blocks: SparseBlocks, index: Tensor) -> None:
        """Compare the stored sums of blocks `index` [f] with their weights: a mismatch had no other cause."""
        if len(index):
            at = blocks.at.only(index)
            audit_blocks(self.found, at=(at.g, at.j))

    # --- single rows ---

    def still_off(self, name: str, blocks: SparseBlocks, at: RowPlaces, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Which of rows `at` [e] are off still, and by how much."""
        (f, r), h, w = (x.numpy() for x in at), blocks.h, blocks.w
        entries = blocks.entries.inner(*at, h)

        def values(index: Column) -> tuple[Column]:
            return (self._values(blocks, f[index, None], r[index, None], np.arange(w)[None]),)

        actual = self._of_rows(blocks, f, r, np.ones(w, np.int64))
        sound = -actual
        hit, more = self.checks.struck(f"{name}/recheck", "sum", values, entries, grid=(1,), width=w)
        actual[hit] += more
        due = wanted.numpy()[f, r]
        self.checks.count(cmp=len(f))
        still = np.flatnonzero(actual != due)

        def both(index: Column) -> tuple[Column, Column]:
            own = still[index]
            base = self._values(blocks, f[own, None], r[own, None], np.arange(w)[None]).sum(1) + sound[own]
            return base + actual[own], base + due[own]

        delta = actual[still] - due[still]
        if len(still):
            few = entries.only(torch.from_numpy(still))
            hit, more = self.checks.struck(f"{name}/off", "minus", both, few)
            delta[hit] += more
        return torch.from_numpy(still), torch.from_numpy(delta)

    def _of_rows(self, x: SparseBlocks, f: Column, r: Column, weights: Column) -> Column:
        """What sums of words times `weights` [w] over rows [e] are off by."""
        first = (f * x.h + r) * x.w
        owner, errors = x.errors.within(first, first + x.w)
        out = np.zeros(len(f), np.int64)
        np.add.at(out, owner, errors.delta * weights[errors.index % x.w])
        return out

    def weighted_off(self, name: str, blocks: SparseBlocks, at: RowPlaces, weights: Tensor, stored: Tensor) -> Tensor:
        """What the sums of rows `at` [e], weighted by `weights` [w, 2], are off by [e, 2].

        They must be what `stored` sums [h, j, 2, terms] of the weight say.
        """
        (f, r), w, weight = (x.numpy() for x in at), blocks.w, weights.numpy()
        entries, sums = blocks.entries.inner(*at, blocks.h), stored.numpy()

        def actual_factors(index: Column) -> tuple[Column, Column]:
            e, power = np.divmod(index, 2)
            return self._values(blocks, f[e, None], r[e, None], np.arange(w)[None]), weight.T[power]

        def wanted_factors(index: Column) -> tuple[Column, Column]:
            e, power = np.divmod(index, 2)
            own = sums[blocks.g[f[e]] % self._sound.h, blocks.j[f[e]], power]
            return self._row(blocks, f[e], r[e]), np.take_along_axis(own, self._terms(blocks, f[e]), 1)

        off = np.stack([self._of_rows(blocks, f, r, weight[:, power]) for power in (0, 1)], 1)
        actual, wanted, checks = off.ravel().copy(), np.zeros(2 * len(f), np.int64), self.checks
        np.add.at(actual, *checks.struck(name, "dot", actual_factors, entries, grid=(1, 2), width=w))
        struck = checks.struck(f"{name}/wanted", "dot", wanted_factors, entries, grid=(1, 2), width=blocks.terms)
        np.add.at(wanted, *struck)

        def both(index: Column) -> tuple[Column, Column]:
            x, y = actual_factors(index)
            sound = (x * y).sum(1) - off.ravel()[index]
            return sound + actual[index], sound + wanted[index]

        residual = actual - wanted
        np.add.at(residual, *checks.struck(f"{name}/off", "minus", both, entries, grid=(2,)))
        return torch.from_numpy(residual).view(-1, 2)

    def recompute_rows(self, name: str, blocks: SparseBlocks, at: RowPlaces) -> Tensor:
        """Compute rows `at` [e] again -> which of them [e] changed."""
        (f, r), w = at, blocks.w
        words = (f.repeat_interleave(w), r.repeat_interleave(w), torch.arange(w).repeat(len(f)))
        index = ((f * blocks.h + r) * w).numpy()[:, None] + np.arange(w)
        old = blocks.errors.at(index)
        self.recompute(name, blocks, words)
        self.checks.count(cmp=old.size)
        return torch.from_numpy((blocks.errors.at(index) != old).any(1))
