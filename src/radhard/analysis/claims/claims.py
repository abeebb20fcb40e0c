"""All claims of the paper, and what records say of them: `claims_of`."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from radhard.analysis.claims import (
    curve_claims,
    layer_claims,
    module_claims,
    patch_claims,
    plan_claims,
    product_claims,
    scheme_claims,
    size_claims,
    time_claims,
)
from radhard.analysis.claims.claim import ClaimJudgement, ClaimVerdict, Finding, PaperClaim, verdict_of
from radhard.analysis.claims.holm import holm
from radhard.analysis.claims.measured import MeasuredRecords, Record, measured_of

Find = Callable[[MeasuredRecords], Iterator[Finding]]

CLAIMS: Mapping[PaperClaim, Find] = {
    curve_claims.HELD: curve_claims.held,
    curve_claims.DROPS: curve_claims.drops,
    curve_claims.LATER: curve_claims.later,
    curve_claims.SMOOTHER: curve_claims.smoother,
    layer_claims.ALIKE: layer_claims.alike,
    module_claims.FRAGILE: module_claims.fragile,
    module_claims.NOT_NIL: module_claims.not_nil,
    module_claims.LOWER: module_claims.lower,
    module_claims.CONV: module_claims.conv,
    patch_claims.CENTRE: patch_claims.centre,
    patch_claims.EVEN: patch_claims.even,
    patch_claims.CENTRE_ALL: patch_claims.centre_all,
    patch_claims.EVEN_ALL: patch_claims.even_all,
    size_claims.INTERIOR: size_claims.interior,
    size_claims.SLOWLY: size_claims.slowly,
    size_claims.LARGER: size_claims.larger,
    product_claims.SHRINKS: product_claims.shrinks,
    product_claims.DEARER: product_claims.dearer,
    product_claims.SHORTER: product_claims.shorter,
    plan_claims.RECOVERS: plan_claims.recovers,
    plan_claims.ALONE: plan_claims.alone,
    plan_claims.SAME: plan_claims.same,
    scheme_claims.GROWS: scheme_claims.grows,
    scheme_claims.AS_GOOD: scheme_claims.as_good,
    scheme_claims.CHEAPER: scheme_claims.cheaper,
    scheme_claims.MORE: scheme_claims.more,
    scheme_claims.FEWER: scheme_claims.fewer,
    time_claims.QUICKER_TMR: time_claims.quicker_tmr,
    time_claims.QUICKER: time_claims.quicker,
    time_claims.RECOVERY: time_claims.recovery,
    time_claims.DETECTION: time_claims.detection,
    product_claims.LOW: product_claims.low,
    product_claims.FAR: product_claims.far,
}
"""Each claim, in the paper's order, and what finds the evidence on it."""


def claims_of(records: Iterable[Record]) -> tuple[ClaimJudgement, ...]:
    """Judge the claims by records of commands (what --json prints, or one model's record of it), as far as they go.

    A judgement for each claim and model, or product; claims for which nothing was measured have none. One family of
    tests, which Holm's correction is for, is all of one call: all models and claims whose evidence is sampled. What is
    counted, or follows from a formula, takes no part in it.

    >>> claims_of([])
    ()
    """
    measured = measured_of(records)
    found = [(claim, finding) for claim, find in CLAIMS.items() for finding in find(measured)]
    tested = [place for place, (_, finding) in enumerate(found) if not finding.evidence.counted]
    corrected = dict(zip(tested, holm([found[place][1].evidence.p for place in tested]), strict=True))
    return tuple(
        _judged(claim, finding, p_holm=corrected.get(place), family=len(tested))
        for place, (claim, finding) in enumerate(found)
    )


def _judged(claim: PaperClaim, finding: Finding, *, p_holm: float | None, family: int) -> ClaimJudgement:
    evidence = finding.evidence
    return ClaimJudgement(
        claim=claim,
        subject=finding.subject,
        verdict=verdict_of(evidence, p_holm=p_holm),
        statistic=evidence.shown.interval,
        n=finding.n,
        p=None if p_holm is None else evidence.p,
        p_holm=p_holm,
        family=family if p_holm is not None else 0,
        margin=evidence.margin,
    )


@dataclass(frozen=True, kw_only=True)
class ClaimSummary:
    """A claim and its judgements; `verdict` None where nothing was measured for it.

    Reproduced if it is so for every subject; not reproduced if it is refuted for one or more; else it cannot be told.
    """

    claim: PaperClaim
    judgements: tuple[ClaimJudgement, ...]

    @property
    def verdict(self) -> ClaimVerdict | None:
        """That of the claim as it is said, of all subjects."""
        counts = Counter(each.verdict for each in self.judgements)
        if not counts:
            return None
        if counts["not reproduced"]:
            return "not reproduced"
        return "cannot tell" if counts["cannot tell"] else "reproduced"


def summaries_of(judgements: Iterable[ClaimJudgement]) -> tuple[ClaimSummary, ...]:
    """All claims in the paper's order, with what was found of each."""
    given = tuple(judgements)
    return tuple(
        ClaimSummary(claim=claim, judgements=tuple(each for each in given if each.claim == claim)) for claim in CLAIMS
    )
