"""The events of checks and what they count, in schemes on a machine and in deployed modules alike.

A deployed module keeps seven counters at each site, [7] int64 in the order of `EVENTS` (`radhard.kernels.library`).
"""

from dataclasses import dataclass, fields
from typing import Self

EVENTS = ("checks", "alarms", "flagged", "repaired", "false_alarms", "corrupted", "uncorrected")
"""What deployed modules count: the `counted` events of their calls, added up."""


@dataclass(frozen=True, kw_only=True)
class Events:
    """Counts of one application or, added up, of many.

    Rows of a product, whole products, or words are checked (`checks`); `alarms` are the images, or the products, in
    which a check did not add up. Rows, words or, of whole products, blocks that were found wrong are `flagged`. Each of
    these is `repaired` (put right from checksums, by a vote or by a bound), `recomputed` (at least in part), `excluded`
    (no single error in it moves an output word by half a step), a false alarm (nothing is wrong in it: the check itself
    was hit), `inconsistent` (rows or columns alone are off, and nothing was touched) or `uncorrected`. `corrupted`
    counts the times that stored sums were found to disagree with the weight.

    >>> found = Events(checks=4, alarms=2, flagged=3, recomputed=1, inconsistent=2)
    >>> dict(zip(EVENTS, found.counted, strict=True))["uncorrected"]
    2
    """

    checks: int = 0
    alarms: int = 0
    flagged: int = 0
    repaired: int = 0
    recomputed: int = 0
    excluded: int = 0
    false_alarms: int = 0
    inconsistent: int = 0
    uncorrected: int = 0
    corrupted: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @property
    def unrepaired(self) -> int:
        """Flagged, wrong, and left so."""
        return self.inconsistent + self.uncorrected

    @property
    def counted(self) -> tuple[int, ...]:
        """What one call of a deployed module adds to its counters, in the order of `EVENTS`.

        It does not know which rows are whose image, so `alarms` is 1 for a call with any; `corrupted` is 1 likewise.
        What was repaired in whatever way is one number, and so is what was left.
        """
        return (
            self.checks,
            min(1, self.alarms),
            self.flagged,
            self.repaired + self.recomputed,
            self.false_alarms,
            min(1, self.corrupted),
            self.unrepaired,
        )
