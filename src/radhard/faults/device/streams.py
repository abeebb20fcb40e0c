"""The random streams that a device samples, as a table for the kernel; made once for each batch size."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from radhard.faults.device.keys import carry, holds_text, is_product
from radhard.faults.device.struck import NAMES
from radhard.faults.faults import Faults
from radhard.faults.sample import expected, flips_an_image
from radhard.machine import KINDS, Cost, Kind, Site

_CHAINS: tuple[Kind, ...] = ("mul", "add")
_MOST = {"unit": 1 << 36, "products": 1 << 20, "bits": 1 << 50}  # that keys and streams hold
_NEVER = 1 << 62  # where a step begins that a site does not have
_BYTES = 1 << 32  # of keys at once
DEVIATIONS = 6
"""Of the number of flips of a stream: so many more than its mean there is room for, and twice as many flips."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Streams:
    """The sites of each room, `table` [S, C] int64 on the device: a row a site, in their order; and the other sites.

    `rest` is about how many flips an image meets at each of these, if any. There may be none of either.
    """

    rooms: Mapping[int, list[Site]]
    table: Tensor
    rest: Mapping[Site, float]


def streams_of(
    costs: Mapping[Site, Cost],
    faults: Faults,
    *,
    images: int,
    rooms: tuple[int, ...],
    proven: Callable[[int], bool],
    device: torch.device,
) -> Streams:
    """What `device` draws of `faults` at the sites of `costs` in batches of so many images, whatever seed and trial.

    `proven` says whether the kernel with one of the `rooms` is right; they ascend, and a larger one takes the place of
    one that is not. It serves whole sites: of a selection by patch or bit, none. Raises as `expected` does.
    """
    rest, together = expected(costs, faults), dict[int, list[Site]]()
    if not faults.where.fine and faults.kinds <= set(_CHAINS) and 0.0 < faults.ber < 1.0:
        for site in rest:
            wanted = _wanted(costs[site], faults) if _served(site, costs[site], images=images) else math.inf
            room = next((room for room in rooms if room >= wanted and proven(room)), None)
            if room is not None:
                together.setdefault(room, []).append(site)
    if 16 * images * sum(room * len(sites) for room, sites in together.items()) > _BYTES:
        together = {}
    return laid_out(together, costs, faults, images=images, device=device, rest=rest)


def laid_out(
    rooms: Mapping[int, list[Site]],
    costs: Mapping[Site, Cost],
    faults: Faults,
    *,
    images: int,
    device: torch.device,
    rest: Mapping[Site, float],
) -> Streams:
    """The streams of the sites of each room; what these do not serve of `rest` stays there."""
    served = [site for sites in rooms.values() for site in sites]
    steps = max((_steps(costs[site]) for site in served), default=0)
    rows = [_row(site, costs[site], faults, images=images, steps=steps) for site in served]
    table = carry(np.array(rows, np.int64).reshape(len(rows), -1), device) if rows else torch.empty(0, device=device)
    mine = frozenset(served)
    return Streams(
        rooms=rooms, table=table, rest={site: mean for site, mean in rest.items() if mean and site not in mine}
    )


def _served(site: Site, cost: Cost, *, images: int) -> bool:
    """Whether flips of a site's products and sums are keys that its device strikes: of a chain, or of a definition."""
    if site.part is not None or (site.batch_axis is None and images != 1) or cost.units * images >= _MOST["unit"]:
        return False
    first, *rest = cost.steps
    if is_product(cost.steps):
        return first.per_unit + 1 < _MOST["products"] and all(step.kind not in _CHAINS for step in rest[1:])
    return site.operator in NAMES and holds_text(cost.steps)


def _wanted(cost: Cost, faults: Faults) -> float:
    """For how many draws of a stream there is to be room: more than its flips but once in a billion; infinite: none."""
    bits = max(cost.exposed_bits(kind, faults.words) for kind in faults.kinds)
    mean = faults.ber * bits
    if not flips_an_image(cost, faults) or bits >= _MOST["bits"]:
        return math.inf
    return mean + DEVIATIONS * math.sqrt(mean) + 2 * DEVIATIONS


def _row(site: Site, cost: Cost, faults: Faults, *, images: int, steps: int) -> list[int]:
    """The numbers of a site, as `radhard.kernels.cuda.draw` reads them."""
    grid = site.batch_grid(cost.grid, images)
    whole, mine = site.image_units(grid)
    threshold = np.float64(-math.log1p(-faults.ber))
    chains = is_product(cost.steps)
    row = [site.key, mine, whole, int(threshold.view(np.int64)), 2 if chains else 1]
    for kind in _CHAINS:
        word = cost.word(kind, faults.words)
        bits = cost.exposed_bits(kind, faults.words) if kind in faults.kinds else 0
        row += [bits, 1 if word is None else word.exposed, KINDS.index(kind)]
        done, found = 0, list[int]()
        for place, step in enumerate(cost.steps):
            if step.kind == kind and step.per_unit:
                found += [done, step.per_unit, 3 * place if chains else place << 16]
                done += step.per_unit * cost.units
        row += found + [_NEVER, 1, 0] * (steps - len(found) // 3)
    return row


def _steps(cost: Cost) -> int:
    """How many steps of one kind a definition has at most."""
    return max(sum(step.kind == kind and step.per_unit > 0 for step in cost.steps) for kind in _CHAINS)
