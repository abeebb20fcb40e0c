"""float32 words in plain Python: rounding, flips, and arithmetic that yields one word at a time.

A float32 is held by the Python float of the same value. One operation in double followed by rounding is the
correctly rounded float32 operation for +, *, / and sqrt; exp, erf and tanh are within half a unit in the last
place and a hair. Faults are (kind, index, bit). Every NaN is 0x7FC00000 before a
bit of it flips.
"""

import ctypes
import math
from collections.abc import Callable, Iterable

Fault = tuple[str, int, int]


def rounded(value: float) -> float:
    return ctypes.c_float(value).value


def flipped(value: float, mask: int) -> float:
    if mask == 0:
        return value
    pattern = 0x7FC00000 if math.isnan(value) else int.from_bytes(ctypes.c_float(value), "little")
    pattern ^= mask
    return ctypes.c_float.from_buffer_copy(pattern.to_bytes(4, "little")).value


def masks_of(faults: Iterable[Fault]) -> dict[tuple[str, int], int]:
    """Faults by address; two flips of one bit cancel."""
    masks: dict[tuple[str, int], int] = {}
    for kind, index, bit in faults:
        masks[kind, index] = masks.get((kind, index), 0) ^ 2**bit
    return masks


class Words:
    """Yields the words of a site in the order in which they are asked for; each kind is counted from 0."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.masks = masks_of(faults)
        self.executed = {"mul": 0, "add": 0, "special": 0}

    def _word(self, kind: str, value: float) -> float:
        index = self.executed[kind]
        self.executed[kind] += 1
        return flipped(rounded(value), self.masks.get((kind, index), 0))

    def mul(self, x: float, y: float) -> float:
        return self._word("mul", x * y)

    def add(self, x: float, y: float) -> float:
        return self._word("add", x + y)

    def special(self, function: Callable[[float], float], x: float) -> float:
        return self._word("special", function(x))

    def finish(self) -> None:
        """A fault that hit nothing is a mistake of the test that wrote it."""
        for kind, index in self.masks:
            if index >= self.executed.get(kind, 0):
                raise ValueError(f"no {kind} has index {index}; this site executes {self.executed}")


def exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def reciprocal(x: float) -> float:
    return math.copysign(math.inf, x) if x == 0 else 1 / x


def reciprocal_root(x: float) -> float:
    return math.nan if x < 0 else reciprocal(math.sqrt(x))
