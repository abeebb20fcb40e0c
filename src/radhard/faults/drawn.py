"""The flips of a batch, drawn on a device: of the chains of 8-bit products, where nearly all flips of a model are.

They are the flips that `draw_all` draws on the host, or their image is marked as unsure and they are not to be used.
Nothing here waits for the device. Streams are drawn by a few launches in all, those with about as many flips together.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radhard.faults.arrivals import stream_key
from radhard.faults.draw import check_keys, draw_all, flips_an_image
from radhard.faults.faults import Faults
from radhard.faults.keys import NONE, carry, holds_text, is_product, keys_of
from radhard.faults.locate import locate
from radhard.faults.struck import NAMES
from radhard.machine import KINDS, Cost, Kind, Site, Step
from radhard.ops.on_device import interpreted, kernels

_CHAINS: tuple[Kind, ...] = ("mul", "add")
_MOST = {"unit": 1 << 36, "products": 1 << 20, "bits": 1 << 50}  # that keys and streams hold
_NEVER = 1 << 62  # where a step begins that a site does not have
_BYTES = 1 << 32  # of keys at once
_DEVIATIONS = 6  # of the number of flips of a stream that there is room for, beyond its mean


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """What hits the images of a batch at some sites, on their device.

    `keys`: of each site int64 [B, R], an image's flips ascending as `radhard.ops.cuda.draw` writes them, its NONE after
    them. `flips` [B] int64 is their number, `unsure` [B] bool says of which images they may not be those of the host.
    """

    keys: Mapping[Site, Tensor]
    flips: Tensor
    unsure: Tensor


def draw_on_device(
    costs: Mapping[Site, Cost], faults: Faults, ids: NDArray[np.int64], device: torch.device
) -> Drawn | None:
    """The flips of images `ids` [B] int64 at those sites of `costs` that `device` draws; None where there are none.

    It serves whole sites: a selection by patch or bit is the host's. Raises as `draw_at` does.
    """
    cuda = kernels()
    if cuda is None or faults.where.fine or not faults.kinds <= set(_CHAINS) or not 0.0 < faults.ber < 1.0:
        return None
    check_keys(costs)
    together: dict[int, list[Site]] = {}
    for site in faults.where.select(tuple(costs)):
        room = _room(costs[site], faults, tuple(cuda.ROOMS)) if _served(site, costs[site], images=len(ids)) else None
        if room is not None and _proven(room, device):
            together.setdefault(room, []).append(site)
    if 16 * len(ids) * sum(room * len(sites) for room, sites in together.items()) > _BYTES:
        return None
    return _launched(together, costs, faults, ids, device=device) if together else None


def _launched(
    together: Mapping[int, list[Site]],
    costs: Mapping[Site, Cost],
    faults: Faults,
    ids: NDArray[np.int64],
    *,
    device: torch.device,
) -> Drawn:
    """The flips at the sites of each room, one launch a room."""
    selected = [site for sites in together.values() for site in sites]
    steps = max(_steps(costs[site]) for site in selected)
    rows = [_row(site, costs[site], faults, images=len(ids), steps=steps) for site in selected]
    header = [*stream_key(seed=faults.seed, trial=faults.trial), *ids.tolist()]
    given = carry(np.array([*chain.from_iterable(rows), *header], np.int64), device)
    streams, header_there = given[: -len(header)].view(len(rows), -1), given[-len(header) :]
    cuda, keys, counts, unsure = kernels(), dict[Site, Tensor](), list[Tensor](), list[Tensor]()
    assert cuda is not None
    for room, sites in together.items():
        mine = streams[len(keys) : len(keys) + len(sites)]
        found = cuda.drawn(mine, header_there, room=room)
        keys.update(zip(sites, found[0].unbind(), strict=True))
        counts.append(found[1])
        unsure.append(found[2])
    return Drawn(keys=keys, flips=torch.cat(counts).sum(0), unsure=torch.cat(unsure).any(0))


def _served(site: Site, cost: Cost, *, images: int) -> bool:
    """Whether flips of a site's products and sums are keys that its device strikes: of a chain, or of a text."""
    if site.part is not None or (site.batch_axis is None and images != 1) or cost.units * images >= _MOST["unit"]:
        return False
    first, *rest = cost.steps
    if is_product(cost.steps):
        return first.per_unit + 1 < _MOST["products"] and all(step.kind not in _CHAINS for step in rest[1:])
    return site.operator in NAMES and holds_text(cost.steps)


def _room(cost: Cost, faults: Faults, rooms: tuple[int, ...]) -> int | None:
    """How many draws of a stream are made: more than its flips but once in a billion; None beyond the largest."""
    bits = max(cost.exposed_bits(kind, faults.words) for kind in faults.kinds)
    mean = faults.ber * bits
    if not flips_an_image(cost, faults) or bits >= _MOST["bits"]:
        return None
    wanted = mean + _DEVIATIONS * math.sqrt(mean) + 2 * _DEVIATIONS
    return next((room for room in rooms if room >= wanted), None)


def _row(site: Site, cost: Cost, faults: Faults, *, images: int, steps: int) -> list[int]:
    """The numbers of a site, as `radhard.ops.cuda.draw` reads them."""
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
    """How many steps of one kind a text has at most."""
    return max(sum(step.kind == kind and step.per_unit > 0 for step in cost.steps) for kind in _CHAINS)


def _proven(room: int, device: torch.device) -> bool:
    """Whether the kernel has drawn, on this device, what the host draws of streams that fill its room."""
    cuda = kernels()
    return interpreted() or (cuda is not None and cuda.proven(f"draw {room}", device, lambda: _proof(room, device)))


def _proof(room: int, device: torch.device) -> bool:
    product = (_step("mul", 33, torch.int16), _step("add", 32, torch.int32))
    sums, products = (
        (_step("add", n, torch.float32) for n in (7, 20)),
        (_step("mul", n, torch.float32) for n in (8, 1)),
    )
    text = tuple(chain.from_iterable(zip(sums, products, strict=True)))
    costs = {
        Site(name=name, batch_axis=0, rows_per_image=4096): Cost(grid=(4096,), steps=steps)
        for name, steps in (("chain", product), ("text", text))
    }
    bits = 4096 * 32 * 32  # of the sums of the chain, the most
    most = (math.sqrt(room - 2 * _DEVIATIONS + _DEVIATIONS**2 / 4) - _DEVIATIONS / 2) ** 2  # flips, as `_room` has it
    faults, ids = Faults(ber=most / bits), np.arange(8, dtype=np.int64)
    drawn = _launched({room: list(costs)}, costs, faults, ids, device=device)
    sure = ~drawn.unsure.cpu()
    right = bool(sure.any())
    for site, cost in costs.items():
        found = drawn.keys[site][sure.to(device)].cpu().numpy()
        hits = locate(draw_all({site: cost}, faults, ids[sure.numpy()]), cost, site, ids)
        expected = keys_of(hits, cost)
        right &= expected is not None and np.array_equal(np.sort(found[found != NONE]), np.sort(expected))
    return right


def _step(kind: Kind, count: int, dtype: torch.dtype) -> Step:
    return Step(kind=kind, per_unit=count, dtype=dtype)
