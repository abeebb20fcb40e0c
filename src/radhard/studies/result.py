"""The base of all results: rows for pandas, a record for JSON, a figure, and HTML for notebooks."""

import html
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from radhard.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 30
"""Rows that a notebook shows."""

FigureTarget: TypeAlias = "str | Path | Axes"
"""A .png, .svg or .pdf file, or axes of matplotlib to draw on."""


class ResultRows(ABC):
    """What a verb gives, as rows. Values are those of JSON; what is not known is None."""

    @property
    @abstractmethod
    def headline(self) -> str:
        """What it is of and what came out, in one line."""

    @abstractmethod
    def rows(self) -> list[dict[str, object]]:
        """One flat row an outcome, the rows that the command writes by --csv."""

    def to_pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`. InputError if pandas is not installed."""
        try:
            import pandas as pd
        except ImportError as error:
            raise InputError("to_pandas needs pandas: pip install 'radhard[pandas]'; rows() works without") from error
        return pd.DataFrame(self.rows())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.headline}>"

    def _repr_html_(self) -> str:
        """The headline and the rows as a table, for notebooks; all text is escaped."""
        rows = self.rows()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in (rows[0] if rows else {}))
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(_cell(value))}</td>' for value in row.values())}</tr>"
            for row in rows[:_SHOWN]
        )
        more = f"<p>and {len(rows) - _SHOWN:,} more rows</p>" if len(rows) > _SHOWN else ""
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f"<p>{html.escape(self.headline)}</p>{table}{more}"


@dataclass(frozen=True, kw_only=True, repr=False)
class Result(ResultRows):
    """The result of a verb whose command prints JSON.

    `skipped`: jobs that ended their workers again and again; their images are missing, and counts are without them.
    """

    skipped: tuple[str, ...] = ()

    def __repr__(self) -> str:
        missing = f"; {len(self.skipped)} jobs skipped" if self.skipped else ""
        return f"<{type(self).__name__}: {self.headline}{missing}>"

    @abstractmethod
    def to_dict(self) -> Mapping[str, object]:
        """The record of the model in the command's --json."""


class DrawnResult(Result):
    """The result of a verb whose command draws."""

    @abstractmethod
    def plot(self, target: FigureTarget) -> None:
        """Draw the command's figure into a .png, .svg or .pdf file, or its main panel on `target` axes."""


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)
