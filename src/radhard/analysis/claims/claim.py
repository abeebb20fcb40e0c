"""A claim of the paper, what was found of it, and the verdict."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict, get_args

from radhard.analysis.claims.evidence import Evidence
from radhard.analysis.intervals import Interval

ClaimVerdict = Literal["reproduced", "not reproduced", "cannot tell"]
CLAIM_VERDICTS: tuple[ClaimVerdict, ...] = get_args(ClaimVerdict)

SURE = 0.05
"""A corrected p-value of at most this decides."""


@dataclass(frozen=True, kw_only=True)
class PaperClaim:
    """One thing that the paper says: its `number`, the sentence in our words, where it stands, what is measured here.

    `needs`: the commands whose records judge it. `unit` is that of the statistic.
    """

    number: str
    says: str
    source: str
    measured: str
    needs: str
    unit: str


class JudgementRecord(TypedDict):
    """The verdict on a claim for one model or product; `p` and `p_holm` are null where all is counted."""

    claim: Annotated[dict[str, str], PaperClaim]
    subject: str
    verdict: str
    statistic: dict[str, float | None]
    n: int
    p: float | None
    p_holm: float | None
    family: int
    margin: float | None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The evidence on one `subject`, a model or a matrix product, from `n` images or products (0: none is sampled)."""

    subject: str
    evidence: Evidence
    n: int


@dataclass(frozen=True, kw_only=True)
class ClaimJudgement:
    """The verdict on a claim for one `subject`.

    `statistic`: the claim's, with its 95 % interval. `p`: two-sided; `p_holm`: corrected for all `family` tests that
    were made together; None where all is counted. `margin`: of a test of equivalence, in the claim's unit.
    """

    claim: PaperClaim
    subject: str
    verdict: ClaimVerdict
    statistic: Interval
    n: int
    p: float | None
    p_holm: float | None
    family: int
    margin: float | None

    def as_dict(self) -> JudgementRecord:
        """Ready for JSON; what is not known is null."""
        values = vars(self.statistic).items()
        return {
            "claim": vars(self.claim),
            "subject": self.subject,
            "verdict": self.verdict,
            "statistic": {name: value if math.isfinite(value) else None for name, value in values},
            "n": self.n,
            "p": self.p,
            "p_holm": self.p_holm,
            "family": self.family,
            "margin": self.margin,
        }


def verdict_of(evidence: Evidence, *, p_holm: float | None) -> ClaimVerdict:
    """What is decided; where both "for" and "against" would be, as beyond a margin, "for" is."""
    if p_holm is None:
        return "reproduced" if evidence.for_ == 0 else "not reproduced"
    if p_holm > SURE:
        return "cannot tell"
    factor = p_holm / evidence.p if evidence.p else 1.0
    return "reproduced" if 2 * evidence.for_ * factor <= SURE else "not reproduced"
