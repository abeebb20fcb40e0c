"""Whether the device computes what the CPU does: the tests of its kernels, and the answers of the zoo."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree as ET

import torch

from benchmarks.gpu import limits, prepare
from benchmarks.gpu.answers import Answers, answered
from benchmarks.gpu.installed import ROOT, workplace
from benchmarks.gpu.journal import Record

PROCESSES = 4
OURS = "tests/cuda/test_gpu_script.py"
"""The test that runs this script, and is not run by it."""


def measure(device: torch.device, *, tiny: bool) -> Iterator[Record]:
    """Answers of each model of the zoo on the device against the CPU's, while the tests run; then what these gave."""
    report, start = workplace() / "tests.xml", time.monotonic()
    tests = _tests(report, tiny=tiny)
    try:
        for name in prepare.zoo(tiny=tiny):
            program = prepare.program_of(name, tiny=tiny, device=device)
            expected = prepare.expected_of(name, tiny=tiny)
            for one in expected:
                found = answered(program, ber=one.ber, images=len(one.logits), device=device)
                yield {"model": name, **compared(found, one)}
        done = tests.wait(timeout=max(1.0, min(limits.left() - 1, 600.0)))
        yield {"tests": "tests/cuda", "seconds": time.monotonic() - start, "exit": done, **_read(report)}
    except subprocess.TimeoutExpired:
        yield {"tests": "tests/cuda", "seconds": time.monotonic() - start, "exit": "not done in time"}
    finally:
        if tests.poll() is None:
            tests.kill()
    text = report.with_suffix(".log").read_text()
    yield {"tests": "output", "text": text[-20_000:]}


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


def _tests(report: Path, *, tiny: bool) -> "subprocess.Popen[bytes]":
    """The tests in a process of their own: several at a time where the plug-in is there; of a tiny run one file."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "cuda").glob("test_*.py"))
    files = [name for name in files if name != OURS]
    command = [sys.executable, "-m", "pytest", *(files[:1] if tiny else files), "-q", "-W", "default"]
    command += ["-p", "no:cacheprovider", f"--junitxml={report}"]
    if find_spec("xdist") is not None and not tiny:
        command += ["-n", str(PROCESSES)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with report.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


def _read(report: Path) -> Record:
    """Counts of a report in JUnit's XML, and what failed, with the first lines of why."""
    if not report.exists():
        return {"error": "no report was written"}
    cases = list(ET.parse(report).iter("testcase"))
    failed, skipped = [], 0
    for case in cases:
        skipped += case.find("skipped") is not None
        for child in case:
            if child.tag in ("failure", "error"):
                why = (child.get("message") or "")[:400]
                failed.append({"test": f"{case.get('classname')}::{case.get('name')}", "why": why})
    return {"run": len(cases), "skipped": skipped, "failed": failed}
