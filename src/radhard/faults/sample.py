"""Samples the flips of a batch, for all images and sites in one call, before the model runs."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from radhard.errors import CaptureError, InputError
from radhard.faults import room
from radhard.faults.exposure import Patches, exposed, nothing_exposed, patches_of
from radhard.faults.faults import Faults
from radhard.faults.fixed_count import draw_exactly
from radhard.faults.flips import Flips
from radhard.faults.sampler import flip_times
from radhard.machine import KINDS, Cost, Kind, Site
from radhard.program import Program
from radhard.words import Words


def trace(program: Program, faults: Faults, ids: NDArray[np.int64] | torch.Tensor) -> Flips:
    """The faults that hit images `ids` [B] int64 in one run of `program`. InputError where none can.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    >>> images = torch.ones(2, 8)
    >>> program = rh.quantize(rh.capture(model, images), [images])
    >>> from radhard.faults import trace
    >>> flips = trace(program, rh.Faults(ber=1e-3, seed=0), torch.arange(2))
    >>> len(flips) > 0
    True
    """
    check_exposed(program.costs, faults)
    return draw_at(program.costs, faults, ids, patches=patches_of(program, faults.where))


def check_exposed(costs: Mapping[Site, Cost], faults: Faults) -> None:
    """Raise InputError where no operation that `faults` selects yields a word: nothing could ever flip."""
    sites = faults.where.select(tuple(costs))
    if not any(streams_of(costs[site], faults.kinds, faults.words) for site in sites):
        raise nothing_exposed(faults, sites=len(sites))


def draw_at(
    costs: Mapping[Site, Cost],
    faults: Faults,
    ids: NDArray[np.int64] | torch.Tensor,
    *,
    patches: Patches | None = None,
) -> Flips:
    """The faults that hit images `ids` [B] int64 at the sites of `costs`; `patches` as of `exposures`.

    A flip depends on its image, site and kind alone: those that `faults.where` protects are drawn with the others and
    left out. Raises InputError if it selects nothing, CaptureError if two sites share the key of their names.
    """
    sites = faults.where.select(tuple(costs))
    check_keys(costs)
    if faults.flips:
        return draw_exactly(costs, faults, distinct(ids), patches=patches)
    drawn = draw_all({site: costs[site] for site in sites}, faults, ids)
    return drawn.take(exposed(drawn, costs, faults, patches=patches)) if faults.where.fine else drawn


def expected(costs: Mapping[Site, Cost], faults: Faults) -> dict[Site, float]:
    """About how many flips one image meets at each site that `faults` selects, whatever patches and bits it spares."""
    sites = faults.where.select(tuple(costs))
    if faults.flips:
        bits = {site: exposed_bits(costs[site], faults) for site in sites}
        return {site: faults.flips * bits[site] / max(1, sum(bits.values())) for site in sites}
    return {site: flips_an_image(costs[site], faults) for site in sites}


def flips_an_image(cost: Cost, faults: Faults) -> float:
    """The expected number of flips that one image meets at a site of this cost."""
    return faults.ber * exposed_bits(cost, faults)


def exposed_bits(cost: Cost, faults: Faults) -> int:
    """Bits of one image at a site of this cost that `faults` can hit, whatever patches and bits they spare."""
    return sum(bits for _, bits, _ in streams_of(cost, faults.kinds, faults.words))


def draw_in_parts(program: Program, faults: Faults, ids: NDArray[np.int64] | torch.Tensor) -> Iterator[Flips]:
    """What `trace` gives, in its order, a part of about DRAWN_AT_ONCE flips at a time."""
    costs, patches, images = program.costs, patches_of(program, faults.where), distinct(ids)
    check_keys(costs)
    check_exposed(costs, faults)
    if faults.flips:
        yield from (draw_at(costs, faults, group, patches=patches) for group in groups(images, mean=faults.flips))
        return

    def drawn(sites: list[Site], faults: Faults, images: NDArray[np.int64]) -> Flips:
        found = draw_all({site: costs[site] for site in sites}, faults, images)
        return found.take(exposed(found, costs, whole, patches=patches)) if whole.where.fine else found

    whole, together, flips = faults, list[Site](), 0.0
    for site, mean in expected(costs, faults).items():
        more = mean * len(images)
        if together and flips + more > room.DRAWN_AT_ONCE:
            yield drawn(together, faults, images)
            together, flips = [], 0.0
        if more <= room.DRAWN_AT_ONCE:
            together, flips = [*together, site], flips + more
            continue
        for kind in (kind for kind in KINDS if kind in faults.kinds):
            for group in groups(images, mean=mean):
                yield drawn([site], replace(faults, kinds=frozenset({kind})), group)
    if together:
        yield drawn(together, faults, images)


def groups(images: NDArray[np.int64], *, mean: float) -> list[NDArray[np.int64]]:
    """`images` [B], each with `mean` flips -> the same in parts of about DRAWN_AT_ONCE flips, or of one image."""
    at_once = max(1, min(len(images), int(room.DRAWN_AT_ONCE / mean) if mean else len(images)))
    return [images[first : first + at_once] for first in range(0, len(images), at_once)]


def draw_all(costs: Mapping[Site, Cost], faults: Faults, ids: NDArray[np.int64] | torch.Tensor) -> Flips:
    """The same at all sites of `costs`, whatever `faults.where` selects."""
    images = distinct(ids)
    streams = [
        (place, *stream)
        for place, cost in enumerate(costs.values())
        for stream in streams_of(cost, faults.kinds, faults.words)
    ]
    table = np.array(streams, dtype=np.int64).reshape(-1, 4)
    site, kind, population, width = (np.repeat(column, len(images)) for column in table.T)
    keys = np.array([site.key for site in costs], dtype=np.int64)
    found = flip_times(
        seed=faults.seed,
        trial=faults.trial,
        image=np.tile(images, len(table)),
        site=keys[site],
        kind=kind,
        population=population,
        rate=float(faults.ber),
    )
    stream = found.stream
    index, bit = np.divmod(found.position, width[stream]) if len(table) else (found.position, found.position)
    return Flips(
        sites=tuple(site.name for site in costs),
        image=images[stream % max(len(images), 1)],
        site=site[stream],
        kind=kind[stream],
        index=index,
        bit=bit,
        trial=faults.trial,
        words=faults.words,
    )


@lru_cache(maxsize=4096)
def streams_of(cost: Cost, kinds: frozenset[Kind], words: Words) -> tuple[tuple[int, int, int], ...]:
    """Of each kind of operation that can be hit: its place in KINDS, bits an image, bits a word."""
    return tuple(
        (KINDS.index(kind), bits, word.exposed)
        for kind in KINDS
        if kind in kinds and (word := cost.word(kind, words)) is not None and (bits := cost.exposed_bits(kind, words))
    )


def distinct(ids: NDArray[np.int64] | torch.Tensor) -> NDArray[np.int64]:
    """Each identity once, in their order: images of one identity have the same faults."""
    given = np.asarray(ids)
    if given.ndim != 1 or (len(given) and given.dtype.kind not in "iu"):
        raise InputError(f"ids are {given.dtype} {list(given.shape)}; the identities of images are integers [B]")
    images, first = np.unique(given.astype(np.int64), return_index=True)
    return images if len(images) == len(given) and (images == given).all() else given.astype(np.int64)[np.sort(first)]


def check_keys(costs: Mapping[Site, Cost]) -> None:
    """Raise CaptureError if two sites share the key of their names."""
    keys: dict[int, str] = {}
    for site in costs:
        if (other := keys.setdefault(site.key, site.name)) != site.name:
            raise CaptureError(
                f"sites {other!r} and {site.name!r} share the 32-bit key of their names, and would share their "
                "faults: rename one of the two modules"
            )
