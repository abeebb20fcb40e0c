"""The account of a protected operator: what its checks found, what was done about it, and what that took."""

from dataclasses import dataclass, field, fields

from radhard.protection.operations import Operations


@dataclass(frozen=True, kw_only=True)
class Account:
    """Counts of one application or, added up, of many.

    An account counts each image by itself: that of a batch is the sum of those of its images.

    A product is checked as a whole (`checks`, `alarms`; where words are checked one by one, an alarm is an image with a
    word that is off), then in blocks, of which some are `flagged`: each of these is `repaired` (put right from
    checksums), `recomputed` (at least in part), `spared` (no single error in it moves an output word by half a step),
    `cleared` (nothing is wrong in it: the check itself was hit), `one_sided` (rows or columns alone are off, and
    nothing was touched) or `left` as it is. `stale` counts the times that stored sums were found to disagree with the
    weight. `hidden` are operations that a scheme supposes to be free; all others are in `executed`.
    """

    checks: int = 0
    alarms: int = 0
    flagged: int = 0
    repaired: int = 0
    recomputed: int = 0
    spared: int = 0
    cleared: int = 0
    one_sided: int = 0
    left: int = 0
    stale: int = 0
    executed: Operations = field(default_factory=Operations)
    hidden: Operations = field(default_factory=Operations)

    def __add__(self, other: "Account") -> "Account":
        return Account(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})
