"""Whether the device computes what the CPU does: the tests of its kernels, and the answers of the zoo."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import torch

from benchmarks.gpu import limits, prepare
from benchmarks.gpu.answers import Answers, answered
from benchmarks.gpu.installed import ROOT, workplace
from benchmarks.gpu.journal import Record

PATIENCE = 20
"""Seconds that are kept for the tests."""

PASSED_OR_FAILED = (0, 1, 5)
"""Codes that pytest ends with once it has run all tests, or found none."""

OURS = "test_gpu_script.py"
"""The test that runs this script, and is not run by it."""


def measure(device: torch.device, *, tiny: bool) -> Iterator[Record]:
    """Answers of each model of the zoo on the device against the CPU's, while the tests run; then what these gave."""
    tests = _started(tiny=tiny)
    try:
        for name in prepare.zoo(tiny=tiny):
            program = prepare.program_of(name, tiny=tiny, device=device)
            expected = prepare.expected_of(name, tiny=tiny)
            for one in expected if limits.left() > PATIENCE else ():
                found = answered(program, ber=one.ber, images=len(one.logits), device=device)
                yield {"model": name, **compared(found, one)}
        _await(tests.values())
        for report, process in tests.items():
            text = report.with_suffix(".log").read_text()[-8000:]
            code = process.poll()
            ended = code if code in PASSED_OR_FAILED else None
            yield {"tests": report.stem, "exit": ended, **_read(report), "text": text}
    finally:
        for process in tests.values():
            process.kill()


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


def _started(*, tiny: bool) -> dict[Path, "subprocess.Popen[bytes]"]:
    """A process for each file of tests, by the report that it writes; of a tiny run one file."""
    files = [path for path in sorted((ROOT / "tests" / "cuda").glob("test_*.py")) if path.name != OURS]
    environment, found = {**os.environ, "OMP_NUM_THREADS": "1"}, {}
    for path in files[:1] if tiny else files:
        report = workplace() / f"{path.stem}.xml"
        command = [sys.executable, "-m", "pytest", str(path.relative_to(ROOT)), "-q", "-W", "default"]
        command += ["-p", "no:cacheprovider", f"--junitxml={report}"]
        with report.with_suffix(".log").open("wb") as log:
            found[report] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    return found


def _await(processes: Collection["subprocess.Popen[bytes]"]) -> None:
    """Wait for the tests; those that are not done in time are interrupted, and tell of what they did."""
    while any(process.poll() is None for process in processes) and limits.left() > PATIENCE / 2:
        time.sleep(0.1)
    late = [process for process in processes if process.poll() is None]
    for process in late:
        process.send_signal(signal.SIGINT)
    while any(process.poll() is None for process in late) and limits.left() > 2:
        time.sleep(0.1)


def _read(report: Path) -> Record:
    """Counts of a report in JUnit's XML, and what failed, with the first lines of why."""
    if not report.exists():
        return {"run": 0, "skipped": 0, "failed": [{"test": report.stem, "why": "no report was written"}]}
    cases = list(ET.parse(report).iter("testcase"))
    failed, skipped = [], 0
    for case in cases:
        skipped += case.find("skipped") is not None
        for child in case:
            if child.tag in ("failure", "error"):
                why = (child.get("message") or "")[:400]
                failed.append({"test": f"{case.get('classname')}::{case.get('name')}", "why": why})
    return {"run": len(cases), "skipped": skipped, "failed": failed}
