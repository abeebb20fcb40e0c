"""Tables of commands on a terminal of 80 columns: no line is longer, no number is split; --wide has all columns."""

import ast
import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

import radhard
from radhard.campaign.cache.folder import CachedProgram
from radhard.cli import notes
from radhard.cli.commands import app
from radhard.report.cache import cache_table
from tests.campaign.test_store_damage import filled

NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?%?")
MODEL = """
import torch
from torch import nn


def network_with_a_name_that_is_longer_than_any_column():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 7 * 7, 10))
"""
NAME = "network_with_a_name_that_is_longer_than_any_column"
TAKES = ("--input-shape", "1,28,28", "--mean", "0.5", "--std", "0.25")
SMALL = ("--images", "20", "--trials", "1", "--quiet")
PLANNED = ("--ber", "3.125e-4", "--max-overhead", "300", "--scheme", "row-abft", "--images", "20", "--judge", "20")
COMMANDS = {
    "models": ("models",),
    "store": ("store", "STORE"),
    "blocks": ("blocks", "19700", "76800", "307200", "--ber", "1.25e-11,3.125e-9", "--block", "100"),
    "inspect": ("inspect", "MODEL", "--by", "site", *TAKES),
    "coverage": ("inspect", "MODEL", "--coverage", *TAKES),
    "sweep": ("sweep", "MODEL", "--ber", "1.25e-7,3.125e-4", *TAKES, *SMALL),
    "vulnerability": ("vulnerability", "MODEL", "--by", "layer", "--ber", "3.125e-4", *TAKES, *SMALL),
    "avf": ("avf", "MODEL", "--by", "layer", *TAKES, *SMALL),
    "plan": ("plan", "MODEL", *PLANNED, "--out", "PLAN", *TAKES, "--quiet"),
    "evaluate": ("evaluate", "MODEL", "--plan", "PLAN", *TAKES, *SMALL),
    "replay": ("replay", "MODEL", "--trace", "TRACE", *TAKES),
    "compare": ("compare", "MODEL", "--schemes", "row-check,lb-abft:policy=leave", "--ber", "3.125e-4", *TAKES, *SMALL),
}


def numbers(text: str) -> set[str]:
    """The words that are numbers."""
    return {word for word in text.split() if NUMBER.fullmatch(word)}


@pytest.mark.parametrize("command", COMMANDS)
def test_80_columns_have_every_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    (tmp_path / "m.py").write_text(MODEL)
    (tmp_path / "faults.csv").write_text("trial,image,site,kind,index,bit\n0,1700,0,mul,40,14\n0,9999,3,add,7,30\n")
    if command == "store":
        filled(tmp_path / "run.db")
    places = {
        "MODEL": f"{tmp_path}/m.py:{NAME}", "STORE": f"{tmp_path}/run.db", "PLAN": f"{tmp_path}/plan.json",
        "TRACE": f"{tmp_path}/faults.csv",
    }  # fmt: skip
    if command == "evaluate":
        made = CliRunner().invoke(app, [places.get(each, each) for each in COMMANDS["plan"]])
        assert made.exit_code == 0, made.output
    tables: list[object] = []

    def show(parts: Iterable[object], **_: object) -> None:
        tables.extend(part for part in parts if not isinstance(part, str))

    monkeypatch.setattr(notes, "show", show)
    done = CliRunner().invoke(app, [places.get(each, each) for each in COMMANDS[command]])
    assert done.exit_code == 0, done.output
    assert tables
    narrow, wide = drawn(tables, width=80), drawn(tables, width=10_000)
    assert max(map(len, narrow.splitlines())) <= 80
    assert numbers(narrow) == numbers(wide) != set()


def drawn(tables: Iterable[object], *, width: int) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None)
    for table in tables:
        console.print(table)
    return file.getvalue()


def test_a_cache_of_large_programs_fits() -> None:
    program = CachedProgram(
        **{
            **dict.fromkeys(CachedProgram.__dataclass_fields__, None),
            "models": (NAME, f"other_{NAME}"), "recipe": "int8-symmetric", "checksum": "0123456789abcdef",
            "bytes": 123_456_789_012, "used": 1.7e9,
        }
    )  # fmt: skip
    text = drawn([cache_table([program], title="a/folder")], width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "115.0 GiB" in text


def test_wide_is_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    filled(tmp_path / "run.db")
    narrow, wide = (
        CliRunner().invoke(app, ["blocks", "8", "8", "8", "--ber", "1e-9", *more]).stdout for more in ((), ("--wide",))
    )
    headings: Callable[[str], int] = lambda text: sum("BER" in line for line in text.splitlines())  # noqa: E731
    assert headings(narrow) > headings(wide) == 1
    assert numbers(narrow) == numbers(wide)


def test_every_table_is_one_that_fits() -> None:
    """A table of rich alone would break its numbers."""
    source = Path(radhard.__file__).parent
    for path in [*source.glob("report/**/*.py"), *source.glob("cli/*.py")]:
        if path.name != "fitted.py":
            calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "Table"], path
