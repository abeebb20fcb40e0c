"""A sweep of ViT-B/16 over 1,000 images at nine rates, from the command line to its table, as a user runs it."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.gpu import limits, prepare
from benchmarks.gpu.installed import ROOT, workplace
from benchmarks.gpu.journal import Record

RATES = "1e-11:1e-7:9"
IMAGES, SIZE = 1000, 224
THREADS = "12"


def measure(device: torch.device, *, tiny: bool) -> Iterator[Record]:
    """Seconds of the whole command, and of the runs alone, which is what its store says."""
    folder = workplace()
    store, images = folder / "sweep.db", 1 if tiny else IMAGES
    command = [sys.executable, "-c", "from radhard.cli import main; main()", "sweep", prepare.subject(tiny=tiny)]
    command += ["--device", device.type, "--trials", "1", "--batch", "250", "--chunk", "250", "--images", str(images)]
    command += ["--store", str(store), "--json", "--ber", "1e-5" if tiny else RATES]
    command += ["--input-shape", "1,28,28"] if tiny else _data()
    store.unlink(missing_ok=True)
    start = time.monotonic()
    limit, environment = min(limits.left(), 600.0), {**os.environ, "OMP_NUM_THREADS": THREADS}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired as late:
        limits.at_least(5)
        told = str(late.stderr)[-4000:]
        yield {"stopped": f"the command was not done in {limit:.0f} s", "runs_seconds": _seconds(store), "text": told}
        return
    seconds = time.monotonic() - start
    if done.returncode:
        yield {
            "error": f"radhard sweep ended with {done.returncode}",
            "text": done.stdout[-4000:] + done.stderr[-8000:],
        }
        return
    points = json.loads(done.stdout)["models"][0]
    yield {
        "model": prepare.subject(tiny=tiny),
        "images": images,
        "rates": 1 if tiny else 9,
        "seconds": seconds,
        "runs_seconds": _seconds(store),
        "points": points.get("points"),
    }


def _data() -> list[str]:
    """Noise as pictures in a file, without labels; a fifth of them calibrates."""
    path = workplace() / "noise.npy"
    draw = np.random.default_rng(0)
    np.save(path, draw.integers(0, 256, (IMAGES * 5 // 4, SIZE, SIZE, 3), dtype=np.uint8))
    return ["--data", str(path), "--labels", "none", "--resize", "none"]


def _seconds(store: Path) -> float:
    """Seconds of all units of a store; 0 of one that is not there."""
    if not store.exists():
        return 0.0
    with sqlite3.connect(store) as file:
        return float(file.execute("SELECT SUM(seconds) FROM provenance").fetchone()[0] or 0.0)
