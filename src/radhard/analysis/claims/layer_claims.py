"""Claim 3: how unlike the vulnerability factors of layers are."""

import re
from collections.abc import Iterator

from radhard.analysis.claims.claim import Finding, PaperClaim
from radhard.analysis.claims.evidence import Statistic, all_of, below, estimate_of
from radhard.analysis.claims.measured import MeasuredRecords, Record, most_lost

ALIKE = PaperClaim(
    number="3",
    says="Layer factors vary less across the layers of ViTs than across those of ResNets",
    source="Sec. III-C, Fig. 3",
    measured="variance of the factors between blocks, bias-corrected: of a transformer less that of each ResNet",
    needs="vulnerability --by layer --loss 10,20,30",
    unit="points^2",
)
_NUMBERED = re.compile(r"\.\d+$")


def alike(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 3 for each transformer, against all ResNets, at the greatest loss."""
    spread = {
        kind: {model: variance(most_lost(points)) for model, points in measured.models_of(kind, by="layer").items()}
        for kind in ("transformer", "ResNet")
    }
    resnets = [found for found in spread["ResNet"].values() if found is not None]
    for model, found in spread["transformer"].items():
        if found is not None and resnets:
            evidence = all_of([below(found.less_independent(other)) for other in resnets])
            yield Finding(subject=model, evidence=evidence, n=measured.factors["layer"][model][0]["images"])


def variance(point: Record) -> Statistic | None:
    """The variance of true factors between blocks, in squared points; None of fewer than two blocks.

    Blocks are components whose name ends in a number, as `blocks.3`; stem and head are none of the paper's layers. The
    variance that is seen has that of the estimates in it, which is taken away. Its own error follows from theirs, as if
    they were independent: the square is (4 sum (f - m)^2 e^2 + 2 sum e^4) / (C - 1)^2.
    """
    blocks = [one for one in point["components"] if _NUMBERED.search(one["name"])]
    factors = [estimate_of(one["factor"], low=one["low"], high=one["high"]).times(100) for one in blocks]
    count = len(factors)
    if count < 2:
        return None
    mean = sum(one.value for one in factors) / count
    seen = sum((one.value - mean) ** 2 for one in factors) / (count - 1)
    noise = sum(one.error**2 for one in factors) / count
    error = sum(4 * (one.value - mean) ** 2 * one.error**2 + 2 * one.error**4 for one in factors) ** 0.5 / (count - 1)
    return Statistic(value=seen - noise, error=error)
