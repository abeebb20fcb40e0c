"""What `plan` and `compare` refuse before they build anything, in one sentence that names the option."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from radhard.cli.commands import app

PLAN = ("plan", "fashion-vit", "--ber", "1e-7")
COMPARE = ("compare", "fashion-vit", "--ber", "1e-7", "--schemes", "lb-abft,tmr")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((*PLAN, "--level", "50"), "--level 50: give the confidence in percent, above 50 and below 99.9"),
        ((*PLAN, "--level", "99.95"), "--level 99.95: give the confidence"),
        ((*PLAN, "--level", "nan"), "--level nan: give"),
        ((*PLAN, "--max-loss", "-1"), "--max-loss -1: give percent from 0 on"),
        (
            (*COMPARE, "--reference", "row-abft"),
            "--reference row-abft: it is none of --schemes; choose from lb-abft",
        ),
        ((*COMPARE, "--margin", "0"), "--margin 0: give percentage points above 0 and below 100"),
        ((*COMPARE, "--margin", "100"), "--margin 100: give percentage points"),
        ((*COMPARE, "--schemes", "tmr,tmr"), "name one scheme or more, each once"),
    ],
)
def test_options_out_of_range_are_named(
    arguments: tuple[str, ...], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("radhard: ")
    assert text in line
    assert not list(tmp_path.iterdir())
