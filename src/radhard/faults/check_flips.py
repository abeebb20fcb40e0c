"""Samples the flips of a check that an application executes in part, and locates them, in one compiled call.

They are the flips that `draw_all` gives and `locate` places: drawn over all pieces of an image that might be executed,
those at others dropped. A protected run makes hundreds of such applications, each with few flips or none.
"""

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from radhard.faults import room
from radhard.faults.faults import Faults
from radhard.faults.locate import Hits, decode, pack, step_columns, unpack
from radhard.faults.sample import streams_of
from radhard.faults.sampler import draw
from radhard.kernels.philox import stream_key
from radhard.machine import Cost, Kind, Site
from radhard.machine.site import place_of
from radhard.words import Words

Column = NDArray[np.int64]
_AT_ONCE = 1 << 17  # flips, some 20 MB


def draw_part(cost: Cost, faults: Faults, site: Site, ids: Column) -> Hits | None:
    """The hits of a part of `site` whose images are `ids` [B], all different; `cost` is that of all pieces of an image.

    None where the flips are too many to be drawn so.
    """
    part = site.part
    assert part is not None
    table = _table(cost, faults.kinds, faults.words)
    size = len(part.slot) * table.inner
    shifts = table.shifts.copy()
    shifts[4] = shifts[3] + (size - 1).bit_length()
    mean = faults.ber * table.bits * len(ids)
    if shifts[4] + size.bit_length() > 63 or mean > min(_AT_ONCE, room.DRAWN_AT_ONCE) or faults.ber >= 1:
        return None
    if not len(table.streams) or faults.ber == 0.0:
        return NO_HITS
    found = _draw_part(
        ids,
        np.ascontiguousarray(part.slot),
        np.ascontiguousarray(part.piece),
        part.pieces,
        table.inner,
        site.key,
        table.streams,
        table.steps,
        shifts,
        stream_key(seed=faults.seed, trial=faults.trial),
        -math.log1p(-faults.ber),
        64 + int(1.1 * mean),
    )
    return Hits(units=found[0], place=found[1], step=found[2], within=found[3], bit=found[4])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    """What draws of a check need: units of a piece, streams [s, 3] of kind, bits and width, steps, bits in all.

    `shifts` [5] are those of `pack` but for the last, which the number of entries decides.
    """

    inner: int
    streams: Column
    steps: tuple[Column, Column]
    bits: int
    shifts: Column


@lru_cache(maxsize=4096)
def _table(cost: Cost, kinds: frozenset[Kind], words: Words) -> _Table:
    streams = streams_of(cost, kinds, words)
    widths = (64, max(step.per_unit for step in cost.steps), len(cost.steps))
    return _Table(
        inner=math.prod(cost.grid[1:]),
        streams=np.array(streams, np.int64).reshape(-1, 3),
        steps=step_columns(cost.steps),
        bits=sum(bits for _, bits, _ in streams),
        shifts=np.array([0, *itertools.accumulate((size - 1).bit_length() for size in widths), 0], np.int64),
    )


_NONE = np.empty(0, np.int64)
NO_HITS = Hits(units=_NONE, place=_NONE, step=_NONE, within=_NONE, bit=_NONE)


@njit(cache=True, nogil=True)
def _draw_part(ids, slot, piece, pieces, inner, site, streams, steps, shifts, key, threshold, room):  # type: ignore[no-untyped-def]
    """-> hit units, and place, step, within, bit of each flip, as those of `Hits`."""
    own = slot * pieces + piece
    order = np.arange(len(own))
    for f in range(1, len(own)):
        if own[f] < own[f - 1]:
            order = np.argsort(own)
            break
    present = np.zeros(len(ids), dtype=np.bool_)
    for f in range(len(slot)):
        present[slot[f]] = True
    slots = np.flatnonzero(present)
    count = len(streams) * len(slots)
    image, sites = np.empty(count, np.int64), np.full(count, site, np.int64)
    kind, population = np.empty(count, np.int64), np.empty(count, np.int64)
    for s in range(len(streams)):
        for i in range(len(slots)):
            e = s * len(slots) + i
            image[e], kind[e], population[e] = ids[slots[i]], streams[s, 0], streams[s, 1]
    counts, position, _ = draw(image, sites, kind, population, key[0], key[1], threshold, room)
    kinds, index = np.empty_like(position), np.empty_like(position)
    bit, where = np.empty_like(position), np.empty_like(position)
    f = 0
    for e in range(count):
        width, first = streams[e // len(slots), 2], slots[e % len(slots)] * pieces
        for _ in range(counts[e]):
            kinds[f], where[f] = kind[e], first
            index[f], bit[f] = position[f] // width, position[f] % width
            f += 1
    step, unit, within = decode(kinds, index, steps[0], steps[1], pieces * inner)
    kept = 0
    for f in range(len(unit)):
        place = place_of(where[f] + unit[f] // inner, own, order)
        if place >= 0:
            unit[kept] = place * inner + unit[f] % inner
            step[kept], within[kept], bit[kept] = step[f], within[f], bit[f]
            kept += 1
    key = pack(unit[:kept], step[:kept], within[:kept], bit[:kept], shifts)
    key.sort()
    return unpack(key, shifts)
