"""`Deltas`: what few entries of an array of integers are off by; all others are sound."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from radhard.kernels.twos_complement import wrapped
from radhard.machine.site import Column


@dataclass(frozen=True, eq=False)
class Deltas:
    """Columns [p] int64: `index`, flat in the array and ascending, and `delta`, what the entry has too much, not 0.

    >>> import numpy as np
    >>> found = Deltas.of([(np.array([7, 2, 7]), np.array([1, -5, 2])), (np.array([2]), np.array([5]))])
    >>> found.index, found.delta
    (array([7]), array([3]))
    >>> found.at(np.array([6, 7]))
    array([0, 3])
    """

    index: Column
    delta: Column

    @classmethod
    def of(cls, parts: Sequence[tuple[Column, Column]], *, bits: int = 64) -> "Deltas":
        """Entries and what each of the parts adds to them: added up, in two's complement of so many bits."""
        parts = [part for part in parts if len(part[0])]
        if not parts:
            return NO_DELTAS
        index, delta = (
            parts[0] if len(parts) == 1 else (np.concatenate(columns) for columns in zip(*parts, strict=True))
        )
        if len(index) > 1 and not (index[1:] > index[:-1]).all():
            order = np.argsort(index, kind="stable")
            index, delta = index[order], delta[order]
        return cls(*_added(index, delta, bits))

    def __len__(self) -> int:
        return len(self.index)

    def at(self, index: Column) -> Column:
        """What entries `index` [...] are off by [...]: 0 where they are sound."""
        if not len(self.index):
            return np.zeros(index.shape, np.int64)
        place = np.searchsorted(self.index, index)
        place[place == len(self.index)] = 0
        found: Column = np.where(self.index[place] == index, self.delta[place], 0)
        return found

    def placed(self, index: Column, delta: Column, *, bits: int = 64) -> "Deltas":
        """The same, in which entries `index` [e], all different, are off by `delta`."""
        kept = self.at(index) != 0 if len(self.index) else np.zeros(len(index), np.bool_)
        others = (self.index, self.delta)
        if kept.any():
            own = ~np.isin(self.index, index[kept])
            others = (self.index[own], self.delta[own])
        return Deltas.of([others, (index, delta)], bits=bits)

    def within(self, first: Column, last: Column) -> tuple[Column, "Deltas"]:
        """Of ranges first [f] ... last - 1 of entries: the number of the range of each delta in them, and these."""
        start, stop = np.searchsorted(self.index, first), np.searchsorted(self.index, last)
        count = stop - start
        owner = np.repeat(np.arange(len(first)), count)
        place = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(start, count)
        return owner, Deltas(self.index[place], self.delta[place])


NO_DELTAS = Deltas(np.empty(0, np.int64), np.empty(0, np.int64))


@njit(cache=True, nogil=True)
def _added(index, delta, bits):  # type: ignore[no-untyped-def]
    """Ascending entries -> each once, with the sum of its deltas, but for those that are 0."""
    entry, total = np.empty_like(index), np.empty_like(delta)
    count = start = 0
    while start < len(index):
        end, value = start, np.int64(0)
        while end < len(index) and index[end] == index[start]:
            value += delta[end]
            end += 1
        value = wrapped(value, bits)
        if value != 0:
            entry[count], total[count] = index[start], value
            count += 1
        start = end
    return entry[:count].copy(), total[:count].copy()
