"""Shapes of one event in a memory: which neighbouring cells it upsets, and how often; presets, and files of users.

A file is TOML. A cell is [dx, dy]: dx cells along the word line, to higher columns, and dy along the bit line, to
later rows, from the cell that is drawn, which is [0, 0].

    source = "..."             # where the numbers are from
    assumes = "..."            # under which conditions they hold

    [[shapes]]
    cells = [[0, 0]]
    probability = 0.9

    [[shapes]]
    cells = [[0, 0], [0, 1]]   # and the next cell along the bit line
    probability = 0.1
"""

import math
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any

from radhard.errors import InputError
from radhard.json_record import Least, Most, Record

TOLERANCE = 1e-6
"""By so much the sum of probabilities may differ from 1; they are divided by it."""

Cells = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class CellShape(Record):
    """The `cells` (dx, dy) of one event, and the `probability` that an event is so."""

    cells: Cells
    probability: Annotated[float, Least(0), Most(1)]


@dataclass(frozen=True, kw_only=True)
class CellShapes(Record):
    """The shapes of events in a memory, as a file states them; `name` is that of the preset, or the path.

    InputError for what `read_cell_shapes` refuses.

    >>> import radhard as rh
    >>> rh.read_cell_shapes("pair").shapes[0].cells
    ((0, 0), (0, 1))
    """

    source: str
    assumes: str
    shapes: tuple[CellShape, ...]
    name: str = field(compare=False)

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise InputError(f"{_place(self.name)}{problem}")

    @property
    def content(self) -> list[Any]:
        """What decides outcomes, as JSON values: each probability and its cells."""
        return [[float(shape.probability), [list(cell) for cell in shape.cells]] for shape in self.shapes]

    def at(self, number: int) -> Cells:
        """The cells of the shape that a number from 0 to 2^64 - 1 chooses: in proportion to their probabilities."""
        return self.shapes[bisect_right(self._bounds, number)].cells

    @cached_property
    def _bounds(self) -> list[int]:
        """The number from which on it is none of the first shape, of the first two ... exactly, to 2^64."""
        reached = list(accumulate(Fraction(shape.probability) for shape in self.shapes))
        return [math.ceil(one / reached[-1] * 2**64) for one in reached]


def cell_presets() -> dict[str, str]:
    """Names of the presets of the package, and their texts."""
    folder = files("radhard.hardware").joinpath("presets").joinpath("cells")
    found = {each.name.removesuffix(".toml"): each for each in folder.iterdir() if each.name.endswith(".toml")}
    return {name: found[name].read_text(encoding="utf-8") for name in sorted(found)}


def read_cell_shapes(file: str | Path) -> CellShapes:
    """Read a file of shapes, or a preset by its name. InputError names the file, the key, the value and the fix.

    >>> import radhard as rh
    >>> shapes = rh.read_cell_shapes("pair-word")
    >>> shapes.name, len(shapes.shapes), shapes.assumes.split(":")[0]
    ('pair-word', 1, 'a scan value, no statistics')
    """
    place, text = _text(file)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{place} is no TOML: {error}; `radhard.hardware.cell_shapes` shows a file") from error
    if "name" in values:
        raise InputError(
            f"{place}: 'name' is none of its fields, source, assumes, shapes; a table is named by its file"
        )
    return CellShapes.from_dict({**values, "name": str(file)}, place=place)


def _place(name: str) -> str:
    return f"cells preset {name}" if name in cell_presets() else f"cells file {name}"


def _text(file: str | Path) -> tuple[str, str]:
    known = cell_presets()
    if isinstance(file, str) and file in known:
        return _place(file), known[file]
    path = Path(file)
    if path.suffix != ".toml":
        raise InputError(f"cells={file}: give a .toml file, or a preset: {', '.join(known)}")
    if ":" in str(file):
        raise InputError(f"cells={file}: a colon separates options of a fault model; rename the file")
    try:
        return _place(str(path)), path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise InputError(f"cells={file} cannot be read: {why}; give a .toml file or {', '.join(known)}") from error


def _problems(table: CellShapes) -> Iterator[str]:
    """What types do not say."""
    for key in ("source", "assumes"):
        if not getattr(table, key).strip():
            yield f", {key!r} is empty; say where the numbers are from, and under which conditions they hold"
    for number, shape in enumerate(table.shapes):
        key = f"'shapes' {number}, 'cells'"
        for cell in shape.cells:
            if len(cell) != 2:
                yield f", {key}: {list(cell)} is no cell; give [dx, dy], along the word line and the bit line"
        if len(set(shape.cells)) < len(shape.cells):
            yield f", {key}: a cell is there twice; give each once"
        if (0, 0) not in shape.cells:
            yield f", {key} lacks [0, 0], the cell that is drawn; count the others from one that is upset"
    total = math.fsum(shape.probability for shape in table.shapes)
    if not abs(total - 1) <= TOLERANCE:
        yield f", 'shapes': the probabilities sum to {total:.9g}, not to 1 within {TOLERANCE:g}; correct them"


SINGLE = read_cell_shapes("single")
