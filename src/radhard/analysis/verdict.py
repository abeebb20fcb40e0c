"""What became of one protected product that was hit: a verdict, and verdicts counted with their intervals."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from radhard.analysis.intervals import Interval, wilson

Verdict = Literal["masked", "harmless", "repaired", "detected", "silent"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One product: its verdict, and how many words a repair made wrong that were sound without it.

    masked     no alarm, and the accumulators are as they would be without the fault: there is nothing to find
    harmless   no alarm, and the accumulators are off, but all words that are written back are right
    repaired   an alarm, and all words are right
    detected   an alarm, and words are wrong
    silent     no alarm, and words are wrong
    """

    verdict: Verdict
    spoiled: int = 0


def judge(*, clean: Tensor, bare: Tensor, out: Tensor, changed: bool, alarms: int) -> Trial:
    """The words of a product [...] without the fault, with it and no protection, and with both; alarms raised.

    `changed` says whether the fault changed an accumulator.
    """
    wrong = out != clean
    spoiled = int((wrong & (bare == clean)).sum())
    if alarms:
        return Trial(verdict="detected" if bool(wrong.any()) else "repaired", spoiled=spoiled)
    if bool(wrong.any()):
        return Trial(verdict="silent", spoiled=spoiled)
    return Trial(verdict="harmless" if changed else "masked", spoiled=spoiled)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Trials counted by verdict, in the order of VERDICTS; `spoiled` had a sound word made wrong."""

    counts: tuple[int, ...]
    spoiled: int

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

    def __add__(self, other: "Tally") -> "Tally":
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        return Tally(counts=counts, spoiled=self.spoiled + other.spoiled)


def tally(trials: Iterable[Trial]) -> Tally:
    """Count trials."""
    seen = list(trials)
    found = Counter(trial.verdict for trial in seen)
    return Tally(counts=tuple(found[verdict] for verdict in VERDICTS), spoiled=sum(trial.spoiled > 0 for trial in seen))
