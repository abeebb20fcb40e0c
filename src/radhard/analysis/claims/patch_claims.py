"""Claim 5: vulnerability factors of input patches."""

from collections.abc import Iterator
from dataclasses import replace

from radhard.analysis.claims.claim import Finding, PaperClaim
from radhard.analysis.claims.evidence import Statistic, above, below, estimate_in
from radhard.analysis.claims.measured import MeasuredRecords, Record, most_lost
from radhard.analysis.intervals import Z_95

CENTRE = PaperClaim(
    number="5a",
    says="Patch factors are greatest in the centre of the image in ResNets",
    source="Sec. III-E, Fig. 5",
    measured="mean factor of centre patches less that of edge patches, faults in the words of the image",
    needs="vulnerability --by patch",
    unit="points",
)
EVEN = PaperClaim(
    number="5b",
    says="Patch factors are relatively even in ViTs",
    source="Sec. III-E, Fig. 5",
    measured="Gini coefficient of the factors below 0.2; against, if equal factors are rejected; faults in the image",
    needs="vulnerability --by patch",
    unit="",
)
CENTRE_ALL = replace(
    CENTRE,
    number="5c",
    says="The same, with faults in all operations: greatest in the centre in ResNets",
    measured="mean factor of centre patches less that of edge patches, faults in all operations",
    needs="vulnerability --by patch --patch-faults operations",
)
EVEN_ALL = replace(
    EVEN,
    number="5d",
    says="The same, with faults in all operations: relatively even in ViTs",
    measured="Gini coefficient of the factors below 0.2; against, if equal factors are rejected; all operations",
    needs="vulnerability --by patch --patch-faults operations",
)
UNEVEN = 0.2
"""A Gini coefficient that is surely below is that of even factors."""


def centre(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 5a for each ResNet."""
    yield from _centre(measured, by="patch")


def centre_all(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 5c for each ResNet."""
    yield from _centre(measured, by="patch operations")


def even(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 5b for each transformer."""
    yield from _even(measured, by="patch")


def even_all(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 5d for each transformer."""
    yield from _even(measured, by="patch operations")


def _centre(measured: MeasuredRecords, *, by: str) -> Iterator[Finding]:
    for model, points in measured.models_of("ResNet", by=by).items():
        point = most_lost(points)
        found = point["evenness"]
        if found is not None and found["centre"] is not None and found["edge"] is not None:
            yield Finding(subject=model, evidence=above(centre_over_edge(found).times(100)), n=found["images"])


def _even(measured: MeasuredRecords, *, by: str) -> Iterator[Finding]:
    for model, points in measured.models_of("transformer", by=by).items():
        point = most_lost(points)
        found = point["evenness"]
        if found is None:
            continue
        evidence = replace(below(estimate_in(found["gini"]), UNEVEN), against=found["equal"], margin=UNEVEN)
        yield Finding(subject=model, evidence=evidence, n=found["images"])


def centre_over_edge(found: Record) -> Statistic:
    """The mean factor of the centre less that of the edge, as shares.

    The limits r of the ratio of both are Fieller's: there (c - r e)^2 = z^2 (Vc - 2 r C + r^2 Ve), so each tells the
    covariance C of the two, whose means are of the same images. Without limits their errors are added.
    """
    middle, edge = estimate_in(found["centre"]), estimate_in(found["edge"])
    limits = [found["centre_to_edge"][key] for key in ("low", "high")] if found["centre_to_edge"] else []
    together = [
        (middle.error**2 + (r * edge.error) ** 2 - ((middle.value - r * edge.value) / Z_95) ** 2) / (2 * r)
        for r in limits
        if r
    ]
    if not together:
        return middle - edge
    most = middle.error * edge.error
    shared = max(-most, min(min(together), most))
    error = (middle.error**2 + edge.error**2 - 2 * shared) ** 0.5
    return Statistic(value=middle.value - edge.value, error=error)
