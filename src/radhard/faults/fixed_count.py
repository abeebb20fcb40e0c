"""Exactly n flips an inference, uniform over all exposed bits: the first n of a shuffle of them."""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radhard.errors import InputError
from radhard.faults.exposure import Patches, exposed, exposures, nothing_exposed
from radhard.faults.faults import Faults
from radhard.faults.flips import Flips
from radhard.faults.sampler import first_positions
from radhard.machine import KINDS, Cost, Site

Column = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Population:
    """The bits of one image's inference at the sites that are selected, one stream of a site and kind after another.

    Columns [S]: `site` (its place among the program's), `kind` (its place in KINDS), `width` (exposed bits of a word),
    `end` (bits of this stream and those before it). `exposed`: how many of the bits can flip; patches and bits that are
    not selected are among the others. `key` stands for the streams: other sites or kinds have another one, below 2^32.
    """

    site: Column
    kind: Column
    width: Column
    end: Column
    exposed: int
    key: int

    @property
    def bits(self) -> int:
        """All bits."""
        return int(self.end[-1])


def draw_exactly(
    costs: Mapping[Site, Cost], faults: Faults, images: NDArray[np.int64], *, patches: Patches | None = None
) -> Flips:
    """The `faults.flips` flips of each of `images` [B] int64, which are distinct: [B x flips] rows, image by image.

    Where patches or bits are selected, entries of the shuffle that are not exposed are passed over. InputError if fewer
    bits are exposed than are to flip.
    """
    population = population_of(costs, faults, patches=patches)
    if population.exposed < faults.flips:
        raise InputError(
            f"flips={faults.flips}: only {population.exposed:,} bits of an inference are exposed; take fewer flips, or "
            "select more operations"
        )
    share = population.exposed / population.bits
    count = faults.flips if share == 1.0 else math.ceil(1.5 * faults.flips / share) + 8
    while True:
        count = min(count, population.bits)
        position = first_positions(
            seed=faults.seed,
            trial=faults.trial,
            image=images,
            site=population.key,
            population=population.bits,
            count=count,
        )
        flips = _flips(position, images, population=population, costs=costs, faults=faults)
        kept = np.ones(len(flips), dtype=np.bool_)
        if faults.where.fine:
            kept = exposed(flips, costs, faults, patches=patches)
        order = kept.reshape(len(images), count).cumsum(1)
        if count == population.bits or not len(images) or order[:, -1].min() >= faults.flips:
            return flips.take(kept & (order.ravel() <= faults.flips))
        count *= 2


def population_of(costs: Mapping[Site, Cost], faults: Faults, *, patches: Patches | None = None) -> Population:
    """The bits that one image's flips are drawn from. InputError if the selection names nothing, or leaves no bit."""
    place = {site: number for number, site in enumerate(costs)}
    known = exposures(costs, faults, patches=patches)
    streams = [
        (place[site], KINDS.index(kind), exposure.word.exposed, costs[site].exposed_bits(kind, faults.words), free)
        for (site, kind), exposure in known.items()
        if (free := exposure.bits)
    ]
    if not streams:
        raise nothing_exposed(faults, sites=len({site for site, _ in known}))
    site, kind, width, bits, exposed_bits = np.array(streams, dtype=np.int64).T
    names = np.array([known_site.key for known_site in costs], dtype=np.int64)[site]
    return Population(
        site=site,
        kind=kind,
        width=width,
        end=bits.cumsum(),
        exposed=int(exposed_bits.sum()),
        key=zlib.crc32(np.stack([names, kind, bits]).astype("<i8").tobytes()),
    )


def _flips(
    position: Column, images: Column, *, population: Population, costs: Mapping[Site, Cost], faults: Faults
) -> Flips:
    """Positions [B, n] in the population -> rows [B x n]."""
    flat = position.ravel()
    stream = np.searchsorted(population.end, flat, side="right")
    before = np.concatenate(([0], population.end))[stream]
    index, bit = np.divmod(flat - before, population.width[stream])
    return Flips(
        sites=tuple(site.name for site in costs),
        image=np.repeat(images, position.shape[1]),
        site=population.site[stream],
        kind=population.kind[stream],
        index=index,
        bit=bit,
        trial=faults.trial,
        words=faults.words,
    )
