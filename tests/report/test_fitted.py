"""Tables in a terminal that is too narrow: no number is broken, no column is lost."""

import io

import pytest
from rich.console import Console

from radhard.report.fitted import FittedTable

ROWS = [
    ("1e-07", "row-abft", "78.64% - 95.65%", "29,306,624", "-0.1029", "1.423e+07"),
    ("1e-06", "lb-abft:policy=leave", "1.00% - 2.00%", "12", "2.162", "0.001"),
]


def shown(width: int, *, keys: int = 2) -> str:
    table = FittedTable("a title", keys=keys)
    for heading in ("BER", "scheme", "95 % interval", "multiplications", "low", "operations"):
        table.add_column(heading, justify="right")
    for row in ROWS:
        table.add_row(*row)
    table.caption = "a caption"
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(table)
    return file.getvalue()


@pytest.mark.parametrize("width", [120, 80, 60, 48])
def test_no_number_is_broken_and_no_line_too_long(width: int) -> None:
    text = shown(width)
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    for row in ROWS:
        for cell in (row[0], *row[2:]):
            for word in cell.split():
                assert word in words, (width, word)
    for heading in ("BER", "scheme", "interval", "multiplications", "low", "operations"):
        assert heading in words
    assert (words.count("title"), words.count("caption")) == (1, 1)


def test_a_wide_terminal_has_one_table_and_a_narrow_one_repeats_the_keys() -> None:
    assert shown(120).count("1e-07") == 1
    assert shown(120).split("\n")[4].split() == " ".join(ROWS[0]).split()
    assert shown(48).count("1e-07") > 1


def test_a_name_without_room_is_broken_but_whole() -> None:
    name = "blocks.0.attention.projection.of.all.heads.together"
    table = FittedTable("sites")
    for heading in ("site", "flips"):
        table.add_column(heading)
    table.add_row(name, "1,234")
    file = io.StringIO()
    Console(file=file, width=30, color_system=None).print(table)
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 30
    assert "1,234" in file.getvalue()
    assert name in "".join(line.split()[0] if line.split() else "" for line in lines[3:])
