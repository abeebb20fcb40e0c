"""Cases timed on a device: by turns, each round awaited, in as many rounds as the seconds allow."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch

from benchmarks.gpu.journal import Record
from benchmarks.turns import take_turns

MOST, LEAST = 40, 3


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The median of some values, their quartiles, and their number."""

    median: float
    low: float
    high: float
    rounds: int


def spread(values: np.ndarray) -> Spread:
    """`values` [R] -> Spread."""
    low, median, high = np.percentile(values, (25, 50, 75))
    return Spread(median=float(median), low=float(low), high=float(high), rounds=len(values))


def awaited(case: Callable[[], object], device: torch.device) -> Callable[[], None]:
    """The case, until the device has done it."""

    def run() -> None:
        case()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return run


def timed(
    cases: Mapping[str, Callable[[], object]], *, base: str, device: torch.device, seconds: float
) -> dict[str, Record]:
    """Seconds of each case by round, and its ratio to the case `base` by round; what is compiled is so before."""
    calls = {name: awaited(case, device) for name, case in cases.items()}
    rounds = 1
    if device.type == "cuda":
        for call in calls.values():
            call()
        start = time.perf_counter()
        for call in calls.values():
            call()
        once = time.perf_counter() - start
        rounds = int(min(MOST, max(LEAST, seconds / once - 1)))
    times = take_turns(calls, rounds=rounds)
    return {
        name: {
            "seconds": asdict(spread(found.wall)),
            f"over_{base}": asdict(spread(found.wall / times[base].wall)),
        }
        for name, found in times.items()
    }


def peak(case: Callable[[], object], device: torch.device) -> int:
    """Bytes that the device's memory in use rises above its rest while the case runs; 0 where there is none."""
    if device.type != "cuda":
        return 0
    rest = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    awaited(case, device)()
    return torch.cuda.max_memory_allocated(device) - rest
