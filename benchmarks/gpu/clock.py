"""How long steps take on a device, one after another, by its own clock: what the host does meanwhile is not in it."""

import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

_AHEAD = 8_000_000  # cycles that the device sleeps before a round: some 4 ms, in which the host gets ahead of it
_CACHE = 128 << 20  # bytes written before each round, more than the L2 cache holds
Seconds = dict[str, NDArray[np.float64]]


def laps(steps: Mapping[str, Callable[[], object]], *, device: torch.device, rounds: int) -> Seconds:
    """The steps in order, so many `rounds` after one that is not counted -> seconds of each [rounds].

    Each round begins with caches that hold nothing of it; within a round a step finds what the last one left there. No
    step may wait for the device.
    """
    if device.type != "cuda":
        return _on_host(steps, rounds=rounds)
    cold = torch.empty(_CACHE, dtype=torch.int8, device=device)
    found: list[list[torch.cuda.Event]] = []
    for turn in range(rounds + 1):
        cold.zero_()
        torch.cuda._sleep(_AHEAD)  # type: ignore[no-untyped-call]
        events = [torch.cuda.Event(enable_timing=True) for _ in range(len(steps) + 1)]
        events[0].record()
        for event, step in zip(events[1:], steps.values(), strict=True):
            step()
            event.record()
        if turn:
            found.append(events)
        else:  # compiled, and allocated
            torch.cuda.synchronize(device)
    torch.cuda.synchronize(device)
    return {
        name: np.array([events[place].elapsed_time(events[place + 1]) / 1e3 for events in found])
        for place, name in enumerate(steps)
    }


def _on_host(steps: Mapping[str, Callable[[], object]], *, rounds: int) -> Seconds:
    """The same by the wall clock."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if turn:
                found[name].append(time.perf_counter() - start)
    return {name: np.array(each) for name, each in found.items()}
