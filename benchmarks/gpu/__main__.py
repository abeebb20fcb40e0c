"""Measure on a GPU, or write the page of a measurement: see the package."""

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.gpu.installed import install

install()

import torch  # noqa: E402

from benchmarks.gpu import parts, prepare  # noqa: E402
from benchmarks.gpu.journal import Journal  # noqa: E402
from benchmarks.gpu.machine import described  # noqa: E402


def main() -> None:
    """Measure, or render."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder of the results")
    parser.add_argument("--render", type=Path, metavar="FOLDER", help="write results/gpu.md from a folder's results")
    parser.add_argument("--only", default="", help="parts to run, in this order: clean,faulty")
    parser.add_argument("--skip", default="", help="parts to leave out")
    parser.add_argument("--seconds", type=float, default=470, help="for all parts together")
    parser.add_argument("--part-seconds", type=float, default=1.0, help="times each part's own limit of seconds")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes, to try the script without a GPU")
    parser.add_argument("--goes-on", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.render is not None:
        from benchmarks.gpu.page import render

        render(chosen.render)
        return
    if chosen.out is None:
        parser.error("--out FOLDER, or --render FOLDER")
    known = [*parts.SECONDS, *parts.ASKED_FOR]
    names = [name for name in chosen.only.split(",") if name] or list(parts.SECONDS)
    if unknown := sorted({*names, *chosen.skip.split(",")} - {*known, ""}):
        parser.error(f"{unknown[0]} is no part; they are {', '.join(known)}")
    names = [name for name in names if name not in chosen.skip.split(",")]
    device, began = torch.device(chosen.device), time.monotonic()
    if device.type == "cuda":
        device = torch.device("cuda", device.index or 0)
        torch.cuda.set_device(device)
    machine = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "tiny": chosen.tiny, **described(device)}
    journal = Journal(chosen.out, machine=machine, goes_on=chosen.goes_on)
    prepare.start(names, tiny=chosen.tiny)
    course = parts.Course(
        device=device,
        journal=journal,
        tiny=chosen.tiny,
        began=began,
        until=began + chosen.seconds,
        stretched=chosen.part_seconds,
    )
    rest = parts.run(names, course)
    prepare.stop()
    if rest:
        seconds = chosen.seconds - (time.monotonic() - began)
        again = ["--out", str(chosen.out), "--only", ",".join(rest), "--seconds", str(seconds), "--goes-on"]
        again += ["--part-seconds", str(chosen.part_seconds), "--device", chosen.device, *["--tiny"] * chosen.tiny]
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.gpu", *again])


if __name__ == "__main__":
    main()
