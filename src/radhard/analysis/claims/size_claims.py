"""Claim 6: overhead and error of LB-ABFT over the size of its blocks, simulated."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from radhard.analysis.claims.claim import Finding, PaperClaim
from radhard.analysis.claims.evidence import Statistic, all_of, any_of, below, quantile
from radhard.analysis.claims.measured import MeasuredRecords, Record

_SOURCE, _NEEDS = "Sec. IV-A, Fig. 7", "reproduce --figures 7"
INTERIOR = PaperClaim(
    number="6a",
    says="The best block is neither too big nor too small",
    source=_SOURCE,
    measured="executed overhead (policy leave) of a size between the smallest and the largest, less that of both",
    needs=_NEEDS,
    unit="%",
)
SLOWLY = PaperClaim(
    number="6b",
    says="The error grows slowly for blocks of 22 to 40, and rapidly beyond",
    source=_SOURCE,
    measured="rise of the mean squared error an edge unit (policy leave): from 22 to 40, less that from 40 to 64",
    needs=_NEEDS,
    unit="steps^2",
)
LARGER = PaperClaim(
    number="6c",
    says="Larger blocks leave a larger error",
    source=_SOURCE,
    measured="mean squared error (policy leave) of edge 22 less that of 40, and of 40 less that of 64",
    needs=_NEEDS,
    unit="steps^2",
)
EDGES = (22, 40, 64)
POLICY = "leave"


def interior(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 6a for each product and rate."""
    for subject, points in _of_each(measured).items():
        spent = [_mean(point["executed"], n=point["n"]).times(100) for point in points]
        if len(spent) > 2:
            ends = (spent[0], spent[-1])
            evidence = any_of([all_of([below(one - end) for end in ends]) for one in spent[1:-1]])
            yield Finding(subject=subject, evidence=evidence, n=points[0]["n"])


def slowly(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 6b for each product and rate."""
    for subject, points in _of_each(measured).items():
        if (errors := _errors(points)) is not None:
            (a, low), (b, middle), (c, high) = errors
            rises = (middle - low).times(1 / (b - a)), (high - middle).times(1 / (c - b))
            yield Finding(subject=subject, evidence=below(rises[0] - rises[1]), n=points[0]["n"])


def larger(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 6c for each product and rate."""
    for subject, points in _of_each(measured).items():
        if (errors := _errors(points)) is not None:
            evidence = all_of([below(one - other) for (_, one), (_, other) in pairwise(errors)])
            yield Finding(subject=subject, evidence=evidence, n=points[0]["n"])


def _of_each(measured: MeasuredRecords) -> dict[str, list[Record]]:
    """The points of a product at a rate by the paper's policy, in the order of their edges."""
    found: dict[str, list[Record]] = {}
    for product, points in measured.simulated.items():
        for point in sorted(points, key=lambda each: (each["ber"], each["edge"])):
            if point["policy"] == POLICY:
                found.setdefault(f"{product} at {point['ber']:.0e}", []).append(point)
    return found


def _errors(points: Sequence[Record]) -> list[tuple[int, Statistic]] | None:
    """The mean squared errors at the three edges; None where one was not simulated."""
    of = {point["edge"]: point for point in points}
    return [(edge, _mean(of[edge]["mse"], n=of[edge]["n"])) for edge in EDGES] if of.keys() >= set(EDGES) else None


def _mean(record: Record, *, n: int) -> Statistic:
    """A mean of n products, whose interval is Student's, of which the upper half is not cut off at 0.

    Where all products are alike, as where none has a wrong word, how they vary is not known.
    """
    error = (record["high"] - record["mean"]) / quantile(0.975, degrees=n - 1)
    return Statistic(value=record["mean"], error=error or math.inf, degrees=n - 1)
