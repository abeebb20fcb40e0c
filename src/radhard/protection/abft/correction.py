"""Corrects single words of faulty blocks, in the blocks and in the output of the product."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from radhard.machine.operator import GATHERED_AT_ONCE
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.audit import audit_blocks
from radhard.protection.abft.checks import Checks, Dot
from radhard.protection.abft.correcting import RowPlaces, WordPlaces
from radhard.protection.abft.detection import Detection, FlaggedBlocks, Suspects
from radhard.protection.abft.faulty_blocks import FaultyBlocks, read_blocks
from radhard.protection.abft.gather import gather_blocks


class Correction:
    """The products of one application, `total` [g, m, n] int32, put right in place in the flagged blocks."""

    def __init__(
        self, application: ProtectedApplication, checks: Checks, *, found: Detection, suspects: Suspects
    ) -> None:
        self.total = found.total.clone()
        self.application = application
        self.checks = checks
        self.found = found
        self.suspects = suspects

    @property
    def flagged(self) -> FlaggedBlocks:
        """The blocks whose sums are not as expected."""
        return self.suspects.flagged

    def narrow(self, index: Tensor) -> None:
        """Flag blocks `index` [f] of the flagged ones alone."""
        self.suspects = replace(self.suspects, flagged=self.flagged.only(index))

    def off(self) -> Tensor:
        """What the sums of the flagged blocks are off by [f] int64."""
        at, suspects = self.flagged, self.suspects
        _, q, i, j = suspects.actual.shape
        entries = self.application.entries.inner(at.g, (at.q * i + at.i) * j + at.j, q * i * j)
        place = (at.g, at.q, at.i, at.j)
        return self.checks.minus("off", suspects.actual[place], suspects.expected[place], entries).long()

    def written(self) -> Tensor:
        """The operator's output."""
        return self.application.write(self.total)

    def blocks(self) -> Iterator[FaultyBlocks]:
        """The blocks that are flagged, those of equal sizes together."""
        return read_blocks(self.application, self.checks, found=self.found, suspects=self.suspects)

    def rows(self, label: str, blocks: FaultyBlocks) -> tuple[Tensor, Tensor]:
        """What the sums of the rows [f, h] are off by, and what they must be."""
        return self._residual(f"{label}/rows", blocks, blocks.values, factor=blocks.a, sums=blocks.beta)

    def columns(self, label: str, blocks: FaultyBlocks) -> tuple[Tensor, Tensor]:
        """What the sums of the columns [f, w] are off by, and what they must be."""
        return self._residual(f"{label}/columns", blocks, blocks.values.mT, factor=blocks.b, sums=blocks.alpha)

    def _residual(
        self, name: str, blocks: FaultyBlocks, values: Tensor, *, factor: Tensor, sums: Tensor
    ) -> tuple[Tensor, Tensor]:
        width = values.shape[2]
        actual = self.checks.sums(name, values, dim=2, step=width, entries=blocks.entries)[..., 0]
        wanted = self.checks.apply(f"{name}/wanted", Dot(), (factor, sums[:, None]), blocks.entries)[..., 0]
        return self.checks.minus(f"{name}/residual", actual, wanted, blocks.entries), wanted

    def recheck(self, label: str, blocks: FaultyBlocks) -> Tensor:
        """Which of the blocks [f] do not sum to what they must."""
        flat, checks = blocks.values.flatten(1), self.checks
        again = checks.sums(f"{label}/recheck", flat, dim=1, step=flat.shape[1], entries=blocks.entries)[:, 0]
        return checks.differ(again.to(blocks.expected.dtype), blocks.expected)

    def still_off(self, name: str, blocks: FaultyBlocks, at: RowPlaces, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Which of rows `at` [e] are off still, and by how much: they must sum to `wanted` [f, h]."""
        checks, (_, h, w) = self.checks, blocks.values.shape
        entries = blocks.entries.inner(*at, h)
        actual = checks.sums(f"{name}/recheck", blocks.values[at], dim=1, step=w, entries=entries)[:, 0]
        still = where(checks.differ(actual, wanted[at]))
        if not len(still):
            return still, actual[still]
        return still, checks.minus(f"{name}/off", actual[still], wanted[at][still], entries.only(still))

    def weighted_off(self, name: str, blocks: FaultyBlocks, at: RowPlaces, weights: Tensor, stored: Tensor) -> Tensor:
        """What sums of rows `at` [e], weighted by `weights` [w, 2], are off by [e, 2].

        They must be what `stored` sums [h, j, 2, terms] of the weight say.
        """
        checks, (f, r) = self.checks, at
        entries = blocks.entries.inner(f, r, blocks.values.shape[1])
        sums = self._weighted(blocks, stored, f)  # [e, 2, t]
        values = (blocks.values[at][:, None], weights.T.expand(len(f), -1, -1))
        actual = checks.apply(name, Dot(), values, entries)[:, 0]
        wanted = checks.apply(f"{name}/wanted", Dot(), (blocks.a[at][:, None], sums), entries)[:, 0]
        return checks.minus(f"{name}/off", actual, wanted, entries)

    def recompute_rows(self, name: str, blocks: FaultyBlocks, at: RowPlaces) -> Tensor:
        """Compute rows `at` [e] again -> which of them [e] changed."""
        (f, r), w = at, blocks.values.shape[2]
        old = blocks.values[at]
        words = (f.repeat_interleave(w), r.repeat_interleave(w), torch.arange(w, device=f.device).repeat(len(f)))
        self.recompute(name, blocks, words)
        return self.checks.differ(old, blocks.values[at]).any(1)

    def _weighted(self, blocks: FaultyBlocks, sums: Tensor, index: Tensor) -> Tensor:
        """Stored sums [h, j, 2, terms] of a weight -> those of blocks `index` [e]: [e, 2, t]."""
        at, zero, depth = blocks.at.only(index), torch.zeros_like(index), self.found.block.k
        every = at.g % len(self.application.products.b) * sums.shape[1] + at.j
        return gather_blocks(sums.flatten(0, 1), every, (zero, at.q * depth), rows=2, columns=blocks.a.shape[2])

    def correct(self, label: str, blocks: FaultyBlocks, at: WordPlaces, delta: Tensor) -> None:
        """Take from words `at` [e] of the blocks their `delta`."""
        self._put(label, blocks, at, self.checks.minus(f"{label}/correct", blocks.values[at], delta, blocks.words(at)))

    def recompute(self, label: str, blocks: FaultyBlocks, at: WordPlaces) -> None:
        """Compute words `at` [e] of the blocks again from their factors."""
        parts = []
        for f, r, c in zip(*(index.split(max(1, GATHERED_AT_ONCE // blocks.a.shape[2])) for index in at), strict=True):
            factors = (blocks.a[f, r][:, None], blocks.b[f, c][:, None])
            parts.append(self.checks.apply(f"{label}/again", Dot(), factors, blocks.words((f, r, c)))[:, 0, 0])
        self._put(label, blocks, at, torch.cat(parts))

    def _put(self, label: str, blocks: FaultyBlocks, at: WordPlaces, words: Tensor) -> None:
        """Put `words` [e] in their places in the blocks, and right in `total`.

        That is the word itself, or where the block is one slab of several, what it lost is taken from the output: from
        its old and its new word, so that a repair that is hit leaves both wrong by the same, and the next attempt puts
        both right.
        """
        (f, r, c), block = at, self.found.block
        place = (blocks.at.g[f], blocks.at.i[f] * block.m + r, blocks.at.j[f] * block.n + c)
        old = blocks.values[at]
        blocks.values[at] = words
        if len(self.found.sums) == 1:
            self.total[place] = words.to(torch.int32)
            return
        entries = blocks.words(at)
        lost = self.checks.minus(f"{label}/lost", old, words, entries).to(torch.int32)
        turn = turns((place[0] * self.total.shape[1] + place[1]) * self.total.shape[2] + place[2], blocks.at.q[f])
        for number in range(int(turn.max()) + 1):  # one word may be off in several slabs: the first one, then the next
            mine = where(turn == number)
            chosen = tuple(index[mine] for index in place)
            less = self.checks.minus(f"{label}/total", self.total[chosen], lost[mine], entries.only(mine))
            self.total[chosen] = less

    def audit(self, blocks: FaultyBlocks, index: Tensor) -> None:
        """Compare the stored sums of blocks `index` [f] with their weights: a mismatch had no other cause."""
        if len(index):
            at, found = blocks.at.only(index), self.found
            audit_blocks(self.application, self.checks, at=(at.g, at.j), sums=found.right, step=found.block.n)


def where(mask: Tensor) -> Tensor:
    """Mask [f] -> indices int64."""
    return mask.nonzero()[:, 0]


def turns(word: Tensor, slab: Tensor) -> Tensor:
    """Words [e] of an output, flat, and their slabs [e] -> how many earlier ones of the same word there are."""
    order = (word * (int(slab.max()) + 1) + slab).argsort()
    ordered, turn = word[order], torch.zeros_like(word)
    new = torch.ones_like(word, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    starts = where(new)
    counts = torch.diff(starts, append=torch.full_like(starts[:1], len(word)))
    turn[order] = torch.arange(len(word), device=word.device) - starts.repeat_interleave(counts)
    return turn
