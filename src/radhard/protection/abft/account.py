"""Counters of a protected operator: alarms, repairs, and the operations they took."""

from dataclasses import dataclass, field, fields
from typing import Any

from radhard.protection.cost.operations import Operations

# events whose names in stores are older than the field's words
_STORED = {
    "excluded": "spared",
    "false_alarms": "cleared",
    "inconsistent": "one_sided",
    "uncorrected": "left",
    "corrupted": "stale",
}
_READ = {stored: name for name, stored in _STORED.items()}


@dataclass(frozen=True, kw_only=True)
class Account:
    """Counts of one application or, added up, of many.

    An account counts each image by itself: that of a batch is the sum of those of its images.

    A product is checked as a whole (`checks`, `alarms`; where words are checked one by one, an alarm is an image with
    a word that is off), then in blocks, of which some are `flagged`: each of these is `repaired` (put right from
    checksums), `recomputed` (at least in part), `excluded` (no single error in it moves an output word by half a step),
    a false alarm (nothing is wrong in it: the check itself was hit), `inconsistent` (rows or columns alone are off,
    and nothing was touched) or `uncorrected`. `corrupted` counts the times that stored sums were found to
    disagree with the weight. `hidden` are operations that a scheme supposes to be free; all others are in `executed`.
    `residual` are words of protected outputs that a sound machine would not have yielded for the same inputs, where
    somebody compares (`Residual`).
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
    residual: int = 0
    executed: Operations = field(default_factory=Operations)
    hidden: Operations = field(default_factory=Operations)

    def __add__(self, other: "Account") -> "Account":
        return Account(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, under the names that stores have; operations as whole numbers."""
        found: dict[str, Any] = {_STORED.get(f.name, f.name): getattr(self, f.name) for f in fields(self)}
        for name in ("executed", "hidden"):
            found[name] = {kind: round(value) for kind, value in vars(found[name]).items()}
        return found

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Account":
        """The inverse of `as_dict`."""
        operations = {name: Operations(**values[name]) for name in ("executed", "hidden")}
        return cls(**{_READ.get(name, name): value for name, value in (values | operations).items()})
