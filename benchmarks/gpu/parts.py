"""The parts of a run, in order: each a module with `measure(device, tiny=...)`, guarded, with its limit of seconds."""

import gc
import importlib
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from benchmarks.gpu import limits
from benchmarks.gpu.journal import Journal, Record

SECONDS: Mapping[str, float] = {
    "equality": 120,
    "clean": 20,
    "faulty": 25,
    "detection": 15,
    "sweep": 60,
    "fig13": 75,
    "models": 50,
    "training": 80,
}
"""The limit of each part, in seconds."""

LAST = "training"
"""The part that takes what is left."""

ASKED_FOR: Mapping[str, float] = {"tune": 90}
"""Parts that run only where they are named."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """A run: `began` and `until` are of the monotonic clock, limits are `stretched` so many times."""

    device: torch.device
    journal: Journal
    tiny: bool
    began: float
    until: float
    stretched: float = 1.0

    def keep(self, part: str, record: Record) -> None:
        """Keep a record of a part, with the seconds since the run began."""
        self.journal.add({"part": part, "at": round(time.monotonic() - self.began, 1), **record})

    def limit(self, part: str) -> float:
        """Seconds that a part may take now: the last one all that are left."""
        left = self.until - time.monotonic()
        return left if part == LAST else min({**SECONDS, **ASKED_FOR}[part] * self.stretched, left)


def run(names: Sequence[str], course: Course) -> list[str]:
    """Run parts one after another -> those that are left.

    Some are left where an error has taken the device away from this process: another must run them.
    """
    for place, name in enumerate(names):
        if (limit := course.limit(name)) <= 5:
            course.keep(name, {"skipped": "no time was left"})
            continue
        part(name, course, limit=limit)
        if not alive(course.device):
            return list(names[place + 1 :])
    return []


def part(name: str, course: Course, *, limit: float) -> None:
    """Run one part, and keep what it yields, the error that ends it, and how long it took."""
    start = time.monotonic()
    limits.begin(limit)
    try:
        module = importlib.import_module(f"benchmarks.gpu.{name}")
        for record in module.measure(course.device, tiny=course.tiny):
            course.keep(name, record)
            if limits.left() <= 0:
                course.keep(name, {"stopped": f"after its {limit:.0f} s"})
                break
    except Exception as error:
        trace = traceback.format_exc()
        course.keep(name, {"error": f"{type(error).__name__}: {str(error)[:2000]}", "text": trace})
        print(trace, file=sys.stderr, flush=True)
    course.keep(name, {"seconds": round(time.monotonic() - start, 1)})
    gc.collect()
    if course.device.type == "cuda" and alive(course.device):
        torch.cuda.empty_cache()


def alive(device: torch.device) -> bool:
    """Whether the device still computes for this process: after an access out of bounds it does not."""
    try:
        return int(torch.ones(1, device=device).sum().item()) == 1
    except RuntimeError:
        return False
