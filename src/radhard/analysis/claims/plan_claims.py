"""Claims 8 and 9a: what plans of LB-ABFT and ranges give, and what ranges cost."""

from collections.abc import Iterator

from radhard.analysis.claims.claim import Finding, PaperClaim
from radhard.analysis.claims.evidence import Statistic, above, all_of, counted, estimate_in, estimate_of, within
from radhard.analysis.claims.measured import MeasuredRecords, Record, at_rates

_NEEDS = "plan --scheme lb-abft, then evaluate"
RECOVERS = PaperClaim(
    number="8a",
    says="LB-ABFT with ranges mostly recovers accuracy even where the unprotected model loses more than 50 %",
    source="Sec. IV-C, Fig. 9",
    measured="at each rate that costs half the accuracy or more: accuracy with the plan, relative to clean, less the "
    "middle between unprotected and clean",
    needs=_NEEDS,
    unit="% of clean accuracy",
)
ALONE = PaperClaim(
    number="8b",
    says="Ranges alone recover next to nothing there: accuracy stays near that without protection",
    source="Sec. IV-C, Fig. 9",
    measured="accuracy with ranges alone less that with none, at each such rate; equivalent to 0 within 5 points",
    needs=_NEEDS,
    unit="points",
)
SAME = PaperClaim(
    number="9a",
    says="The overhead of ranges does not depend on the bit error rate",
    source="Sec. IV-C, Fig. 10",
    measured="greatest less least share of the model's operations that ranges execute, over the rates",
    needs=_NEEDS,
    unit="%",
)
HALF_LOST = 0.5
NOTHING = 5.0
"""Points: a gain that is surely below is next to nothing."""
_ALIKE = 1e-9


def recovers(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 8a for each model."""
    for model, record in measured.plans.items():
        parts = []
        for found in _costly(record).values():
            bare, planned = (_relative(found[name]) for name in ("unprotected", whole_plan(found)))
            middle = (bare + Statistic(value=1.0, error=0.0)).times(0.5)
            parts.append(above((planned - middle).times(100)))
        if parts:
            yield Finding(subject=model, evidence=all_of(parts), n=record["images"])


def alone(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 8b for each model that has ranges."""
    for model, record in measured.plans.items():
        gains = [found["ranges only"]["gain"] for found in _costly(record).values() if "ranges only" in found]
        if gains:
            parts = [within(estimate_in(gain).times(100), NOTHING) for gain in gains]
            yield Finding(subject=model, evidence=all_of(parts), n=record["images"])


def same(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 9a for each model."""
    for model, record in measured.plans.items():
        shares = [
            found["ranges only"]["overhead"]["share"] for found in at_rates(record).values() if "ranges only" in found
        ]
        if len(shares) > 1:
            apart = max(shares) - min(shares)
            yield Finding(subject=model, evidence=counted(100 * apart, holds=apart <= _ALIKE), n=record["images"])


def whole_plan(found: dict[str, Record]) -> str:
    """The configuration that is the whole plan: ranges and products, or what it has of these."""
    return next(name for name in ("both", "products only", "ranges only") if name in found)


def _costly(record: Record) -> dict[float, dict[str, Record]]:
    """The rates at which half of the accuracy is lost without protection, by the estimate."""
    return {
        ber: found
        for ber, found in at_rates(record).items()
        if found["unprotected"]["relative"] is not None and found["unprotected"]["relative"] < HALF_LOST
    }


def _relative(row: Record) -> Statistic:
    return estimate_of(row["relative"], low=row["relative_low"], high=row["relative_high"])
