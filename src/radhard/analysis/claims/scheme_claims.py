"""Claims 9b and 10: LB-ABFT against other schemes, under the same faults."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from statistics import NormalDist

from radhard.analysis.claims.claim import Finding, PaperClaim
from radhard.analysis.claims.evidence import (
    Evidence,
    Statistic,
    above,
    all_of,
    counted,
    estimate_in,
    estimate_of,
    within,
)
from radhard.analysis.claims.measured import MeasuredRecords, Record, at_rates

GROWS = PaperClaim(
    number="9b",
    says="The overhead of LB-ABFT grows with the bit error rate",
    source="Sec. IV-C, Fig. 10",
    measured="executed overhead of LB-ABFT on the same products: at each rate less that at the one before",
    needs="compare",
    unit="%",
)
AS_GOOD = PaperClaim(
    number="10a",
    says="LB-ABFT is as accurate as layer-wise TMR",
    source="Sec. IV-C, Fig. 11",
    measured="accuracy with LB-ABFT less that with TMR at every rate; equivalent to 0 within 2 points",
    needs="compare",
    unit="points",
)
CHEAPER = PaperClaim(
    number="10b",
    says="Its overhead is much smaller than that of TMR",
    source="Sec. IV-C, Fig. 12",
    measured="half of TMR's executed overhead less LB-ABFT's, at every rate",
    needs="compare",
    unit="%",
)
MORE = PaperClaim(
    number="10c",
    says="LB-ABFT is more accurate than standard and intensity-guided ABFT at every bit error rate",
    source="Sec. IV-C, Fig. 11",
    measured="accuracy with LB-ABFT less that with each of the two, at every rate",
    needs="compare",
    unit="points",
)
FEWER = PaperClaim(
    number="10d",
    says="It takes much fewer multiplications than these two at every bit error rate",
    source="Sec. IV-C, Fig. 12",
    measured="multiplications of LB-ABFT over those of either scheme, greatest over rates; below 1",
    needs="compare",
    unit="times",
)
OURS, TMR, OTHERS = "lb-abft", "tmr", ("standard-abft", "intensity-ideal", "intensity-measured")
MARGIN = 2.0


def grows(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 9b for each model."""
    for model, record in measured.schemes.items():
        shares = [_share(found[OURS]) for found in at_rates(record).values() if OURS in found]
        if len(shares) > 1:
            evidence = all_of([above(after - before) for before, after in pairwise(shares)])
            yield Finding(subject=model, evidence=evidence, n=record["images"])


def as_good(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 10a for each model."""
    yield from _each(measured, (TMR,), lambda record, ber, other: within(_apart(record, ber, other), MARGIN))


def more(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 10c for each model."""
    yield from _each(measured, OTHERS, lambda record, ber, other: above(_apart(record, ber, other)))


def cheaper(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 10b for each model."""

    def half(record: Record, ber: float, other: str) -> Evidence:
        found = at_rates(record)[ber]
        return above(_share(found[other]).times(0.5) - _share(found[OURS]))

    yield from _each(measured, (TMR,), half)


def fewer(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 10d for each model, by what was executed on average."""

    def ratio(record: Record, ber: float, other: str) -> Evidence:
        found = at_rates(record)[ber]
        times = found[OURS]["overhead"]["mul"] / found[other]["overhead"]["mul"]
        return counted(times, holds=times < 1)

    yield from _each(measured, OTHERS, ratio)


def _each(
    measured: MeasuredRecords, others: Sequence[str], evidence: Callable[[Record, float, str], Evidence]
) -> Iterator[Finding]:
    """A finding a model: the evidence holds at every rate against each of the others that protects a product there."""
    for model, record in measured.schemes.items():
        parts = [
            evidence(record, ber, other)
            for ber, found in at_rates(record).items()
            for other in others
            if OURS in found and other in found and not found[other]["note"].startswith("0 of ")
        ]
        if parts:
            yield Finding(subject=model, evidence=all_of(parts), n=record["images"])


def _share(row: Record) -> Statistic:
    """The executed overhead, in percent of the model's operations."""
    spent = row["overhead"]
    return estimate_of(spent["share"], low=spent["low"], high=spent["high"]).times(100)


def _apart(record: Record, ber: float, other: str) -> Statistic:
    """The accuracy of LB-ABFT less that of another, in points: paired where the record has the pair, else by losses."""
    for pair in record.get("pairs", ()):
        names = (pair["configuration"], pair["reference"])
        if pair["ber"] == ber and set(names) == {OURS, other}:
            limits, sign = pair["equivalence"], 1.0 if names[0] == OURS else -1.0
            z = NormalDist().inv_cdf(limits["level"])
            found = estimate_of(pair["difference"]["rate"], low=limits["low"], high=limits["high"], z=z)
            return found.times(100 * sign)
    found_at = at_rates(record)[ber]
    return (estimate_in(found_at[other]["loss"]) - estimate_in(found_at[OURS]["loss"])).times(100)
