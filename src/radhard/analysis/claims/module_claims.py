"""Claim 4: vulnerability factors of modules."""

from collections.abc import Iterator, Sequence

from radhard.analysis.claims.claim import Finding, PaperClaim
from radhard.analysis.claims.evidence import Evidence, Statistic, above, all_of, any_of, below, estimate_of
from radhard.analysis.claims.measured import MeasuredRecords, Record, component, most_lost

_SOURCE, _NEEDS = "Sec. III-D, Fig. 4", "vulnerability --by module --loss 10,20,30"
FRAGILE = PaperClaim(
    number="4a",
    says="FF-LF is the most fragile module, MHA-LF far lower despite its operations",
    source=_SOURCE,
    measured="factor of FF-LF less that of MHA-LF, and less that of NLF",
    needs=_NEEDS,
    unit="points",
)
NOT_NIL = PaperClaim(
    number="4b",
    says="NLF (softmax and GELU) shows some vulnerability in ViTs",
    source=_SOURCE,
    measured="factor of softmax, and of GELU: one is above 0; against, if all are below half a point",
    needs=_NEEDS,
    unit="points",
)
LOWER = PaperClaim(
    number="4c",
    says="NLF has a lower factor in ResNets than in ViTs",
    source=_SOURCE,
    measured="factor of all non-linear operations: of a transformer less that of each ResNet",
    needs=_NEEDS,
    unit="points",
)
CONV = PaperClaim(
    number="4d",
    says="Conv has by far the greatest factor in ResNets",
    source=_SOURCE,
    measured="factor of Conv less that of each other module",
    needs=_NEEDS,
    unit="points",
)
NIL = 0.5
"""Points: a factor that is surely below is nil."""
SMALL = ("NLF: softmax", "NLF: gelu")


def fragile(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 4a for each transformer."""
    yield from _greatest(measured, kind="transformer", name="FF-LF", others=("MHA-LF", "NLF"))


def conv(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 4d for each ResNet."""
    yield from _greatest(measured, kind="ResNet", name="Conv")


def not_nil(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 4b for each transformer."""
    for model, point in _points(measured, kind="transformer").items():
        parts = [one for name in SMALL if (one := component(point, name)) is not None]
        if parts:
            yield Finding(subject=model, evidence=any_of([_some(factor_of(one)) for one in parts]), n=point["images"])


def _some(found: Statistic) -> Evidence:
    """Above 0; against, below what is nil."""
    nil = below(found, NIL)
    return Evidence(shown=found, for_=above(found).for_, against=nil.for_, margin=NIL)


def lower(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 4c for each transformer, against all ResNets."""
    resnets = [
        factor_of(one)
        for point in _points(measured, kind="ResNet").values()
        if (one := component(point, "NLF")) is not None
    ]
    for model, point in _points(measured, kind="transformer").items():
        one = component(point, "NLF")
        if one is not None and resnets:
            evidence = all_of([above(factor_of(one).less_independent(other)) for other in resnets])
            yield Finding(subject=model, evidence=evidence, n=point["images"])


def factor_of(record: Record) -> Statistic:
    """The factor of a component, in points."""
    return estimate_of(record["factor"], low=record["low"], high=record["high"]).times(100)


def _points(measured: MeasuredRecords, *, kind: str) -> dict[str, Record]:
    return {model: most_lost(points) for model, points in measured.models_of(kind, by="module").items()}


def _greatest(measured: MeasuredRecords, *, kind: str, name: str, others: Sequence[str] = ()) -> Iterator[Finding]:
    """The claim that a module's factor is above that of each of the `others`; of none: all, parts of modules apart."""
    for model, point in _points(measured, kind=kind).items():
        own = component(point, name)
        rest = [
            one
            for one in point["components"]
            if one["name"] != name and ":" not in one["name"] and (not others or one["name"] in others)
        ]
        if own is not None and rest:
            evidence = all_of([above(factor_of(own) - factor_of(one)) for one in rest])
            yield Finding(subject=model, evidence=evidence, n=point["images"])
