"""A table that breaks no number: where it is too wide for the terminal, its other columns follow in a second table."""

from collections.abc import Iterator, Sequence
from copy import copy

from rich.box import SIMPLE_HEAD, Box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table
from rich.text import Text

_LONGEST = 24
"""Letters of a word that is never broken: longer names are, where there is no room."""


class FittedTable(Table):
    """A table whose first `keys` columns stand again before the columns that did not fit beside the others."""

    def __init__(self, title: str, *, keys: int = 1, box: Box | None = SIMPLE_HEAD) -> None:
        super().__init__(title=title, box=box, padding=(0, 0), pad_edge=False)
        self.keys = keys

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One table where there is room, else as many as it takes."""
        if self.title:
            yield Text(str(self.title), style="table.title")
        for group in self._groups(options.max_width):
            part = Table(box=self.box, padding=(0, 0), pad_edge=False)
            part.columns = [copy(self.columns[index]) for index in group]
            for column, width in zip(part.columns, self._widths(group, options.max_width), strict=True):
                column.width, column.no_wrap, column.overflow = width, False, "fold"
            part.rows = self.rows
            yield part
        if self.caption:
            yield Text(str(self.caption), style="table.caption")

    def _groups(self, room: int) -> Iterator[list[int]]:
        """The places of the columns of each table: the keys, and as many others as have room, one at least."""
        keys, others = list(range(len(self.columns)))[: self.keys], list(range(self.keys, len(self.columns)))
        group = list(keys)
        for index in others:
            if (
                len(group) > len(keys)
                and self._taken([*group, index], [self._least(i) for i in [*group, index]]) > room
            ):
                yield group
                group = list(keys)
            group.append(index)
        yield group

    def _widths(self, group: Sequence[int], room: int) -> list[int]:
        """As wide as each column's longest line; where these have no room, the widest give way, down to their words."""
        widths = [max(cell_len(line) for text in self._texts(index) for line in text.split("\n")) for index in group]
        least = [self._least(index) for index in group]
        while self._taken(group, widths) > room:
            wide = [place for place, width in enumerate(widths) if width > least[place]]
            if not wide:  # words that have no room are broken
                wide = [place for place, width in enumerate(widths) if width > 1]
            if not wide:
                break
            widest = max(wide, key=lambda place: widths[place])
            widths[widest] -= 1
        return widths

    def _least(self, index: int) -> int:
        """The longest word of a column."""
        return max(min(cell_len(word), _LONGEST) for text in self._texts(index) for word in text.split() or [""])

    def _taken(self, group: Sequence[int], widths: Sequence[int]) -> int:
        """What columns of these widths take with what is drawn around them."""
        return sum(widths) + (len(group) + 1 if self.box else 0)

    def _texts(self, index: int) -> list[str]:
        column: Column = self.columns[index]
        return [str(column.header), *map(str, column.cells)]
