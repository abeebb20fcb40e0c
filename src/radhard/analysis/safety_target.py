"""Targets of functional safety, whether an FMEDA meets one, and what must be protected for it.

| target | SPFM or SFF | PMHF or PFH | from |
|---|---|---|---|
| asil-b | 90 % | 100 FIT | ISO 26262-5:2018 |
| asil-c | 97 % | 100 FIT | ISO 26262-5:2018 |
| asil-d | 99 % | 10 FIT | ISO 26262-5:2018 |
| sil-2 | 90 % | 1000 FIT | IEC 61508:2010, SFF of type B at hardware fault tolerance 0 |
| sil-3 | 99 % | 100 FIT | IEC 61508:2010, SFF of type B at hardware fault tolerance 0 |

A rate of a target is that of a whole item or safety function: its other parts take their share of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from radhard.analysis.fmeda import Fmeda
from radhard.errors import InputError

TargetName = Literal["asil-b", "asil-c", "asil-d", "sil-2", "sil-3"]
Reached = Literal["met", "not met", "cannot tell"]


@dataclass(frozen=True, kw_only=True)
class SafetyTarget:
    """At least the single-point fault metric `spfm`, at most the residual rate `fit`, as `standard` has it.

    `metrics` are its names of the two.
    """

    name: TargetName
    spfm: float
    fit: float
    standard: str
    metrics: tuple[str, str]

    def budget(self, fmeda: Fmeda) -> float:
        """The largest residual FIT at which both hold."""
        return min(self.fit, (1 - self.spfm) * fmeda.raw)

    def verdict(self, fmeda: Fmeda) -> Reached:
        """Whether the target is met: by the upper limit of the residual rate; not met by its lower limit."""
        residual, budget = fmeda.residual, self.budget(fmeda)
        if residual.high <= budget:
            return "met"
        return "not met" if residual.low > budget else "cannot tell"


TARGETS: Mapping[TargetName, SafetyTarget] = {
    each.name: each
    for each in (
        SafetyTarget(name="asil-b", spfm=0.90, fit=100, standard="ISO 26262-5:2018", metrics=("SPFM", "PMHF")),
        SafetyTarget(name="asil-c", spfm=0.97, fit=100, standard="ISO 26262-5:2018", metrics=("SPFM", "PMHF")),
        SafetyTarget(name="asil-d", spfm=0.99, fit=10, standard="ISO 26262-5:2018", metrics=("SPFM", "PMHF")),
        SafetyTarget(name="sil-2", spfm=0.90, fit=1000, standard="IEC 61508:2010", metrics=("SFF", "PFH")),
        SafetyTarget(name="sil-3", spfm=0.99, fit=100, standard="IEC 61508:2010", metrics=("SFF", "PFH")),
    )
}


@dataclass(frozen=True, kw_only=True)
class Need:
    """The parts that must be covered further, and the DC that covers enough: of what is left of them now."""

    parts: tuple[str, ...]
    dc: float


def needed(fmeda: Fmeda, target: SafetyTarget) -> Need | None:
    """The fewest parts whose further coverage reaches a target by the upper limits; None where it is met.

    Parts are taken by the upper limits of their residual rates, the highest first. Their DC is the share that must go
    of what is left of them together, by the upper limits.

    >>> from radhard.analysis.fmeda import FmedaPart
    >>> parts = (FmedaPart(name="sum", bits=10**6, fit_per_mbit=30), FmedaPart(name="a", bits=10**6, fit_per_mbit=5))
    >>> needed(Fmeda(parts=parts), target_of("asil-b"))  # 3.5 of 35 FIT may be left; without `sum` there are 5
    Need(parts=('sum', 'a'), dc=0.9)
    """
    left, budget = fmeda.residual.high, target.budget(fmeda)
    if left <= budget:
        return None
    taken, names = 0.0, list[str]()
    for part in sorted(fmeda.parts, key=lambda each: -each.residual.high):
        taken, left = taken + part.residual.high, left - part.residual.high
        names.append(part.name)
        if left <= budget:
            break
    return Need(parts=tuple(names), dc=1 - (budget - max(0.0, left)) / taken)


def target_of(name: str) -> SafetyTarget:
    """The target of a name. InputError if there is none."""
    for known, target in TARGETS.items():
        if name.lower() == known:
            return target
    raise InputError(f"--target {name}: choose from {', '.join(TARGETS)}")
