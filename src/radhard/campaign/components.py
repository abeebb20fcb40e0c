"""The components of a model, each with the setting that excludes it from faults and exposes the rest."""

import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from radhard.campaign.experiment import Setting
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.errors import InputError
from radhard.faults import NOWHERE, Exposure, Where, check_patterns, exposures, patch_names, patches_of
from radhard.machine import KINDS, MARKED, Kind, Site
from radhard.program import Program
from radhard.protection.planning.bounds import NON_LINEAR

By = Literal["layer", "module", "operator", "site", "patch", "bit", "kind"]
BYS: tuple[By, ...] = get_args(By)


@dataclass(frozen=True, kw_only=True)
class Component:
    """Operations in which a bit can flip, and `bits` of one image that can; `protected`: all others can.

    `guessed`: it is a layer or a module, and of a site in it no more than a guess, or the graph against a name.
    """

    name: str
    protected: Setting
    operations: int
    bits: int
    guessed: bool = False


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The `components` of a model `by` what they are told apart, under the `whole` of the faults.

    `operations`, `bits`: of the whole model. `unexposed`: components in which nothing can flip, whose factor is 0.
    `grid`: rows and columns of patches, if they are what is told apart.
    """

    by: By
    whole: Setting
    components: tuple[Component, ...]
    operations: int
    bits: int
    unexposed: tuple[str, ...] = ()
    grid: tuple[int, int] | None = None


def take_apart(
    model_under_test: ModelUnderTest,
    whole: Setting,
    *,
    by: By,
    only: Sequence[str] = (),
    grid: tuple[int, int] | None = None,
) -> Parts:
    """The components of the program of `whole`, in the order of its execution; `only` those that match a pattern.

    Patches are those of a `grid` (rows, columns) of the image. Raises InputError if `whole` is clean, for a pattern
    that matches nothing, and for a component outside which nothing can flip.
    """
    if whole.clean:
        raise InputError("at BER 0 nothing flips, and no component is vulnerable; give a BER above 0")
    if by == "patch" and grid is None:
        raise InputError("patches of which grid? give its rows and columns, --grid 7x7")
    program = model_under_test.program_of(whole)
    faults = whole.faults(0)
    patches = patches_of(program, faults.where) if grid is None else program.patches(grid)
    everything = exposures(program.costs, faults, patches=patches)
    found = dict(selections(program, whole, everything, by=by, grid=grid))
    check_patterns(tuple(only), tuple(found), what=by)
    chosen = {name: it for name, it in found.items() if not only or any(fnmatchcase(name, p) for p in only)}

    def component(name: str, kinds: frozenset[Kind], where: Where) -> Component:
        exposed = exposures(program.costs, faults, patches=patches, inside=where)
        inside = {place: exposure for place, exposure in exposed.items() if place[1] in kinds}
        bits = sum(exposure.bits for exposure in inside.values())
        others = replace(whole, kinds=whole.kinds - kinds) if by == "kind" else whole
        protected = whole.where if by == "kind" else whole.where.protecting(where)
        return Component(
            name=name,
            protected=replace(others, where=protected, bits=whole.bits - bits),
            operations=sum(exposure.operations for exposure in inside.values()),
            bits=bits,
            guessed=guessed(inside, by=by),
        )

    components = [component(name, *selection) for name, selection in chosen.items()]
    exposed = [component for component in components if component.bits]
    if not exposed:
        raise InputError(f"in none of the {len(chosen)} {by}s can a bit flip (kinds {', '.join(sorted(whole.kinds))})")
    for one in exposed:
        if one.bits == whole.bits:
            raise InputError(
                f"{by} {one.name!r} holds every bit that can flip: protected, the model is clean, and its factor "
                "is the whole loss of accuracy, which `radhard sweep` measures; take another --by, or more --kinds"
            )
    return Parts(
        by=by,
        whole=whole,
        components=tuple(exposed),
        operations=sum(exposure.operations for exposure in everything.values()),
        bits=whole.bits,
        unexposed=tuple(component.name for component in components if not component.bits),
        grid=grid if by == "patch" else None,
    )


def selections(
    program: Program,
    whole: Setting,
    everything: Mapping[tuple[Site, Kind], Exposure],
    *,
    by: By,
    grid: tuple[int, int] | None,
) -> Iterator[tuple[str, tuple[frozenset[Kind], Where]]]:
    """Name of each component -> the kinds of operations in it, and where they are."""
    sites = whole.where.select(tuple(program.costs))
    if by == "kind":
        yield from ((kind, (frozenset({kind}), Where())) for kind in KINDS if kind in whole.kinds)
    elif by == "bit":
        formats = dict.fromkeys((kind, exposure.word) for (_, kind), exposure in everything.items())
        for kind, word in sorted(formats, key=lambda it: (KINDS.index(it[0]), it[1].name)):
            for bit in range(word.exposed):
                where = Where(bits=(glob.escape(f"{kind}:{word.name}:{bit}"),))
                yield f"{kind} {word.name} bit {bit}", (whole.kinds, where)
    elif by == "patch":
        for name in (*patch_names(grid or (0, 0)), NOWHERE):
            yield name, (whole.kinds, Where(patches=(name,), grid=grid))
    else:
        for name in dict.fromkeys(_name(site, by) for site in sites):
            patterns: dict[str, Any] = {f"{by}s": (glob.escape(name),)}
            where = Where(**patterns)
            yield name, (whole.kinds, where)
            if by == "module" and name == NON_LINEAR:
                inside = dict.fromkeys(site.operator for site in sites if site.module == name)
                for operator in inside if len(inside) > 1 else ():
                    yield f"{name}: {operator}", (whole.kinds, replace(where, operators=(glob.escape(operator),)))


def guessed(places: Iterable[tuple[Site, Kind]], *, by: By) -> bool:
    """Whether it is no more than a guess, or the graph against a name, that one of the sites is in the component."""
    return any(_source(site, by) in MARKED for site, _ in places)


def _source(site: Site, by: By) -> str:
    """What says that a site is of its component."""
    return {"layer": site.layer_source, "module": site.module_source}.get(by, "name")


def _name(site: Site, by: By) -> str:
    return site.name if by == "site" else str(getattr(site, by))
