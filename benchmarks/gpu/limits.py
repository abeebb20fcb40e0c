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


def at_least(seconds: float) -> None:
    """Give the part so many more seconds if it has fewer: what it has found is told, however late it is."""
    if left() < seconds:
        begin(seconds)


def more(seconds: float) -> None:
    """Give the part so many more seconds: it has waited so long for what others prepare."""
    _UNTIL.set(_UNTIL.get() + seconds)
