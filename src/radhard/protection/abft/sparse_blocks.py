"""Faulty blocks that are known by the words in them that are off."""

from torch import Tensor

from radhard.machine.site import Column
from radhard.protection.abft.correcting import WordPlaces
from radhard.protection.abft.deltas import Deltas
from radhard.protection.abft.detection import FlaggedBlocks
from radhard.protection.abft.entries import Entries


class SparseBlocks:
    """Blocks [f] of equal sizes: `errors`, flat in [f, h, w], are what their words are off by, exactly."""

    def __init__(
        self, *, at: FlaggedBlocks, entries: Entries, sizes: tuple[int, int, int], terms: int, errors: Deltas
    ) -> None:
        self.at, self.entries, self.terms, self.errors = at, entries, terms, errors
        self.h, self.depth, self.w = sizes
        self.g, self.i, self.q, self.j = (x.numpy() for x in (at.g, at.i, at.q, at.j))

    def __len__(self) -> int:
        return len(self.g)

    @property
    def sizes(self) -> str:
        """Their sizes along m, k and n, as the sites of their checks have them."""
        return f"{self.h}x{self.terms}x{self.w}"

    def only(self, index: Tensor) -> "SparseBlocks":
        """Those at `index` [f]."""
        size = self.h * self.w
        first = index.numpy() * size
        owner, errors = self.errors.within(first, first + size)
        errors = Deltas.of([(owner * size + errors.index % size, errors.delta)])
        sizes = (self.h, self.depth, self.w)
        return SparseBlocks(
            at=self.at.only(index), entries=self.entries.only(index), sizes=sizes, terms=self.terms, errors=errors
        )

    def words(self, at: WordPlaces) -> Entries:
        """Words as the entries of checks."""
        f, r, c = at
        return self.entries.inner(f, r * self.w + c, self.h * self.w)

    def put(self, index: Column, delta: Column) -> None:
        """Words `index` [e], flat, are off by `delta` from now on."""
        self.errors = self.errors.placed(index, delta)
