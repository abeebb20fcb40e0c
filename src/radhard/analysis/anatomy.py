"""Operations and exposed bits of one image's inference, per site or summed over layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from radhard.faults import Faults, Where, exposures, patches_of
from radhard.machine import KINDS, Cost, Kind, Site, Source, least_sure
from radhard.program import Overrides, Program
from radhard.program.coverage import multiply_accumulates
from radhard.words import Words

By = Literal["site", "layer", "module", "operator"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One site, or all `sites` of a layer, module or operator: operations of each kind, `exposed_bits`.

    `layer_source` and `module_source` say what the layers and the modules are from, the least sure of a group;
    `guessed`: one of them is marked. `writes`: of a single site, the activation in its write-back, such as relu.
    """

    name: str
    layer: str
    module: str
    operator: str
    sites: int
    operations: Mapping[str, int]
    exposed_bits: int
    layer_source: Source
    module_source: Source
    guessed: bool
    writes: str = ""


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """The rows of a program in the order of its execution, `by` what they are summed, and their `total`."""

    model: str
    recipe: str
    by: By
    kinds: frozenset[Kind]
    words: Words
    overrides: Overrides
    rows: tuple[Row, ...]
    total: Row
    macs: int
    """Multiplications of matrix products and convolutions, which is how multiply-accumulates are counted."""


def anatomy(program: Program, *, kinds: frozenset[Kind], where: Where, words: Words, by: By) -> Anatomy:
    """Sum up what one image costs. InputError if a pattern of `where` matches nothing."""
    faults = Faults(ber=0.0, kinds=kinds, where=where, words=words)
    exposed_at = exposures(program.costs, faults, patches=patches_of(program, where))

    written = {account.sites[0]: account.op.split(".")[1] for account in program.accounts if account.role == "writes"}

    def row(name: str, group: Mapping[Site, Cost]) -> Row:
        exposed = sum(exposure.bits for (site, _), exposure in exposed_at.items() if site in group)
        return Row(
            name=name,
            layer=_common({site.layer for site in group}),
            module=_common({site.module for site in group}),
            operator=_common({site.operator for site in group}),
            sites=len(group),
            operations={kind: sum(cost.operations(kind) for cost in group.values()) for kind in KINDS},
            exposed_bits=exposed,
            layer_source=least_sure(site.layer_source for site in group),
            module_source=least_sure(site.module_source for site in group),
            guessed=any(site.guessed for site in group),
            writes=written.get(name, "") if by == "site" else "",
        )

    groups: dict[str, dict[Site, Cost]] = {}
    for site, cost in program.costs.items():
        key = site.name if by == "site" else getattr(site, by)
        groups.setdefault(key, {})[site] = cost
    return Anatomy(
        model=program.name,
        recipe=program.recipe,
        by=by,
        kinds=kinds,
        words=words,
        overrides=program.overrides,
        rows=tuple(row(name, group) for name, group in groups.items()),
        total=row("total", program.costs),
        macs=multiply_accumulates(program),
    )


def _common(names: set[str]) -> str:
    """The one name of a set, or nothing if there are several."""
    return next(iter(names)) if len(names) == 1 else ""
