"""Verdicts on a protected product under a fault: masked, benign, corrected, DUE or SDC, counted with intervals."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from radhard.analysis.intervals import Interval, wilson

Verdict = Literal["masked", "benign", "corrected", "DUE", "SDC"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One product: its verdict, and how many words a repair miscorrected: made wrong that were sound without it.

    masked     no alarm, and the accumulators are as they would be without the fault: there is nothing to find
    benign     no alarm, and the accumulators are off, but all words that are written back are right
    corrected  an alarm, and all words are right
    DUE        detected, uncorrected: an alarm, and words are wrong
    SDC        silent data corruption: no alarm, and words are wrong
    """

    verdict: Verdict
    miscorrected: int = 0


def judge(*, clean: Tensor, bare: Tensor, out: Tensor, changed: bool, alarms: int) -> Trial:
    """The words of a product [...] without the fault, with it and no protection, and with both; alarms raised.

    `changed` says whether the fault changed an accumulator.
    """
    wrong = out != clean
    miscorrected = int((wrong & (bare == clean)).sum())
    if alarms:
        return Trial(verdict="DUE" if bool(wrong.any()) else "corrected", miscorrected=miscorrected)
    if bool(wrong.any()):
        return Trial(verdict="SDC", miscorrected=miscorrected)
    return Trial(verdict="benign" if changed else "masked", miscorrected=miscorrected)


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """Trials counted by verdict, in the order of VERDICTS; `miscorrected` had a sound word made wrong."""

    counts: tuple[int, ...]
    miscorrected: int

    @property
    def n(self) -> int:
        """Trials."""
        return sum(self.counts)

    def count(self, *verdicts: Verdict) -> int:
        """Trials with one of these verdicts."""
        return sum(self.counts[VERDICTS.index(verdict)] for verdict in verdicts)

    def share(self, *verdicts: Verdict) -> Interval:
        """Their share of all trials, and Wilson's 95 % interval."""
        return wilson(self.count(*verdicts) / self.n if self.n else 0.0, n=self.n)

    def __add__(self, other: "Verdicts") -> "Verdicts":
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        return Verdicts(counts=counts, miscorrected=self.miscorrected + other.miscorrected)


def count_verdicts(trials: Iterable[Trial]) -> Verdicts:
    """Count trials."""
    seen = list(trials)
    found = Counter(trial.verdict for trial in seen)
    return Verdicts(
        counts=tuple(found[verdict] for verdict in VERDICTS), miscorrected=sum(trial.miscorrected > 0 for trial in seen)
    )
