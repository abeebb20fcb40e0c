"""Maps canonical indices to units: which unit of an application a flip hits, and at which step of its definition."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from radhard.errors import InputError
from radhard.faults.flips import Flips
from radhard.machine import KINDS, Cost, CostStep, Site

Column = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class StepFlips:
    """The flips of one step of a definition, ordered by unit then place: columns [f] int64 `unit`, `within`, `bit`."""

    unit: Column
    within: Column
    bit: Column


@dataclass(frozen=True, kw_only=True, eq=False)
class Hits:
    """The hit units of one application: `units` [u] flat, ascending, and every flip by its place among them.

    Columns [F], ordered by `place` (of the unit in `units`), `step` (of the definition), `within` (the unit), `bit`.
    """

    units: Column
    place: Column
    step: Column
    within: Column
    bit: Column

    def steps(self, first: int, last: int) -> dict[int, StepFlips]:
        """The flips of units first ... last - 1, numbered from there, by step of the definition."""
        i, j = np.searchsorted(self.place, [first, last])
        found = {}
        for number in np.flatnonzero(np.bincount(self.step[i:j])):
            mine = np.flatnonzero(self.step[i:j] == number) + i
            found[int(number)] = StepFlips(unit=self.place[mine] - first, within=self.within[mine], bit=self.bit[mine])
        return found

    def since(self, step: int) -> "Hits":
        """The flips of this step of the definition and of later ones, and the units that they hit."""
        mine = self.step >= step
        hit, place = np.unique(self.place[mine], return_inverse=True)
        return Hits(
            units=self.units[hit], place=place, step=self.step[mine], within=self.within[mine], bit=self.bit[mine]
        )


def locate(flips: Flips, cost: Cost, site: Site, ids: Column) -> Hits:
    """The units of an application that the flips of one site hit; `ids` [B] are the images of the batch.

    The canonical index of an operation counts, within its image and kind, the steps of the definition in their order;
    within a step the units, row-major; within a unit the positions.
    """
    grid = site.batch_grid(cost.grid, len(ids))
    widths = [math.prod(grid), len(cost.steps), max(step.per_unit for step in cost.steps), 64]
    shifts = np.cumsum([0, *((size - 1).bit_length() for size in widths[:0:-1])])  # of bit, within, step, unit
    if int(shifts[-1]) + math.prod(grid).bit_length() > 63:
        raise InputError(
            f"site {site.name!r}: {math.prod(grid)} units at once are too many; run fewer images at a time"
        )
    slot, row = _slots(flips.image, ids)
    flips = flips if row is None else flips.take(row)
    step, unit, within = _steps_of(flips.kind, flips.index, cost)
    flat = site.flat(grid, slot, unit)
    done = flat >= 0
    key = pack(flat[done], step[done], within[done], flips.bit[done], shifts)
    key.sort()
    if (key[1:] == key[:-1]).any():
        raise InputError(
            f"site {site.name!r}: one of its flips stands in the table twice, which would undo it; take out one row "
            "or both"
        )
    units, place, step, within, bit = unpack(key, shifts)
    return Hits(units=units, place=place, step=step, within=within, bit=bit)


def executed(flips: Flips, cost: Cost, site: Site, ids: Column) -> NDArray[np.bool_]:
    """Which of the flips [F] of one site hit an operation that an application for images `ids` [B] executes."""
    slot, row = _slots(flips.image, ids)
    row = np.arange(len(flips)) if row is None else row
    unit = unit_of(flips.kind[row], flips.index[row], cost)
    done = site.flat(site.batch_grid(cost.grid, len(ids)), slot, unit) >= 0
    return np.bincount(row[done], minlength=len(flips)) > 0


def _slots(image: Column, ids: Column) -> tuple[Column, Column | None]:
    """Images [F] of flips, all of them in the batch `ids` [B] -> the place in the batch of each.

    Where an image stands in the batch more than once, a flip has several places, and `row` tells whose each is.
    """
    order = np.argsort(ids, kind="stable")
    first = np.searchsorted(ids[order], image)
    if (ids[order][1:] != ids[order][:-1]).all():
        return order[first], None
    times = np.searchsorted(ids[order], image, side="right") - first
    row = np.repeat(np.arange(len(image)), times)
    return order[first[row] + np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)], row


def unit_of(kind: Column, index: Column, cost: Cost) -> Column:
    """Kind (place in KINDS) and canonical index [F] of operations at a site -> the unit of each within its image."""
    return _steps_of(kind, index, cost)[1]


def _steps_of(kind: Column, index: Column, cost: Cost) -> tuple[Column, Column, Column]:
    found: tuple[Column, Column, Column] = decode(kind, index, *step_columns(cost.steps), cost.units)
    return found


@lru_cache(maxsize=4096)
def step_columns(steps: tuple[CostStep, ...]) -> tuple[Column, Column]:
    """Kind (place in KINDS) and operations per unit of each step [s]."""
    return np.array([KINDS.index(step.kind) for step in steps]), np.array([step.per_unit for step in steps])


@njit(cache=True, nogil=True)
def decode(kind, index, step_kind, per_unit, units):  # type: ignore[no-untyped-def]
    """Kind and canonical index [F] of operations -> step, unit of the image, place within the unit [F]."""
    step, unit, within = np.empty_like(index), np.empty_like(index), np.empty_like(index)
    for f in range(len(index)):
        rest, s = index[f], 0
        while step_kind[s] != kind[f] or rest >= per_unit[s] * units:
            if step_kind[s] == kind[f]:
                rest -= per_unit[s] * units
            s += 1
        step[f], unit[f], within[f] = s, rest // per_unit[s], rest % per_unit[s]
    return step, unit, within


@njit(cache=True, nogil=True)
def pack(unit, step, within, bit, shifts):  # type: ignore[no-untyped-def]
    """One number a flip, so that one sort orders them by unit, step, place within the unit, and bit."""
    return unit << shifts[3] | step << shifts[2] | within << shifts[1] | bit


@njit(cache=True, nogil=True)
def unpack(key, shifts):  # type: ignore[no-untyped-def]
    """Sorted keys [F] -> hit units [u], and place, step, within, bit [F]."""
    units, place = np.empty_like(key), np.empty_like(key)
    step, within, bit = np.empty_like(key), np.empty_like(key), np.empty_like(key)
    count = 0
    for f in range(len(key)):
        unit = key[f] >> shifts[3]
        if count == 0 or units[count - 1] != unit:
            units[count] = unit
            count += 1
        place[f] = count - 1
        step[f] = (key[f] >> shifts[2]) & ((np.int64(1) << (shifts[3] - shifts[2])) - 1)
        within[f] = (key[f] >> shifts[1]) & ((np.int64(1) << (shifts[2] - shifts[1])) - 1)
        bit[f] = key[f] & ((np.int64(1) << shifts[1]) - 1)
    return units[:count], place, step, within, bit
