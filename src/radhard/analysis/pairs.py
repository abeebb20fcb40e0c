"""Paired comparison of schemes with one baseline: accuracy differences on the same images and faults.

A difference has the clustered interval of `factor`, for all pairs at one bit error rate together (Bonferroni).
Intervals of two accuracies that overlap say nothing of their difference; and a difference that is not told from 0 is no
proof that two are alike. That takes a test of equivalence: two are alike within a margin if "worse by the margin or
more" and "better by the margin or more" are both rejected (two one-sided tests: Schuirmann, Journal of Pharmacokinetics
and Biopharmaceutics 15, 1987), here by the exact limits of `noninferiority`, each at the share of 5 % that a pair has.
"""

from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from radhard.analysis.factor import factor, simultaneous_z
from radhard.analysis.intervals import Interval, Rates
from radhard.analysis.noninferiority import LEVEL, differences, upper_limit
from radhard.campaign.experiment import Setting
from radhard.campaign.outcomes import Tally
from radhard.errors import InputError

MARGIN = 0.02
"""Two schemes are alike if their accuracies differ by less than this share, unless another is asked for."""

Relation = Literal["equivalent", "better", "worse", "cannot tell"]
RELATIONS: tuple[Relation, ...] = get_args(Relation)


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """Each configuration is compared with the one that is named `reference`, and is alike within `margin`, a share."""

    reference: str
    margin: float = MARGIN

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1:
            raise InputError(f"a margin of {100 * self.margin:g} points is not between 0 and 100: give some 2")


class Equivalence(TypedDict):
    """The one-sided limits of a difference, and the margin within which two are equivalent."""

    low: float
    high: float
    level: float
    margin: float


class PairRecord(TypedDict):
    """The accuracy of a configuration minus that of the reference, under the same faults on the same images."""

    configuration: str
    reference: str
    ber: float | None
    flips_an_inference: int | None
    n: int
    difference: Rates
    equivalence: Equivalence
    relation: Relation


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The accuracy of `configuration` minus that of `reference` at one `ber`, over `n` pairs of answers.

    Of a number of flips an inference, `flips_an_inference`, there is no `ber`.

    `difference` has an interval that holds for all pairs at this rate together in 95 %; `limits` are the two one-sided
    ones of equivalence, and their rate the same. `level`: the confidence of each of these.
    """

    configuration: str
    reference: str
    ber: float | None
    n: int
    difference: Interval
    limits: Interval
    level: float
    margin: float
    flips_an_inference: int | None = None

    @property
    def amount(self) -> float:
        """The bit error rate, or the number of flips an inference."""
        return self.flips_an_inference or self.ber or 0.0

    @property
    def relation(self) -> Relation:
        """Equivalent by the one-sided limits; else better or worse if the interval leaves out 0."""
        if -self.margin < self.limits.low and self.limits.high < self.margin:
            return "equivalent"
        if self.difference.low > 0:
            return "better"
        return "worse" if self.difference.high < 0 else "cannot tell"

    def as_dict(self) -> PairRecord:
        """Ready for JSON."""
        return {
            "configuration": self.configuration,
            "reference": self.reference,
            "ber": self.ber,
            "flips_an_inference": self.flips_an_inference,
            "n": self.n,
            "difference": {"rate": self.difference.rate, "low": self.difference.low, "high": self.difference.high},
            "equivalence": {
                "low": self.limits.low, "high": self.limits.high, "level": self.level, "margin": self.margin
            },
            "relation": self.relation,
        }  # fmt: skip


def pair(
    configuration: tuple[str, Tally], reference: tuple[str, Tally], *, setting: Setting, pairs: int, pairing: Pairing
) -> Pair:
    """Two names with their tallies, over the same images and trials; `pairs`: how many are told at this rate.

    `setting`: of the reference, whose faults are those of both.
    """
    (name, one), (other_name, other) = configuration, reference
    trials = one.trials * (one.trials == other.trials)  # of what both have in full
    known = trials > 0
    first, second = one.correct * known, other.correct * known
    level = 1 - (1 - LEVEL) / pairs
    difference = factor(first, plain=second, trials=trials, z=simultaneous_z(pairs))
    low = -upper_limit(differences(second, first, trials=trials), level=level)
    high = upper_limit(differences(first, second, trials=trials), level=level)
    return Pair(
        configuration=name,
        reference=other_name,
        ber=None if setting.flips else setting.ber,
        flips_an_inference=setting.flips or None,
        n=int(trials.sum()),
        difference=difference,
        limits=Interval(rate=difference.rate, low=low, high=high),
        level=level,
        margin=pairing.margin,
    )
