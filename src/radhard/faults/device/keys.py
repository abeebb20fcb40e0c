"""Flips as 64-bit sort keys, in the order in which kernels apply them, and their transfer to a device.

A key names the unit, flat in the grid of the application, and then an operation of it and a bit. Of a chain of products
it is unit << 27 | time << 6 | bit, with time 2 t for the product p_t and 2 t + 1 for the running sum s_t; of any other
definition unit << 27 | step << 22 | within << 6 | bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radhard.faults.locate import Hits
from radhard.machine import Cost, CostStep

Column = NDArray[np.int64]
Name = TypeVar("Name")
NONE = np.iinfo(np.int64).max  # the key of no flip
_UNITS, _STEPS, _PLACES = 1 << 36, 1 << 5, 1 << 16  # that a key holds


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrived:
    """The flips of an application at a site of this cost: `hits` on the host, `keys` [...] int64 there, or both."""

    cost: Cost
    hits: Hits | None = None
    keys: Tensor | None = None


def is_product(steps: tuple[CostStep, ...]) -> bool:
    """Whether a definition begins with a chain of products of 8-bit words."""
    kinds = [(step.kind, step.dtype) for step in steps[:2]]
    return kinds == [("mul", torch.int16), ("add", torch.int32)]


def holds_text(steps: tuple[CostStep, ...]) -> bool:
    """Whether a key holds any operation of a definition that is no chain."""
    return len(steps) <= _STEPS and all(step.per_unit <= _PLACES for step in steps)


def keys_of(hits: Hits, cost: Cost) -> Column | None:
    """The keys [F], ascending; of a chain those of its first two steps. None where a key would not hold them."""
    if len(hits.units) and int(hits.units[-1]) >= _UNITS - 1:
        return None
    unit, step, within = hits.units[hits.place], hits.step, hits.within
    if is_product(cost.steps):
        mine = step < 2
        unit, step, within, bit = unit[mine], step[mine], within[mine], hits.bit[mine]
        found: Column = np.sort(
            unit << 27 | (2 * within + 3 * step) << 6 | bit
        )  # a place among sums is that of s_t + 1
        return found
    if len(step) and (int(step.max()) >= _STEPS or int(within.max()) >= _PLACES):
        return None
    return unit << 27 | step << 22 | within << 6 | hits.bit


def carry(column: Column, device: torch.device) -> Tensor:
    """Numbers [n] -> the same on a device, which is not waited for."""
    x = torch.from_numpy(column)
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)


def carry_all(columns: Mapping[Name, Column], device: torch.device) -> dict[Name, Tensor]:
    """The columns of many applications in one copy."""
    if not columns:
        return {}
    whole = carry(np.concatenate(list(columns.values())), device)
    return dict(zip(columns, whole.split([len(column) for column in columns.values()]), strict=True))


def hits_of(keys: Tensor, cost: Cost) -> Hits:
    """The keys [...] of a site of this cost -> the same flips on the host, which waits for them."""
    key = keys.flatten().cpu().numpy()
    key = np.sort(key[key != NONE])
    rest, unit = key >> 6 & (1 << 21) - 1, key >> 27
    if is_product(cost.steps):
        step = rest & 1
        within = rest // 2 - step
    else:
        step, within = rest >> 16, rest & (1 << 16) - 1
    units, place = np.unique(unit, return_inverse=True)
    order = np.lexsort((rest, step, place))
    return Hits(units=units, place=place[order], step=step[order], within=within[order], bit=(key & 63)[order])
