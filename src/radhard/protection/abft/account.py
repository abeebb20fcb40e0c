"""Counters of a protected operator: the events of its checks, and the operations they took."""

from dataclasses import dataclass, field, fields
from typing import Any

from radhard.kernels.events import Events
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
class Account(Events):
    """The events of one application or, added up, of many, and what they took.

    An account counts each image by itself: that of a batch is the sum of those of its images.

    `hidden` are operations that a scheme supposes to be free; all others are in `executed`. `residual` are words of
    protected outputs that a sound machine would not have yielded for the same inputs, where somebody compares
    (`Residual`).
    """

    residual: int = 0
    executed: Operations = field(default_factory=Operations)
    hidden: Operations = field(default_factory=Operations)

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
