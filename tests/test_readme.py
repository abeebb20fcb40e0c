"""Every block of the README runs: the Python ones in one session, the commands in one folder."""

import json
import re
from pathlib import Path

import pytest
import torch

from tests.cli.test_commands import call
from tests.support.pages import ROOT, blocks

PAGE = ROOT / "README.md"
README = PAGE.read_text()


def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {}
    with torch.random.fork_rng():
        for block in blocks(PAGE, "python"):
            exec(compile(block, "README.md", "exec"), session)
    assert {row["name"] for row in session["result"].rows()} >= {"1", "3"}  # type: ignore[attr-defined]
    assert Path("vulnerability.png").stat().st_size > 10_000


def test_the_first_python_block_is_short() -> None:
    lines = [line for line in blocks(PAGE, "python")[0].splitlines() if line.strip()]
    assert len(lines) <= 8


def test_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process: that the command starts in one of its own, `tests/cli/test_entry.py` tests."""
    monkeypatch.chdir(tmp_path)
    lines = [line.split("#")[0].split() for block in blocks(PAGE, "sh") for line in block.strip().splitlines()]
    assert len(lines) == 8
    for name, *arguments in lines:
        assert name == "radhard"
        call(*arguments)
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["verdict"] == "met"
    assert any(scheme["scheme"] == "row-abft" for scheme in plan["protection"]["sites"].values())
    assert (tmp_path / "faults.csv").read_text().startswith('"trial","image","site","kind","index","bit"')


def test_the_makefile_has_the_two_commands() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"^    make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)
    assert (ROOT / ".ci" / "run").read_text().strip().endswith("make test")


@pytest.mark.slow
@pytest.mark.parametrize("page", [PAGE, ROOT / "docs" / "fit.md"], ids=lambda page: page.name)
def test_the_fit_table_is_what_its_command_gives(page: Path) -> None:
    """Raw FIT, duty, safe share and residual FIT of each part, as the page rounds them."""
    text = page.read_text()
    (command,) = {
        found.replace("\n", " ") for found in re.findall(r"`radhard (fit fashion-vit [^`]*--trials[^`]*)`", text)
    }
    (model,) = json.loads(call(*command.split(), "--json"))["models"]
    rows = re.findall(
        r"^\| (register \w+) \| ([\d,]+) \| (\S+) \| (\S+) % \| (\S+) % .*? \| (?:< )?(\S+)", text, re.MULTILINE
    )
    assert len(rows) == len(model["parts"]) == 3
    for (name, bits, raw, duty, safe, left), part in zip(rows, model["parts"], strict=True):
        assert (name, bits) == (part["part"], f"{part['bits']:,}")
        assert (raw, duty) == (f"{part['raw']:.3g}", f"{100 * part['duty']:.3g}")
        assert safe == f"{100 * part['safe']['rate']:.2f}"
        assert left == f"{part['residual']['value'] or part['residual']['high']:.3g}"
