"""What a program computes, site by site or summed: operations of one image's inference, and exposed bits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table

from radhard.faults import Faults, Where, exposures, patches_of
from radhard.machine import KINDS, MARKED, Cost, Kind, Site, Source, least_sure
from radhard.program import Overrides, Program
from radhard.words import Words

PRODUCTS = frozenset({"linear", "conv2d", "matmul"})

_HEADINGS: dict[Kind, str] = {
    "mul": "multiplications", "add": "additions", "load": "loads", "special": "special", "scale": "scalings",
}  # fmt: skip

MARK = (
    "? a layer or module is a guess, or the graph says otherwise than a name; --anatomy states it (`radhard inspect "
    "MODEL --template` prints a file for it)"
)

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
        macs=sum(cost.operations("mul") for site, cost in program.costs.items() if site.operator in PRODUCTS),
    )


def anatomy_record(found: Anatomy) -> dict[str, Any]:
    """Anatomy -> JSON values."""
    return {
        "model": found.model,
        "recipe": found.recipe,
        "kinds": sorted(found.kinds),
        "words": found.words.as_dict(),
        "by": found.by,
        "anatomy": found.overrides.as_dict(),
        "macs": found.macs,
        "rows": [_record(row) for row in found.rows],
        "total": _record(found.total),
    }


def anatomy_table(found: Anatomy) -> Table:
    """Anatomy -> a table with one line a row that computes something, and the totals."""
    kinds = [kind for kind in KINDS if kind in {"mul", "add"} | found.kinds]
    table = Table(title=f"{found.model}, recipe {found.recipe}: one image", title_justify="left", box=SIMPLE_HEAD)
    table.add_column(found.by, overflow="fold")
    for heading in ("layer", "module") if found.by == "site" else ("sites",):
        table.add_column(heading, justify="left" if found.by == "site" else "right", no_wrap=True)
    for heading in (*(_HEADINGS[kind] for kind in kinds), "exposed bits"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in (*found.rows, found.total):
        if row is found.total:
            table.add_section()
        place = [f"{row.sites:,}"]
        if found.by == "site":
            place = [marked(row.layer, row.layer_source), marked(row.module, row.module_source)]
        counts = [row.operations[kind] for kind in kinds]
        if any(counts):
            source = {"layer": row.layer_source, "module": row.module_source}.get(found.by, "name")
            name = f"{row.name} + {row.writes}" if row.writes else row.name
            table.add_row(marked(name, source), *place, *(f"{n:,}" for n in (*counts, row.exposed_bits)))
    return table


def marked(name: str, source: str) -> str:
    """A layer or module as tables and figures show it: with ? where its source is marked."""
    return f"{name or '-'}{' ?' if source in MARKED else ''}"


def _record(row: Row) -> dict[str, Any]:
    return {**vars(row), "operations": dict(row.operations)}


def _common(names: set[str]) -> str:
    """The one name of a set, or nothing if there are several."""
    return next(iter(names)) if len(names) == 1 else ""
