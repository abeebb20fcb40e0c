"""How many injections a wanted interval takes: as a record and as a table with notes."""

from typing import TypedDict

from rich.table import Table

from radhard.report.fitted import FittedTable


class StratumRecord(TypedDict):
    """A component: its `population` of single faults, and the injections that an interval of its own takes.

    `allocated`: its share of those that the whole takes in strata; null where nothing was measured before.
    """

    component: str
    population: int
    injections: int
    allocated: int | None


class SampleSizeRecord(TypedDict):
    """How many injections an interval of +-`margin` at `confidence` takes where a `rate` is expected, all in percent.

    `simple`: of the whole `population`, by simple random sampling. `stratified`: of the whole in strata whose rates are
    known, by Neyman's allocation; null without these. `each`: of all components, each with such an interval of its own.
    """

    model: str
    population: int
    margin: float
    confidence: float
    rate: float
    simple: int
    stratified: int | None
    each: int | None
    components: list[StratumRecord]


def sample_size_table(found: SampleSizeRecord) -> Table:
    """One row a component."""
    table = FittedTable(_title(found), keys=1)
    for heading in ("component", "possible faults", "for an interval of its own", "for the whole, in strata"):
        table.add_column(heading, justify="left" if heading == "component" else "right")
    for one in found["components"]:
        allocated = "-" if one["allocated"] is None else f"{one['allocated']:,}"
        table.add_row(one["component"] or "-", f"{one['population']:,}", f"{one['injections']:,}", allocated)
    return table


def sample_size_lines(found: SampleSizeRecord) -> list[str]:
    """The numbers of the whole, in words."""
    lines = [] if found["components"] else [_title(found)]
    lines.append(
        f"{found['simple']:,} injections by simple random sampling of {found['population']:,} possible faults "
        "(Leveugle et al., DATE 2009)"
    )
    if found["each"] is not None:
        lines.append(f"{found['each']:,} for an interval of its own for each of {len(found['components'])} components")
    if found["stratified"] is not None:
        lines.append(
            f"{found['stratified']:,} for the whole in strata, with the rates that were measured and Neyman's "
            f"allocation ({found['simple'] / found['stratified']:.1f} times fewer)"
        )
    return lines


def _title(found: SampleSizeRecord) -> str:
    of = f"{found['model']}: " if found["model"] else ""
    return (
        f"{of}injections for an interval of +-{found['margin']:g} points at {found['confidence']:g} %, expected rate "
        f"{found['rate']:g} %"
    )
