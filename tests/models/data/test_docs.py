"""The examples of docs/data.md run."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "data.md"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(compile(block, "data.md", "exec"), {})
    told = capsys.readouterr().out
    assert told.startswith(
        "satellite/test (.npz, test_images with test_labels): 20 images, labels are numbers from 0 to 9"
    )
