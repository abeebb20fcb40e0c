"""Every example runs and prints what it says; each is short, and named in the table of examples."""

import re
import runpy
from pathlib import Path

import pytest
import torch

from tests.support.pages import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
# what each prints: a pattern of all its lines
PRINTS = {
    "compare_schemes": r"<Compared: Sequential: 3 schemes .*>\n(.* at (0|3e-05): \d+\.\d%\n?){9}",
    "plan_and_harden": r"met: [12] sites protected",
    "sweep": r"<SweepResult: Sequential, int8: clean 98\.8%, 10 points lost at BER .*; 3 rates, 80 images>",
    "vulnerability": r"<VulnerabilityResult: Sequential, int8, by site at BER 0\.0001: most vulnerable 1, .*>",
    "custom_scheme": r"wrong logits: \d{3} unprotected, \d protected",
    "load_pt2": r"10 classes; \d+ flips change \d+ of 16 images",
    "one_flip": r"\[image, logit\] that differ: \[\[0, 3\]\]",
    "protected_machine": r"unprotected: \d+\.\d% .*\nprotected: 0\.0% .*\n0: \d+ alarms.*\n1: .*\n2: .*",
    "replay_trace": r"\d+ flips, \d+ in the first layer; these alone change \d+ logits",
    "stuck_at": r"logits that differ: \[3\]",
}


def test_all_are_known() -> None:
    assert [path.stem for path in EXAMPLES] == sorted(PRINTS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        runpy.run_path(str(path), run_name="__main__")
    printed = capsys.readouterr().out.strip()
    assert re.fullmatch(PRINTS[path.stem], printed), printed


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_is_short_and_named(path: Path) -> None:
    text = path.read_text()
    lines = [line for line in text.splitlines() if line.strip()]
    assert 5 <= len(lines) <= 30
    said = text.splitlines()[0].strip('"').rstrip(".")
    assert f"| [{path.name}]({path.name}) | {said} |" in (ROOT / "examples" / "README.md").read_text()
