"""How long a command takes until its first unit of work: the first command on a model, and the second.

python -m benchmarks.start [--pictures 40] [--out benchmarks/START.md]

Each command is a process of its own, and ends where its first unit would begin. The pictures of the larger model are
noise, a fifth of them calibrate. Seconds of a processor depend less on what else a machine does than those of the
clock; the time that `import torch` takes stands beside them.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from radhard.version import VERSION

AGAIN = 3
"""How often the second command is run; the fastest counts."""

_CHILD = """
import json, os, sys
from radhard.campaign.executor import InProcess
def first(*_, **__):
    times = os.times()
    print(json.dumps(times.user + times.system), flush=True)
    os._exit(0)
InProcess.run = first
from radhard.cli import main
sys.argv = ["radhard", *sys.argv[1:]]
main()
"""
_TORCH = "import json, os, torch; t = os.times(); print(json.dumps(t.user + t.system))"


@dataclass(frozen=True, kw_only=True)
class Start:
    """Seconds until the first unit: of the clock, and of a processor."""

    clock: float
    processor: float


def started(code: str, arguments: Sequence[str] = (), *, cache: Path | None = None) -> Start:
    """Run Python `code` that prints its seconds of a processor."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RADHARD_CACHE": str(cache or "none")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's Python keeps what it compiled
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, check=True, env=environment
    )
    return Start(clock=time.perf_counter() - began, processor=json.loads(done.stdout))


def measured(command: Sequence[str], *, folder: Path) -> tuple[Start, Start]:
    """The first command with an empty cache, and the fastest of those after it."""
    first = started(_CHILD, command, cache=folder)
    after = [started(_CHILD, command, cache=folder) for _ in range(AGAIN)]
    return first, min(after, key=lambda each: each.processor)


def pictures(count: int, folder: Path) -> Path:
    """A folder of `count` pictures of noise."""
    draw = np.random.default_rng(0)
    for place in range(count):
        coarse = Image.fromarray(draw.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        coarse.resize((320, 256), Image.Resampling.BICUBIC).save(folder / f"{place:04}.jpg", quality=90)
    return folder


def row(name: str, first: Start, second: Start) -> str:
    """A line of the table."""
    ratio = first.processor / second.processor
    return (
        f"| {name} | {first.clock:.1f} | {first.processor:.1f} | {second.clock:.1f} | {second.processor:.1f} | "
        f"{ratio:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "START.md")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        (data := Path(temporary, "data")).mkdir()
        pictures(asked.pictures, data)
        once = ("--images", "4", "--trials", "1", "--ber", "1e-10")
        commands = {
            "`fashion-vit`": ("sweep", "fashion-vit", *once),
            "`vit_base_patch16_224`": ("sweep", "vit_base_patch16_224", "--data", str(data), "--labels", "none", *once),
        }
        rows = []
        for number, (name, command) in enumerate(commands.items()):
            rows.append(row(name, *measured(command, folder=Path(temporary, f"cache-{number}"))))
            print(rows[-1], flush=True)
        alone = min((started(_TORCH) for _ in range(AGAIN)), key=lambda each: each.processor)
    lines = [
        "# Until the first unit of work",
        "",
        "Seconds from the start of `radhard sweep` to its first unit: of the first command on a model, and of the",
        f"fastest of {AGAIN} after it. The larger model has {asked.pictures} pictures, a fifth of which calibrate.",
        "",
        "| model | first: clock | processor | second: clock | processor | ratio, processor |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        f"`import torch` alone: {alone.clock:.1f} s of the clock, {alone.processor:.1f} s of the processor.",
        "",
        f"radhard {VERSION}, torch {torch.__version__}, Python {platform.python_version()}, one thread, a machine of",
        f"{os.cpu_count()} processors with a load of {load:.1f} before; by `python -m benchmarks.start`.",
        "",
    ]
    asked.out.write_text("\n".join(line.rstrip() for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
