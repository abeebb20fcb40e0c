"""Which intervals of 95 % hold: those after a number of trials fixed beforehand, or those after any look."""

from dataclasses import dataclass
from typing import Protocol

from radhard.analysis.confidence_sequences import (
    ALPHA,
    factor_at_any_look,
    relative_at_any_look,
    share_at_any_look,
)
from radhard.analysis.factor import factor, simultaneous_z
from radhard.analysis.intervals import Z_95, Interval, clustered
from radhard.analysis.relative import Counts, relative


class Intervals(Protocol):
    """How counts of each image, int64 [N], become intervals; of one rate among so many `together`, all hold."""

    def share(self, hits: Counts, *, trials: Counts, drawn: int | None = None, together: int = 1) -> Interval:
        """`hits` of `trials` -> their share in [0, 1]; `drawn`: trials of each image with those that do not count."""
        ...

    def relative(self, hits: Counts, *, trials: Counts, clean: Counts) -> Interval:
        """`hits` of `trials`, and whether it is right when `clean` (1 or 0) -> their ratio."""
        ...

    def factor(self, protected: Counts, *, plain: Counts, trials: Counts, together: int = 1) -> Interval:
        """Right answers `protected` and `plain` of `trials` -> their difference in [-1, 1]."""
        ...


@dataclass(frozen=True, kw_only=True)
class AtTheEnd:
    """Intervals for a number of trials that is fixed before the first one.

    >>> import numpy as np
    >>> hits, trials = np.tile([1, 4], 50), np.full(100, 4)
    >>> AtTheEnd().share(hits, trials=trials).width < AtAnyLook().share(hits, trials=trials).width
    True
    """

    def share(self, hits: Counts, *, trials: Counts, drawn: int | None = None, together: int = 1) -> Interval:
        """Wilson's interval at the effective size; trials that do not count take no part in it."""
        del drawn
        return clustered(hits, trials=trials, z=_z(together))

    def relative(self, hits: Counts, *, trials: Counts, clean: Counts) -> Interval:
        """Fieller's interval, images being the sample."""
        return relative(hits, trials=trials, clean=clean)

    def factor(self, protected: Counts, *, plain: Counts, trials: Counts, together: int = 1) -> Interval:
        """The interval of paired differences, images being the sample."""
        return factor(protected, plain=plain, trials=trials, z=_z(together))


@dataclass(frozen=True, kw_only=True)
class AtAnyLook:
    """Intervals that hold after every trial together: for trials that end where an interval is narrow enough.

    >>> import numpy as np
    >>> AtAnyLook().share(np.full(100, 4), trials=np.full(100, 4)).high
    1.0
    """

    def share(self, hits: Counts, *, trials: Counts, drawn: int | None = None, together: int = 1) -> Interval:
        """The confidence sequence of a share."""
        return share_at_any_look(hits, trials=trials, drawn=drawn, alpha=ALPHA / together)

    def relative(self, hits: Counts, *, trials: Counts, clean: Counts) -> Interval:
        """The confidence sequence of a ratio."""
        return relative_at_any_look(hits, trials=trials, clean=clean)

    def factor(self, protected: Counts, *, plain: Counts, trials: Counts, together: int = 1) -> Interval:
        """The confidence sequence of a difference."""
        return factor_at_any_look(protected, plain=plain, trials=trials, alpha=ALPHA / together)


AT_THE_END, AT_ANY_LOOK = AtTheEnd(), AtAnyLook()


def _z(together: int) -> float:
    return Z_95 if together == 1 else simultaneous_z(together)
