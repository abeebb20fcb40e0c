"""What a report page shows, before it is drawn: sections of sentences, figures and tables."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from radhard.report.page.numbers import flat

Values = Mapping[str, object]
"""One row of data by column, as CSV has it; None is empty."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is a formula to a spreadsheet."""


@dataclass(frozen=True, kw_only=True)
class PageCell:
    """A cell of a table: its `text`, and the number by which it sorts; None for a text."""

    text: str
    number: float | None = None


@dataclass(frozen=True, kw_only=True)
class PageTable:
    """A table that sorts on click; columns whose cells have numbers stand on the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[PageCell, ...], ...]
    note: str = ""

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether each column is of numbers."""
        return tuple(any(row[place].number is not None for row in self.rows) for place in range(len(self.columns)))


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A figure of Plotly: `traces` and `layout` as JSON values, without colours of its own but `--names` of the page's.

    `height`: CSS pixels. `title`: stands above it, where a figure has several panels.
    """

    traces: tuple[Values, ...]
    layout: Values
    height: int
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class PageFigure:
    """Panels beside each other, what they show, and their `data` for download."""

    title: str
    note: str
    panels: tuple[Panel, ...]
    data: tuple[Values, ...]
    name: str

    @property
    def csv(self) -> str:
        """The data as CSV, texts harmless to spreadsheets."""
        return csv_of(self.data)


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page: `key` is its anchor, `lines` are sentences, `parts` figures and tables in order.

    `share`: how much is done, from 0 to 1, as a bar; None where nothing is under way.
    """

    key: str
    title: str
    lines: tuple[str, ...] = ()
    parts: tuple[PageFigure | PageTable, ...] = field(default=())
    share: float | None = None


def csv_of(rows: Sequence[Values]) -> str:
    """Rows -> CSV with a header; nested values as flat columns, what is not known empty."""
    whole = [flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in whole for name in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, fieldnames=[_harmless(name) for name in names], lineterminator="\r\n")
    writer.writeheader()
    for row in whole:
        writer.writerow({_harmless(name): _harmless(value) for name, value in row.items()})
    return file.getvalue()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
