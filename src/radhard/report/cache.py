"""The programs of the cache as a table."""

from collections.abc import Sequence
from datetime import datetime

from radhard.campaign.cache.folder import CachedProgram
from radhard.report.fitted import FittedTable


def cache_table(programs: Sequence[CachedProgram], *, title: str) -> FittedTable:
    """One row a program, the one that was used last first; times are local ones."""
    table = FittedTable(title, keys=3)
    for name in ("model", "recipe", "checksum"):
        table.add_column(name)
    table.add_column("size", justify="right")
    table.add_column("last used")
    for each in programs:
        used = datetime.fromtimestamp(each.used).astimezone().strftime("%Y-%m-%d %H:%M")
        table.add_row(", ".join(each.models) or "-", each.recipe or "-", each.checksum[:12], size(each.bytes), used)
    return table


def size(count: int) -> str:
    """Bytes for people.

    >>> size(1_300_000)
    '1.2 MiB'
    """
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
