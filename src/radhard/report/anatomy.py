"""Operations and exposed bits of a model, as a table and as a record."""

from typing import TypedDict

from rich.table import Table

from radhard.analysis.anatomy import Anatomy, Row
from radhard.machine import KINDS, MARKED, Kind
from radhard.report.fitted import FittedTable
from radhard.report.record import WordsRecord, words_record

_HEADINGS: dict[Kind, str] = {
    "mul": "multiplications", "add": "additions", "load": "loads", "special": "special", "scale": "scalings",
}  # fmt: skip

MARK = (
    "? a layer or module is a guess, or the graph says otherwise than a name; --anatomy states it (`radhard inspect "
    "MODEL --template` prints a file for it)"
)


class RowRecord(TypedDict):
    """One site, or all sites of a layer, module or operator: the fields of `Row`."""

    name: str
    layer: str
    module: str
    operator: str
    sites: int
    operations: dict[str, int]
    exposed_bits: int
    layer_source: str
    module_source: str
    guessed: bool
    writes: str


class AnatomyRecord(TypedDict):
    """What one image costs in a model, by site or summed, and its total."""

    model: str
    weights: str
    recipe: str
    kinds: list[str]
    words: WordsRecord
    by: str
    anatomy: dict[str, dict[str, str]]
    macs: int
    rows: list[RowRecord]
    total: RowRecord


def anatomy_record(found: Anatomy, *, weights: str) -> AnatomyRecord:
    """Anatomy -> JSON values; `weights`: where the model's are from."""
    return {
        "model": found.model,
        "weights": weights,
        "recipe": found.recipe,
        "kinds": sorted(found.kinds),
        "words": words_record(found.words),
        "by": found.by,
        "anatomy": found.overrides.as_dict(),
        "macs": found.macs,
        "rows": [row_record(row) for row in found.rows],
        "total": row_record(found.total),
    }


def anatomy_table(found: Anatomy) -> Table:
    """Anatomy -> a table with one line a row that computes something, and the totals."""
    kinds = [kind for kind in KINDS if kind in {"mul", "add"} | found.kinds]
    table = FittedTable(f"{found.model}, recipe {found.recipe}: one image")
    table.add_column(found.by)
    for heading in ("layer", "module") if found.by == "site" else ("sites",):
        table.add_column(heading, justify="left" if found.by == "site" else "right")
    for heading in (*(_HEADINGS[kind] for kind in kinds), "exposed bits"):
        table.add_column(heading, justify="right")
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


def row_record(row: Row) -> RowRecord:
    """A row -> JSON values."""
    return {
        "name": row.name,
        "layer": row.layer,
        "module": row.module,
        "operator": row.operator,
        "sites": row.sites,
        "operations": {str(kind): count for kind, count in row.operations.items()},
        "exposed_bits": row.exposed_bits,
        "layer_source": row.layer_source,
        "module_source": row.module_source,
        "guessed": row.guessed,
        "writes": row.writes,
    }
