"""Tables for the terminal."""

import math
from collections.abc import Mapping, Sequence

from rich.table import Table

from radhard.analysis.crossing import Crossing
from radhard.analysis.curve import Point
from radhard.analysis.sweep import Sweep
from radhard.campaign.replay import Replayed
from radhard.report.fault_amount import COUNT, RATE
from radhard.report.fitted import FittedTable


def sweep_tables(sweeps: Sequence[Sweep]) -> list[Table]:
    """What was measured of each model, its clean programs first; of several models a comparison."""
    tables = []
    for sweep in sweeps:
        setting = sweep.setting
        if sweep.labelled:
            tables.append(clean_table(sweep.clean, title=f"{setting.model} on {setting.data}, no faults"))
        what = setting.words.name if setting.fault_model is None else setting.hits
        title = f"{setting.model}, recipe {setting.recipe}, {what}"
        if not sweep.labelled:
            title += f"; {setting.data}, without labels: SDC is the share of top-1 answers that are not the clean ones"
        due = "NaN (DUE)" if setting.fault_model is None else "DUE"  # which a code of a memory may report, too
        tables.append(points_table(sweep.points, title=title, due=due))
    return tables + ([comparison_table(sweeps)] if len(sweeps) > 1 else [])


def points_table(points: Sequence[Point], *, title: str, due: str = "NaN (DUE)") -> Table:
    """One row a point of a sweep, `due` over its DUE rates; without accuracy where no image has a label."""
    table = FittedTable(title)
    unit = COUNT if any(p.flips_an_inference for p in points) else RATE
    labelled = not points or not all(math.isnan(p.accuracy) for p in points if p.n)
    measured = ("accuracy", "95 % interval", "of clean") if labelled else ()
    spoiled = ("SDC", "95 % interval", *(["critical SDC"] if labelled else []), due)
    for heading in (unit, "trials", "n", "flips expected", "flips", *measured, *spoiled, "non-finite"):
        table.add_column(heading, justify="right")
    for p in points:
        table.add_row(
            f"{p.amount:.3g}",
            str(p.trials),
            f"{p.n:,}",
            f"{p.flips_expected:,.4g}",
            f"{p.flips:,.4g}" if p.n else "-",
            *(_accuracy(p) if labelled else ()),
            *_rate(p, p.sdc, p.sdc_low, p.sdc_high),
            *([_share(p.critical)] if labelled else []),
            _share(p.due),
            _share(p.non_finite),
        )
    return table


def _accuracy(p: Point) -> tuple[str, ...]:
    return (*_rate(p, p.accuracy, p.low, p.high), _share(p.relative))


def _rate(p: Point, rate: float, low: float, high: float) -> tuple[str, str]:
    return (f"{rate:.2%}", f"{low:.2%} - {high:.2%}") if p.n else ("-", "-")


def _share(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.2%}"


def clean_table(clean: Mapping[str, Point], *, title: str) -> Table:
    """One row a recipe: its accuracy with no fault."""
    table = FittedTable(title)
    for heading in ("program", "n", "accuracy", "95 % interval"):
        table.add_column(heading, justify="left" if heading == "program" else "right")
    for recipe, p in clean.items():
        rates = (f"{p.accuracy:.2%}", f"{p.low:.2%} - {p.high:.2%}") if p.n else ("-", "-")
        table.add_row(recipe, f"{p.n:,}", *rates)
    return table


def comparison_table(sweeps: Sequence[Sweep]) -> Table:
    """One row a model: its size, its accuracy with no fault, and the BER at which that is lost."""
    labelled = all(sweep.labelled for sweep in sweeps)
    unit = COUNT if any(sweep.setting.flips for sweep in sweeps) else RATE
    lost = ("10 points lost", "half lost") if labelled else ("10 % change", "half change")
    table = FittedTable(
        f"compared, recipe {sweeps[0].recipe}; MACs: multiply-accumulates an image; the {unit} at which "
        f"{'accuracy is lost' if labelled else 'answers change'}, between two that were measured"
    )
    recipes = tuple(dict.fromkeys(recipe for sweep in sweeps for recipe in sweep.clean if sweep.labelled))
    headings = ("MACs", "exposed bits", *recipes, *lost)
    for heading in ("model", *headings):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for sweep in sweeps:
        clean = (sweep.clean.get(recipe) for recipe in recipes)
        table.add_row(
            sweep.model,
            f"{sweep.macs:,}",
            f"{sweep.setting.bits:,}",
            *(_share(p.accuracy) if p and p.n else "-" for p in clean),
            where_lost(sweep.loses_10_points),
            where_lost(sweep.loses_half),
        )
    return table


def where_lost(crossing: Crossing) -> str:
    """`3.1e-07 (2e-07 - 5e-07)`, `under 1e-08` if the first rate was too high already, or `not reached`."""
    if crossing.below is None:
        return "not reached"
    at = crossing.flips_an_inference if crossing.ber is None else crossing.ber
    if at is None:
        return f"under {crossing.below:.3g}"
    return f"{at:.2g} ({crossing.above:.3g} - {crossing.below:.3g})"


def replay_table(replayed: Replayed, *, title: str) -> Table:
    """One row an image: its flips, its label, the class without and with the faults (-1: a logit is NaN)."""
    table = FittedTable(title)
    for heading in ("image", "flips", "label", "clean", "prediction"):
        table.add_column(heading, justify="right")
    for record in replayed.records():
        mark = "" if record["prediction"] == record["clean"] else " !"
        known = (record["image"], record["flips"], record["label"], record["clean"])
        table.add_row(*map(str, known), f"{record['prediction']}{mark}")
    return table
