"""The flips of a batch, sampled on a device: those of 8-bit products and of float definitions.

They are the flips that `draw_all` draws on the host, or their image is marked as unsure and they are not to be used.
Nothing here waits for the device. Streams are drawn by a few launches in all, those with about as many flips together.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radhard.faults.device.keys import NONE, carry, keys_of
from radhard.faults.device.streams import DEVIATIONS, Streams, laid_out, streams_of
from radhard.faults.faults import Faults
from radhard.faults.locate import locate
from radhard.faults.sample import check_keys, draw_all
from radhard.kernels.on_device import interpreted, kernels
from radhard.kernels.philox import stream_key
from radhard.machine import Cost, CostStep, Kind, Site


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """What hits the images of a batch at some sites, on their device.

    `keys`: of each site int64 [B, R], an image's flips ascending as `radhard.kernels.cuda.draw` writes them, those of
    no flip last. `flips` [B] int64 is their number, `unsure` [B] bool says of which images they may not be those of the
    host. `rest`: about how many flips an image meets at each of the other sites that are selected.
    """

    keys: Mapping[Site, Tensor]
    flips: Tensor
    unsure: Tensor
    rest: Mapping[Site, float]


class _Same:
    """The costs of a program, equal where they are one object: a key of what is made of them."""

    def __init__(self, costs: Mapping[Site, Cost]) -> None:
        self.costs = costs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.costs is self.costs

    def __hash__(self) -> int:
        return id(self.costs)


def header_of(faults: Faults, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """All that is not the same for every batch of a size: the words of the key, and the images [2 + B] int64."""
    return np.array([*stream_key(seed=faults.seed, trial=faults.trial), *ids.tolist()], np.int64)


def draw_on_device(
    costs: Mapping[Site, Cost],
    faults: Faults,
    ids: NDArray[np.int64],
    device: torch.device,
    *,
    header: Tensor | None = None,
) -> Drawn | None:
    """The flips of images `ids` [B] int64 at those sites of `costs` that `device` draws; None where there are none.

    `costs` are not to be changed afterwards. `header`: that of `header_of`, where it is on the device already. Raises
    as `draw_at` does.
    """
    if kernels() is None or not len(ids):
        return None
    streams = _streams(_Same(costs), replace(faults, seed=0, trial=0), len(ids), device)
    if not streams.rooms:
        return None
    return _launched(streams, carry(header_of(faults, ids), device) if header is None else header)


@lru_cache(maxsize=64)
def _streams(same: _Same, faults: Faults, images: int, device: torch.device) -> Streams:
    cuda = kernels()
    assert cuda is not None
    check_keys(same.costs)
    return streams_of(
        same.costs,
        faults,
        images=images,
        rooms=tuple(cuda.ROOMS),
        proven=lambda room: _proven(room, device),
        device=device,
    )


def _launched(streams: Streams, header: Tensor) -> Drawn:
    """The flips at the sites of each room, one launch a room."""
    cuda, keys, counts, unsure = kernels(), dict[Site, Tensor](), list[Tensor](), list[Tensor]()
    assert cuda is not None
    for room, sites in streams.rooms.items():
        found = cuda.drawn(streams.table[len(keys) : len(keys) + len(sites)], header, room=room)
        keys.update(zip(sites, found[0].unbind(), strict=True))
        counts.append(found[1])
        unsure.append(found[2])
    return Drawn(keys=keys, flips=torch.cat(counts).sum(0), unsure=torch.cat(unsure).any(0), rest=streams.rest)


def _proven(room: int, device: torch.device) -> bool:
    """Whether the kernel has drawn, on this device, what the host draws of streams that fill its room."""
    cuda = kernels()
    return interpreted() or (cuda is not None and cuda.proven(f"draw {room}", device, lambda: _proof(room, device)))


def _proof(room: int, device: torch.device) -> bool:
    product = (_step("mul", 33, torch.int16), _step("add", 32, torch.int32))
    steps: tuple[tuple[Kind, int], ...] = (("add", 7), ("mul", 8), ("add", 20), ("mul", 1))
    definition = tuple(_step(kind, count, torch.float32) for kind, count in steps)
    costs = {
        Site(name=name, batch_axis=0, rows_per_image=4096): Cost(grid=(4096,), steps=steps)
        for name, steps in (("chain", product), ("definition", definition))
    }
    bits = 4096 * 32 * 32  # of the sums of the chain, the most
    most = (math.sqrt(room - 2 * DEVIATIONS + DEVIATIONS**2 / 4) - DEVIATIONS / 2) ** 2  # flips, as `_wanted` has it
    faults, ids = Faults(ber=most / bits), np.arange(8, dtype=np.int64)
    rooms = {room: list(costs)}
    drawn = _launched(
        laid_out(rooms, costs, faults, images=8, device=device, rest={}), carry(header_of(faults, ids), device)
    )
    sure = ~drawn.unsure.cpu()
    right = bool(sure.any())
    for site, cost in costs.items():
        found = drawn.keys[site][sure.to(device)].cpu().numpy()
        hits = locate(draw_all({site: cost}, faults, ids[sure.numpy()]), cost, site, ids)
        expected = keys_of(hits, cost)
        right &= expected is not None and np.array_equal(np.sort(found[found != NONE]), np.sort(expected))
    return right


def _step(kind: Kind, count: int, dtype: torch.dtype) -> CostStep:
    return CostStep(kind=kind, per_unit=count, dtype=dtype)
