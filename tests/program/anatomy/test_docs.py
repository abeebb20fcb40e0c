"""The examples of docs/anatomy.md run."""

import re
import subprocess
import sys
from pathlib import Path

import torch

PAGE = (Path(__file__).parents[3] / "docs" / "anatomy.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_python_blocks_run() -> None:
    with torch.random.fork_rng():
        for block in blocks("python"):
            exec(compile(block, "anatomy.md", "exec"), {})


def test_commands_run(tmp_path: Path) -> None:
    folder = Path(sys.executable).parent
    (script,) = blocks("sh")
    done = subprocess.run(
        ["/bin/sh", "-ec", f'PATH="{folder}:$PATH"\n{script}'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split()[0] for line in done.stdout.splitlines() if line.strip().startswith(("NLF", "Residual"))]
    assert sorted(rows) == ["NLF", "Residual"]
