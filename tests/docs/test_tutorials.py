"""The tutorials run from the first to the last in one folder, as a reader types them, and give what they say."""

import json
import re
import runpy
import shlex
from pathlib import Path

import pytest
import torch

from tests.cli.test_commands import call
from tests.support.pages import DOCS

TUTORIALS = ("five-minutes", "which-layers", "what-to-buy", "deploy", "on-a-cluster")
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def run_python(code: str, session: dict[str, object], page: str) -> None:
    """Save a block that begins with a file's name; run any other."""
    if named := re.match(r"# (\w+\.py)\n", code):
        Path(named[1]).write_text(code, encoding="utf-8")
    else:
        exec(compile(code, page, "exec"), session)


def run_shell(block: str) -> list[str]:
    """What each command printed."""
    printed = []
    for line in re.sub(r"\\\n\s*", " ", block).strip().splitlines():
        program, *arguments = shlex.split(line)
        if program == "python":
            runpy.run_path(arguments[0], run_name="__main__")
        else:
            assert program == "radhard", line
            printed.append(call(*arguments))
    return printed


def test_all_are_here() -> None:
    assert {path.stem for path in (DOCS / "tutorials").glob("*.md")} == set(TUTORIALS)


def test_they_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    printed: dict[str, list[str]] = {}
    with torch.random.fork_rng():
        for name in TUTORIALS:
            page = f"{name}.md"
            session: dict[str, object] = {}
            printed[name] = []
            for language, code in BLOCK.findall((DOCS / "tutorials" / page).read_text(encoding="utf-8")):
                if language == "python":
                    run_python(code, session, page)
                else:
                    printed[name] += run_shell(code)
    inspected, swept = printed["five-minutes"]
    assert "stem.0 + relu" in inspected
    assert re.search(r"int8 +60 +(9\d|100)\.\d+%", swept)  # the network that the page trains is a good one
    layers, kinds, modules = printed["which-layers"]
    assert {"stem", "body", "neck", "head"} <= set(layers.split())
    assert {"mul", "add"} <= set(kinds.split())
    assert "Conv " in modules
    assert "Conv ?" not in modules
    assert json.loads((tmp_path / "plan.json").read_text())["verdict"] == "met"
    compared = printed["what-to-buy"][2]
    assert re.search(r"row-check +-.* worse", compared), "the page says that one of the three is worse than none"
    for file in ("curve.png", "layers.png", "kinds.png", "hardened.pt2", "all.db"):
        assert (tmp_path / file).stat().st_size > 1000
