"""Whether the device computes what the CPU does: the tests of its kernels, and the answers of the zoo."""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks.gpu import limits, prepare, warm
from benchmarks.gpu.answers import Answers, answered
from benchmarks.gpu.installed import ROOT, workplace
from benchmarks.gpu.journal import Record

PROCESSES, PATIENCE = 14, 10
"""Of tests; seconds before the limit in which nothing else is begun."""

FIRST = (
    "recorded",
    "striking",
    "chains",
    "struck",
    "draw",
    "products",
    "rows",
    "words",
    "convolution",
    "abft",
    "checked",
)
LAST = "placement"

OURS = "test_gpu_script.py"
"""The test that runs this script, and is not run by it."""


def measure(device: torch.device, *, tiny: bool) -> Iterator[Record]:
    """Answers of each model of the zoo on the device against the CPU's, while the tests run; then what these gave."""
    results = workplace() / "tests.jsonl"
    tests = _started(results, tiny=tiny)
    others = [tests]
    try:
        for name in prepare.zoo(tiny=tiny):
            if limits.left() < PATIENCE:
                break
            try:
                yield from _of_model(name, device, tiny=tiny)
            except Exception as error:
                told = f"{type(error).__name__}: {error}"[:2000]
                yield {"model": name, "error": told, "text": traceback.format_exc()}
            others += _warming(len(others), tiny=tiny)
        while tests.poll() is None and limits.left() > 2:
            others += _warming(len(others), tiny=tiny)
            time.sleep(0.1)
    finally:
        prepare.stop(prepare.zoo(tiny=tiny))  # what comes next is timed
        finished = tests.poll() is not None
        for process in others:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    limits.at_least(PATIENCE / 2)
    yield {"tests": "tests/cuda", "finished": finished, **_read(results)}
    yield {"tests": "output", "text": results.with_suffix(".log").read_text()[-20_000:]}


def _warming(begun: int, *, tiny: bool) -> list["subprocess.Popen[bytes]"]:
    """The process that compiles what is timed later, once its program is there; `begun` counts the tests too."""
    name = prepare.subject(tiny=tiny)
    if tiny or begun > 1 or not prepare.is_written(name):
        return []
    begun_now = warm.begin(prepare.file_of(name))
    if limits.left() > 2 * PATIENCE:
        prepare.module_of(name)  # kept for what is timed
    return [begun_now]


def _of_model(name: str, device: torch.device, *, tiny: bool) -> Iterator[Record]:
    program = prepare.written(name, tiny=tiny, device=device, most=limits.left())
    for one in prepare.expected_of(name, tiny=tiny):
        found = answered(program, ber=one.ber, images=len(one.logits), device=device)
        limits.at_least(PATIENCE / 2)
        yield {"model": name, **compared(found, one)}


def compared(found: Answers, expected: Answers) -> Record:
    """Shares of equal answers and logits, the largest difference, and whether the same bits flipped."""
    equal = (found.logits == expected.logits).all(dim=1)
    same = found.logits.argmax(dim=1) == expected.logits.argmax(dim=1)
    return {
        "ber": expected.ber,
        "images": len(equal),
        "equal_answers": int(same.sum()),
        "equal_logits": int(equal.sum()),
        "largest_difference": float((found.logits - expected.logits).abs().nan_to_num(nan=0.0).max()),
        "flips": int(expected.flips.sum()),
        "equal_flips": found.digest == expected.digest and torch.equal(found.flips, expected.flips),
    }


def _started(results: Path, *, tiny: bool) -> "subprocess.Popen[bytes]":
    """The tests in processes of their own, several at a time where the plug-in is there; of a tiny run one file."""
    files = sorted((ROOT / "tests" / "cuda").glob("test_*.py"), key=_urgency)
    files = [path for path in files if path.name != OURS]
    named = [str(path.relative_to(ROOT)) for path in (files[:1] if tiny else files)]
    command = [sys.executable, "-m", "pytest", *named, "-q", "-W", "default", "--tb=short", "-p", "no:cacheprovider"]
    command += ["-p", "no:benchmark", "-p", "benchmarks.gpu.streamed"]
    if find_spec("xdist") is not None and not tiny:
        command += ["-n", str(PROCESSES)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RADHARD_GPU_TESTS": str(results)}
    with results.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)


def _urgency(path: Path) -> tuple[int, str]:
    """Which tests come first: those of what campaigns run on, should there be no time for all."""
    name = path.stem.removeprefix("test_")
    return (FIRST.index(name) if name in FIRST else len(FIRST) + (name == LAST), name)


def _read(results: Path) -> Record:
    """Counts of the results, each failure with the last lines of why, and the seconds that each file took."""
    lines = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    failed = [line for line in lines if line["outcome"] == "failed"]
    seconds: dict[str, float] = {}
    for line in lines:
        file = line["test"].split("::")[0]
        seconds[file] = round(seconds.get(file, 0.0) + line["seconds"], 1)
    return {
        "run": sum(line["outcome"] != "skipped" for line in lines),
        "skipped": sum(line["outcome"] == "skipped" for line in lines),
        "failed": [{"test": line["test"], "why": line["why"][-400:]} for line in failed],
        "seconds_of_files": seconds,
        "text": "\n\n".join(f"{line['test']}\n{line.get('text', line['why'])}" for line in failed)[:60_000],
    }
