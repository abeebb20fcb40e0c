"""Cases that take turns, timed by the wall clock and by the processor time of this process."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds of one case in each round: `wall`, and `cpu`, which leaves out what the machine gave to others."""

    wall: np.ndarray
    cpu: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One case against another: of best wall times, of best processor times, the median of the latter by round."""

    wall: float
    cpu: float
    median: float

    def __str__(self) -> str:
        return f"{self.wall:.3f} / {self.cpu:.3f} / {self.median:.3f}"


def take_turns(cases: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, Times]:
    """Every case once a round, after one round that is not counted, starting with another case each round."""
    wall: dict[str, list[float]] = {name: [] for name in cases}
    cpu: dict[str, list[float]] = {name: [] for name in cases}
    names = list(cases)
    for turn in range(rounds + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            start, used = time.perf_counter(), time.process_time()
            cases[name]()
            used, spent = time.process_time() - used, time.perf_counter() - start
            if turn:
                wall[name].append(spent)
                cpu[name].append(used)
    return {name: Times(wall=np.array(wall[name]), cpu=np.array(cpu[name])) for name in cases}


def missed(found: Mapping[str, tuple[float, float]]) -> str:
    """Ratios and their targets by name -> a sentence that names each that is above its target."""
    above = [f"{name} ({value:.3f}, target {target:.2f})" for name, (value, target) in found.items() if value > target]
    return "Missed: " + "; ".join(above) + "." if above else "No target is missed."


def ratio(case: Times, base: Times) -> Ratio:
    """How long `case` takes in terms of `base`."""
    return Ratio(
        wall=float(case.wall.min() / base.wall.min()),
        cpu=float(case.cpu.min() / base.cpu.min()),
        median=float(np.median(case.cpu / base.cpu)),
    )
