"""From canonical indices to hit units: which units of an application a flip hits, and at which step of the text."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from radhard.faults.flips import Flips
from radhard.machine import KINDS, Cost, Site

Column = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class StepFlips:
    """The flips of one step of a text, ordered by unit then place: columns [f] int64 `unit`, `within`, `bit`."""

    unit: Column
    within: Column
    bit: Column


@dataclass(frozen=True, kw_only=True, eq=False)
class Hits:
    """The hit units of one application: `units` [u] flat, ascending, and every flip by its place among them.

    Columns [F], ordered by `place` (of the unit in `units`), `step` (of the text), `within` (the unit), `bit`.
    """

    units: Column
    place: Column
    step: Column
    within: Column
    bit: Column

    def steps(self, first: int, last: int) -> dict[int, StepFlips]:
        """The flips of units first ... last - 1, numbered from there, by step of the text."""
        i, j = np.searchsorted(self.place, [first, last])
        found = {}
        for number in np.flatnonzero(np.bincount(self.step[i:j])):
            mine = np.flatnonzero(self.step[i:j] == number) + i
            found[int(number)] = StepFlips(unit=self.place[mine] - first, within=self.within[mine], bit=self.bit[mine])
        return found


def locate(flips: Flips, cost: Cost, site: Site, grid: tuple[int, ...], ids: Column) -> Hits:
    """The units of `grid` that the flips of one site hit; `ids` [B] are the images of the batch.

    The canonical index of an operation counts, within its image and kind, the steps of the text in their order;
    within a step the units, row-major; within a unit the positions.
    """
    order = np.argsort(ids, kind="stable")
    slot = order[np.searchsorted(ids[order], flips.image)]
    kinds = np.array([KINDS.index(step.kind) for step in cost.steps])
    sizes = np.array([step.per_unit for step in cost.steps])
    step, unit, within = _decode(flips.kind, flips.index, kinds, sizes, cost.units)
    flat = site.flat(grid, slot, unit)
    flat, step, within, bit = sort_columns(flat, step, within, flips.bit)
    fresh = np.concatenate([[True], flat[1:] != flat[:-1]])
    return Hits(units=flat[fresh], place=np.cumsum(fresh) - 1, step=step, within=within, bit=bit)


@njit(cache=True, nogil=True)
def _decode(kind, index, step_kind, per_unit, units):  # type: ignore[no-untyped-def]
    """Kind and canonical index [F] of operations -> step of the text, unit of the image, place within the unit [F]."""
    step, unit, within = np.empty_like(index), np.empty_like(index), np.empty_like(index)
    for f in range(len(index)):
        rest, s = index[f], 0
        while step_kind[s] != kind[f] or rest >= per_unit[s] * units:
            if step_kind[s] == kind[f]:
                rest -= per_unit[s] * units
            s += 1
        step[f], unit[f], within[f] = s, rest // per_unit[s], rest % per_unit[s]
    return step, unit, within


def sort_columns(*columns: Column) -> tuple[Column, ...]:
    """Non-negative columns [F] -> the same rows in lexicographic order, by one sort of packed keys where they fit."""
    sizes = [int(column.max(initial=0)) + 1 for column in columns]
    widths = [max(1, (size - 1).bit_length()) for size in sizes]
    if sum(widths) > 62:
        order = np.lexsort(columns[::-1])
        return tuple(column[order] for column in columns)
    key = columns[0].copy()
    for column, width in zip(columns[1:], widths[1:], strict=True):
        key = key << width | column
    key.sort()
    found = []
    for width in widths[:0:-1]:
        found.append(key & (1 << width) - 1)
        key = key >> width
    return (key, *found[::-1])
