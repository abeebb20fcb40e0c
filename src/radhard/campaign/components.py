"""The components of a model, each with the setting in which it is perfectly protected and all else is exposed."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Literal

from radhard.campaign.bench import Bench
from radhard.campaign.experiment import Setting
from radhard.errors import InputError
from radhard.faults import EVERYWHERE, Where
from radhard.machine import KINDS, Cost, Kind, Site

By = Literal["layer", "module", "operator", "site", "kind"]


@dataclass(frozen=True, kw_only=True)
class Component:
    """Operations of the exposed kinds and `bits` of one image that can flip in it; `protected`: all others can.

    `guessed`: no rule of the anatomy names the layer or the module of a site in it.
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
    """

    by: By
    whole: Setting
    components: tuple[Component, ...]
    operations: int
    bits: int
    unexposed: tuple[str, ...] = ()


def take_apart(bench: Bench, whole: Setting, *, by: By, only: Sequence[str] = ()) -> Parts:
    """The components of the program of `whole`, in the order of its execution; `only` those that match a pattern.

    Raises InputError if `whole` is clean or exposes a part of the model alone, for a pattern that matches nothing,
    and for a component outside which nothing can flip.
    """
    if whole.clean:
        raise InputError("at BER 0 nothing flips, and no component is vulnerable; give a BER above 0")
    if whole.where != EVERYWHERE:
        raise InputError(f"components are protected one at a time in a model exposed everywhere, not {whole.where}")
    costs = bench.program_of(whole).costs
    found: dict[str, list[tuple[Site, Cost, frozenset[Kind]]]] = {}
    for site, cost in costs.items():
        if by == "kind":
            for kind in sorted(whole.kinds, key=KINDS.index):
                found.setdefault(kind, []).append((site, cost, frozenset({kind})))
        else:
            found.setdefault(_name(site, by), []).append((site, cost, whole.kinds))
    every = [_component(name, members, whole=whole, by=by) for name, members in found.items()]
    _check(only, [component.name for component in every], by=by)
    chosen = [c for c in every if not only or any(fnmatchcase(c.name, pattern) for pattern in only)]
    exposed = [component for component in chosen if component.bits]
    if not exposed:
        raise InputError(f"in none of the {len(chosen)} {by}s can a bit flip (kinds {', '.join(sorted(whole.kinds))})")
    for component in exposed:
        if component.bits == whole.bits:
            raise InputError(
                f"{by} {component.name!r} holds every bit that can flip: protected, the model is clean, and its factor "
                "is the whole loss of accuracy, which `radhard sweep` measures; take another --by, or more --kinds"
            )
    return Parts(
        by=by,
        whole=whole,
        components=tuple(exposed),
        operations=sum(component.operations for component in every),
        bits=whole.bits,
        unexposed=tuple(component.name for component in chosen if not component.bits),
    )


def _name(site: Site, by: By) -> str:
    return site.name if by == "site" else str(getattr(site, by))


def _component(
    name: str, members: Sequence[tuple[Site, Cost, frozenset[Kind]]], *, whole: Setting, by: By
) -> Component:
    bits = sum(cost.exposed_bits(kind, whole.words) for _, cost, kinds in members for kind in kinds)
    if by == "kind":
        protected = replace(whole, kinds=whole.kinds - {name}, bits=whole.bits - bits)
    else:
        where = Where(**{f"{by}s": (glob.escape(name),)}, complement=True)
        protected = replace(whole, where=where, bits=whole.bits - bits)
    return Component(
        name=name,
        protected=protected,
        operations=sum(cost.operations(kind) for _, cost, kinds in members for kind in kinds),
        bits=bits,
        guessed=by in ("layer", "module") and any(site.guessed for site, _, _ in members),
    )


def _check(patterns: Sequence[str], names: Sequence[str], *, by: By) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            near = get_close_matches(pattern, names, n=3, cutoff=0.3) or names[:5]
            raise InputError(
                f"pattern {pattern!r} matches none of the model's {len(names)} {by}s; near ones: {', '.join(near)}; "
                f"`radhard inspect --by {'site' if by == 'kind' else by}` lists what there is"
            )
