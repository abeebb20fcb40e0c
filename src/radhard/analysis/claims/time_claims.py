"""Claims 10e and 11: what detection and recovery take, by operations and by time."""

from collections.abc import Callable, Iterator

from radhard.analysis.claims.claim import Finding, PaperClaim
from radhard.analysis.claims.evidence import all_of, counted
from radhard.analysis.claims.measured import MeasuredRecords, Record

_TIMED = "times of LB-ABFT and standard ABFT on a GPU (python -m benchmarks.gpu)"
QUICKER_TMR = PaperClaim(
    number="10e",
    says="LB-ABFT takes much less than TMR, by time on a GPU",
    source="Sec. IV-C, Figs. 12 and 13",
    measured="detection and recovery over the time of the product, greatest over batches and rates; at most 1: "
    "half of two more products",
    needs=_TIMED,
    unit="times",
)
QUICKER = PaperClaim(
    number="10f",
    says="LB-ABFT takes less than standard ABFT, by time on a GPU",
    source="Sec. IV-C, Figs. 12 and 13",
    measured="detection and recovery of LB-ABFT over those of standard ABFT, greatest over batches and rates; below 1",
    needs=_TIMED,
    unit="times",
)
RECOVERY = PaperClaim(
    number="11a",
    says="Recovery dominates standard ABFT",
    source="Sec. IV-C, Fig. 13",
    measured="share of recovery in it, least over the rates; above a half",
    needs="reproduce --figures 8, for operations; " + _TIMED,
    unit="%",
)
DETECTION = PaperClaim(
    number="11b",
    says="Detection dominates LB-ABFT",
    source="Sec. IV-C, Fig. 13",
    measured="share of detection in it, least over the rates; above a half",
    needs="reproduce --figures 8, for operations; " + _TIMED,
    unit="%",
)
OURS, STANDARD = "lb-abft", "standard-abft"


def quicker_tmr(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 10e by the times."""
    yield from _timed([_spent(row) / row["product"] for row in measured.times if row["scheme"] == OURS], most=1.0)


def quicker(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 10f by the times."""
    standard = {(row["batch"], row["ber"]): _spent(row) for row in measured.times if row["scheme"] == STANDARD}
    ratios = [
        _spent(row) / standard[row["batch"], row["ber"]]
        for row in measured.times
        if row["scheme"] == OURS and (row["batch"], row["ber"]) in standard
    ]
    yield from _timed(ratios, most=1.0)


def recovery(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 11a by operations for each model, and by the times."""
    yield from _dominates(measured, STANDARD, lambda row: row["recovery"])


def detection(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 11b by operations for each model, and by the times."""
    yield from _dominates(measured, OURS, lambda row: row["detection"])


def _spent(row: Record) -> float:
    return float(row["detection"] + row["recovery"])


def _timed(values: list[float], *, most: float) -> Iterator[Finding]:
    if values:
        evidence = all_of([counted(value, holds=value <= most) for value in values])
        yield Finding(subject="times on a GPU", evidence=evidence, n=0)


def _dominates(measured: MeasuredRecords, scheme: str, part: Callable[[Record], float]) -> Iterator[Finding]:
    of = {f"{model} (operations)": rows for model, rows in measured.shares.items()} | {"times on a GPU": measured.times}
    for subject, rows in of.items():
        shares = [100 * part(row) / _spent(row) for row in rows if row["scheme"] == scheme]
        if shares:
            evidence = all_of([counted(share, holds=share > 50) for share in shares])
            yield Finding(subject=subject, evidence=evidence, n=0)
