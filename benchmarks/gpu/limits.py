"""How long the part that runs may still take."""

import math
import time
from contextvars import ContextVar

_UNTIL: ContextVar[float] = ContextVar("until", default=math.inf)


def begin(seconds: float) -> None:
    """From now on the part has so many seconds."""
    _UNTIL.set(time.monotonic() + seconds)


def left() -> float:
    """Seconds that are left; infinite outside a run."""
    return _UNTIL.get() - time.monotonic()
