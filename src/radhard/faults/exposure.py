"""The exposed words of a selection: per site and kind of operation, which words of which patch, and which bits."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radhard.errors import InputError
from radhard.faults.faults import Faults
from radhard.faults.flips import Flips
from radhard.faults.locate import unit_of
from radhard.faults.where import EVERYWHERE, NOWHERE, Where, check_patterns, matches, patch_names
from radhard.machine import KINDS, Cost, Kind, Site
from radhard.program import Program
from radhard.words import Word

Patches = Mapping[Site, NDArray[np.int16]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Exposure:
    """Operations of one kind at one site, for one image: `per_unit` in each of its units, words of format `word`.

    `units` [P] counts the units in each patch (the last: in none), or is [1] where patches are not told apart. `keep`
    bool [P, W]: which of their W bits can flip.
    """

    units: NDArray[np.int64]
    per_unit: int
    word: Word
    keep: Bools

    @property
    def operations(self) -> int:
        """Operations in whose word a bit can flip."""
        return int(self.units[self.keep.any(1)].sum()) * self.per_unit

    @property
    def bits(self) -> int:
        """Bits that can flip."""
        return int((self.units[:, None] * self.keep).sum()) * self.per_unit


def exposures(
    costs: Mapping[Site, Cost], faults: Faults, *, patches: Patches | None = None, inside: Where = EVERYWHERE
) -> dict[tuple[Site, Kind], Exposure]:
    """What `faults` can hit, at each site and kind that `inside` selects, in the order of the program.

    `patches` [units] of each site: the patch of each unit, -1 for none; needed if a selection speaks of patches.
    Raises InputError if a pattern matches nothing, or `faults.where` leaves nothing.
    """
    grids = faults.where.grids | inside.grids
    if len(grids) > 1:
        raise InputError(f"patches of several grids, {sorted(grids)}, in one selection: take one grid")
    if grids and patches is None:
        raise InputError("which unit stands for which patch is the program's to say: trace(program, faults, ids)")
    names = (NOWHERE,) if not grids else (*patch_names(next(iter(grids))), NOWHERE)
    found = {}
    labels: dict[str, None] = {}
    for site in faults.where.select(tuple(costs)):
        cost = costs[site]
        for kind in KINDS:
            if (word := cost.word(kind, faults.words)) is None:
                continue
            own = [f"{kind}:{word.name}:{bit}" for bit in range(word.exposed)]
            labels.update(dict.fromkeys(own))
            if kind not in faults.kinds or not inside.selects(site):
                continue
            keep = _table(faults.where, site, names, own) & _table(inside, site, names, own)
            found[site, kind] = Exposure(
                units=np.array([cost.units]) if not grids else _sizes(patches, site, len(names)),
                per_unit=cost.operations(kind) // cost.units,
                word=word,
                keep=keep,
            )
    _check_bits(faults.where, tuple(labels))
    if faults.where.fine and inside == EVERYWHERE and not any(exposure.bits for exposure in found.values()):
        raise InputError(f"the selection {faults.where.name} leaves no bit that can flip; widen a pattern")
    return found


def nothing_exposed(faults: Faults, *, sites: int) -> InputError:
    """The error where no operation that `faults` selects yields a word."""
    return InputError(
        f"kinds {', '.join(sorted(faults.kinds))}: none of the {sites} sites that are selected has such an operation, "
        "so nothing can flip; choose other kinds or sites (`radhard inspect` lists both)"
    )


def patches_of(program: Program, where: Where) -> Patches | None:
    """The patch of each unit of the program, of the grid that `where` speaks of; None if of none."""
    return program.patches(next(iter(where.grids))) if where.grids else None


def exposed(flips: Flips, costs: Mapping[Site, Cost], faults: Faults, *, patches: Patches | None = None) -> Bools:
    """Which flips [F] of a table are at bits that `faults` can hit; `patches` as of `exposures`."""
    known = exposures(costs, faults, patches=patches)
    sites = {site.name: site for site in costs}
    hit = np.zeros(len(flips), dtype=np.bool_)
    stream = flips.site * len(KINDS) + flips.kind
    for code in np.unique(stream):
        place, kind = divmod(int(code), len(KINDS))
        site = sites[flips.sites[place]]
        if (exposure := known.get((site, KINDS[kind]))) is not None:
            mine = np.flatnonzero(stream == code)
            patch = np.zeros(len(mine), np.int16)
            if len(exposure.units) > 1 and patches is not None:
                patch = patches[site][unit_of(flips.kind[mine], flips.index[mine], costs[site])]
            hit[mine] = exposure.keep[patch, flips.bit[mine]]  # patch -1, none, is the last row
    return hit


def _table(where: Where, site: Site, names: tuple[str, ...], bits: list[str]) -> Bools:
    """Whether `where` selects each patch [P] and bit [W] of a site: bool [P, W]."""
    if not where.selects(site):
        return np.zeros((len(names), len(bits)), dtype=np.bool_)
    table = np.ones((len(names), len(bits)), dtype=np.bool_)
    if where.patches:
        table &= np.array([matches(name, where.patches) for name in names])[:, None]
    if where.bits:
        table &= np.array([matches(bit, where.bits) for bit in bits])
    for other in where.protected:
        if other.names(site):
            table &= ~_table(other, site, names, bits)
    return table


def _sizes(patches: Patches | None, site: Site, count: int) -> NDArray[np.int64]:
    assert patches is not None
    return np.bincount(patches[site].astype(np.int64) % count, minlength=count)  # -1, none, is the last


def _check_bits(where: Where, labels: tuple[str, ...]) -> None:
    check_patterns(where.bits, labels, what="bit")
    for other in where.protected:
        _check_bits(other, labels)
