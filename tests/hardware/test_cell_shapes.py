"""Tables of shapes: the presets, drawing from them, and every mistake by name, value and fix."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from radhard.errors import InputError
from radhard.hardware import CellShape, CellShapes, cell_presets, read_cell_shapes
from tests.reference.memory import shape_of

FILE = """
source = "a paper"
assumes = "neutrons"

[[shapes]]
cells = [[0, 0]]
probability = 0.7

[[shapes]]
cells = [[0, 0], [0, 1]]
probability = 0.2

[[shapes]]
cells = [[0, 0], [1, 0], [-1, 2]]
probability = 0.1
"""


@pytest.mark.parametrize("name", cell_presets())
def test_a_preset_names_its_source_and_is_no_statistics(name: str) -> None:
    """No proportions are published: a preset is one shape, which `assumes` calls a scan or a worst case."""
    table = read_cell_shapes(name)
    assert table.source
    assert len(table.shapes) == 1
    assert name == "single" or "no statistics" in table.assumes
    assert table.content == [[1.0, [list(cell) for cell in table.shapes[0].cells]]]


def test_the_presets_are_these() -> None:
    found = {name: read_cell_shapes(name).shapes[0].cells for name in cell_presets()}
    assert found == {
        "single": ((0, 0),),
        "pair": ((0, 0), (0, 1)),
        "pair-word": ((0, 0), (1, 0)),
        "triple": ((0, 0), (0, 1), (0, 2)),
    }


def test_a_shape_is_drawn_as_often_as_it_says(tmp_path: Path) -> None:
    path = tmp_path / "shapes.toml"
    path.write_text(FILE)
    table = read_cell_shapes(path)
    by_hand = [(0.7, "one"), (0.2, "two"), (0.1, "three")]
    names = {shape.cells: name for shape, (_, name) in zip(table.shapes, by_hand, strict=True)}
    draw = np.random.default_rng(3)
    numbers = [int.from_bytes(draw.bytes(8), "little") for _ in range(3000)]
    numbers += [0, 2**64 - 1, int(0.7 * 2**64), int(0.7 * 2**64) - 4096, int(0.9 * 2**64), int(0.9 * 2**64) + 4096]
    found = [names[table.at(number)] for number in numbers]
    assert found == [shape_of(by_hand, number) for number in numbers]
    assert Counter(found)["one"] / 3000 == pytest.approx(0.7, abs=0.04)


def test_what_decides_is_the_content_and_not_the_name(tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    for path in (one, other):
        path.write_text(FILE)
    assert read_cell_shapes(one) == read_cell_shapes(other)
    assert read_cell_shapes(one).name == str(one)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('source = "a paper"\n', "", "'source' is missing"),
        ('source = "a paper"', 'source = " "', ", 'source' is empty; say where the numbers are from"),
        ('assumes = "neutrons"\n', "", "'assumes' is missing"),
        ("probability = 0.2", "probability = -0.2", "'shapes' 1, 'probability' is -0.2; it is at least 0"),
        ("probability = 0.2", "probability = 1.2", "'probability' is 1.2; it is at most 1"),
        ("probability = 0.2", "probability = nan", "'probability' is nan; it is at least 0"),
        ("probability = 0.2", "probability = 0.3", "'shapes': the probabilities sum to 1.1, not to 1 within 1e-06"),
        ("probability = 0.2", "probability = 0.200002", "sum to 1.000002, not to 1"),
        ("probability = 0.2\n", "", "'shapes' 1: 'probability' is missing"),
        ("cells = [[0, 0]]\n", "cells = []\n", "'shapes' 0, 'cells' lacks .0, 0., the cell that is drawn"),
        ("[[0, 0], [0, 1]]", "[[0, 1], [0, 2]]", "'shapes' 1, 'cells' lacks"),
        ("[[0, 0], [0, 1]]", "[[0, 0], [0, 0]]", "'shapes' 1, 'cells': a cell is there twice"),
        ("[[0, 0], [0, 1]]", "[[0, 0], [1]]", r"'cells': \[1\] is no cell; give .dx, dy."),
        ("[[0, 0], [0, 1]]", "[[0, 0], [0, 1.5]]", "is 1.5, not an integer"),
        ("[[0, 0], [0, 1]]", "3", "'cells' is 3, not a list"),
        ("probability = 0.2", "probability = 0.2\nname = 1", "'shapes' 1: 'name' is none of its fields, cells"),
        ('assumes = "neutrons"', 'assumes = "neutrons"\nshape = 1', "'shape' is none of its fields, source"),
        ('assumes = "neutrons"', 'assumes = "neutrons"\nname = "x"', "'name' is none of its fields, source"),
        ("[[shapes]]", "[[shapes", "is no TOML"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "shapes.toml"
    assert old in FILE
    path.write_text(FILE.replace(old, new, 1))
    with pytest.raises(InputError, match=words) as error:
        read_cell_shapes(path)
    assert f"cells file {path}" in str(error.value)


def test_a_table_that_is_made_in_python_is_checked_alike() -> None:
    one = CellShape(cells=((0, 0),), probability=0.5)
    with pytest.raises(InputError, match=r"cells file mine.toml, 'shapes': the probabilities sum to 0.5, not to 1"):
        CellShapes(source="here", assumes="nothing", shapes=(one,), name="mine.toml")
    with pytest.raises(InputError, match="sum to 0, not to 1"):
        CellShapes(source="here", assumes="nothing", shapes=(), name="mine.toml")


def test_a_shape_of_no_probability_is_never_drawn() -> None:
    """Between two others, at the numbers where one ends and the next begins."""
    halves = [CellShape(cells=((0, 0), (0, dy)), probability=p) for dy, p in ((1, 0.5), (2, 0.0), (3, 0.5))]
    table = CellShapes(source="here", assumes="nothing", shapes=tuple(halves), name="mine.toml")
    found = [table.at(number)[1] for number in (0, 2**63 - 1, 2**63, 2**64 - 1)]
    assert found == [(0, 1), (0, 1), (0, 3), (0, 3)]


def test_probabilities_need_not_sum_to_the_last_bit(tmp_path: Path) -> None:
    path = tmp_path / "shapes.toml"
    path.write_text(FILE.replace("probability = 0.2", "probability = 0.2000005"))
    table = read_cell_shapes(path)
    assert table.at(2**64 - 1) == table.shapes[2].cells


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"cells=quad: give a \.toml file, or a preset: pair, pair-word, single, triple"
    ):
        read_cell_shapes("quad")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_cell_shapes(tmp_path / "none.toml")
    with pytest.raises(InputError, match="a colon separates options"):
        read_cell_shapes(tmp_path / "a:b.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="no text in UTF-8"):
        read_cell_shapes(tmp_path / "bytes.toml")
