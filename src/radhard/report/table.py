"""Tables for the terminal."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from radhard.analysis.curve import Point
from radhard.campaign.replay import Replayed


def points_table(points: Sequence[Point], *, title: str) -> Table:
    """One row a point of a sweep."""
    table = Table(title=title, title_justify="left")
    for heading in (
        "BER",
        "trials",
        "n",
        "flips expected",
        "flips",
        "accuracy",
        "95 % interval",
        "changed",
        "non-finite",
    ):
        table.add_column(heading, justify="right")
    for p in points:
        table.add_row(
            f"{p.ber:.3g}",
            str(p.trials),
            f"{p.n:,}",
            f"{p.flips_expected:,.4g}",
            *(
                (f"{p.flips:,.4g}", f"{p.accuracy:.2%}", f"{p.low:.2%} - {p.high:.2%}", f"{p.changed:.2%}")
                if p.n
                else ("-",) * 4
            ),
            f"{p.non_finite:.2%}" if p.n else "-",
        )
    return table


def clean_table(clean: Mapping[str, Point], *, title: str) -> Table:
    """One row a recipe: its accuracy with no fault."""
    table = Table(title=title, title_justify="left")
    for heading in ("program", "n", "accuracy", "95 % interval"):
        table.add_column(heading, justify="left" if heading == "program" else "right")
    for recipe, p in clean.items():
        rates = (f"{p.accuracy:.2%}", f"{p.low:.2%} - {p.high:.2%}") if p.n else ("-", "-")
        table.add_row(recipe, f"{p.n:,}", *rates)
    return table


def replay_table(replayed: Replayed, *, title: str) -> Table:
    """One row an image: its flips, its label, the class without and with the faults (-1: a logit is NaN)."""
    table = Table(title=title, title_justify="left")
    for heading in ("image", "flips", "label", "clean", "prediction"):
        table.add_column(heading, justify="right")
    for record in replayed.records():
        mark = "" if record["prediction"] == record["clean"] else " !"
        table.add_row(*(str(value) for value in list(record.values())[:-1]), f"{record['prediction']}{mark}")
    return table
