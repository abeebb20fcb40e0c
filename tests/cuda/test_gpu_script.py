"""The script that measures on a GPU, as a whole on tiny shapes; on a GPU it runs these tests, not they it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmarks.gpu.page import render

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU the script runs the tests")
def test_every_part_of_the_script_gives_its_records(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--tiny", "--out", str(tmp_path), "--seconds", "1800"]
    command += ["--part-seconds", "10"]  # limits are of a GPU
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gpu.json", "profiles.txt"]
    errors = [record for record in found["records"] if "error" in record or record.get("failed")]
    assert errors == []
    parts = {record["part"] for record in found["records"] if "model" in record}
    assert parts == {"equality", "clean", "faulty", "sweep", "training"}
    assert {record["part"] for record in found["records"] if "product" in record} == {"detection", "fig13"}
    answers = [record for record in found["records"] if "equal_flips" in record]
    assert answers
    assert all(record["equal_flips"] and record["equal_answers"] == record["images"] for record in answers)
    page = tmp_path / "page"
    page.mkdir()
    render(tmp_path, results=page)
    assert sorted(path.name for path in page.iterdir()) == [
        "gpu-fig13.caption.txt",
        "gpu-fig13.png",
        "gpu-speed.caption.txt",
        "gpu-speed.png",
        "gpu.json",
        "gpu.md",
    ]
    text = (page / "gpu.md").read_text()
    assert "no number here is of a GPU" in text
    assert "## What failed" not in text
