"""Claims 1 and 2: accuracy over the bit error rate."""

import math
from collections.abc import Iterator
from itertools import pairwise

from radhard.analysis.claims.claim import Finding, PaperClaim
from radhard.analysis.claims.evidence import Evidence, Statistic, above, all_of, any_of, below, estimate_of, within
from radhard.analysis.claims.measured import MeasuredRecords, Record, kind_of
from radhard.analysis.intervals import Z_95

HELD = PaperClaim(
    number="1a",
    says="At low bit error rates accuracy holds",
    source="Sec. III-B, Fig. 2",
    measured="accuracy relative to clean at the lowest rate, less 1; equivalent to 0 within 2 %",
    needs="sweep",
    unit="%",
)
DROPS = PaperClaim(
    number="1b",
    says="Then it drops sharply",
    source="Sec. III-B, Fig. 2",
    measured="two rates at most tenfold apart: above 90 % of clean accuracy at the lower, below half at the higher",
    needs="sweep",
    unit="%",
)
LATER = PaperClaim(
    number="2a",
    says="ViTs start to drop at a higher bit error rate than ResNets",
    source="Sec. III-B, Fig. 2",
    measured="decades between the rates that cost 10 points: of a transformer over each ResNet",
    needs="vulnerability --by layer --loss 10,30, or sweep",
    unit="decades",
)
SMOOTHER = PaperClaim(
    number="2b",
    says="ViTs drop more smoothly than ResNets",
    source="Sec. III-B, Fig. 2",
    measured="decades from the rate that costs 10 points to that of 30: of a transformer over each ResNet",
    needs="vulnerability --by layer --loss 10,30, or sweep",
    unit="decades",
)
HOLDS_WITHIN, KEPT, HALF, TENFOLD = 0.02, 0.9, 0.5, 10.0
FIRST, LAST = 0.1, 0.3


def held(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 1a for each model."""
    for model, sweep in measured.sweeps.items():
        if (points := _points(sweep)) and (change := _relative(points[0])) is not None:
            evidence = within(Statistic(value=change.value - 1, error=change.error).times(100), 100 * HOLDS_WITHIN)
            yield Finding(subject=model, evidence=evidence, n=points[0]["n"])


def drops(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 1b for each model."""
    for model, sweep in measured.sweeps.items():
        points = [(point["ber"], found) for point in _points(sweep) if (found := _relative(point)) is not None]
        pairs = [
            all_of([below(other.times(100), 100 * HALF), above(one.times(100), 100 * KEPT)])
            for ber, one in points
            for further, other in points
            if ber < further <= TENFOLD * ber * (1 + 1e-9)
        ]
        if pairs:
            yield Finding(subject=model, evidence=any_of(pairs), n=sweep["images"])


def later(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 2a for each transformer, against all ResNets."""
    yield from _against_resnets(
        {model: lost[FIRST] for model, lost in _lost(measured).items() if FIRST in lost}, measured
    )


def smoother(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 2b for each transformer, against all ResNets."""
    both = {model: lost for model, lost in _lost(measured).items() if {FIRST, LAST} <= lost.keys()}
    yield from _against_resnets({model: lost[LAST] - lost[FIRST] for model, lost in both.items()}, measured)


def _against_resnets(found: dict[str, Statistic], measured: MeasuredRecords) -> Iterator[Finding]:
    """The claim that a transformer's value is above that of each ResNet."""
    resnets = [value for model, value in found.items() if kind_of(model) == "ResNet"]
    for model, value in found.items():
        if kind_of(model) == "transformer" and resnets:
            parts: list[Evidence] = [above(value.less_independent(other)) for other in resnets]
            yield Finding(subject=model, evidence=all_of(parts), n=_images(measured, model))


def _images(measured: MeasuredRecords, model: str) -> int:
    points = measured.factors.get("layer", {}).get(model)
    return int(points[0]["images"] if points else measured.sweeps[model]["images"])


def _points(sweep: Record) -> list[Record]:
    return sorted(
        (point for point in sweep["points"] if (point["ber"] or 0) > 0), key=lambda point: float(point["ber"])
    )


def _relative(point: Record) -> Statistic | None:
    """Accuracy relative to clean, paired; None where it is not known."""
    if point["relative"] is None or point["relative_high"] is None:
        return None
    return estimate_of(point["relative"], low=point["relative_low"], high=point["relative_high"])


def _lost(measured: MeasuredRecords) -> dict[str, dict[float, Statistic]]:
    """By model the logarithm to base 10 of the rate that costs a loss: searched for, else read off the curve."""
    found: dict[str, dict[float, Statistic]] = {}
    for model, sweep in measured.sweeps.items():
        read = {loss: rate for loss in (FIRST, LAST) if (rate := _read_off(sweep, loss)) is not None}
        found[model] = read
    for model, points in measured.factors.get("layer", {}).items():
        for point in points:
            searched = point.get("operating_point")
            if searched and searched["low"] and searched["high"]:
                middle, low, high = (math.log10(searched[key]) for key in ("ber", "low", "high"))
                found.setdefault(model, {})[round(searched["loss"], 6)] = estimate_of(middle, low=low, high=high)
    return found


def _read_off(sweep: Record, loss: float) -> Statistic | None:
    """Where the curve, and the limits of its intervals, cross clean accuracy less `loss`; None where one does not."""
    clean = sweep["clean"].get(sweep["recipe"])
    points = _points(sweep)
    if clean is None or any(point["accuracy"] is None for point in points):
        return None
    crossed = [_crossing(points, key, level=clean - loss) for key in ("accuracy", "low", "high")]
    if None in crossed:
        return None
    value, early, late = (float(each) for each in crossed if each is not None)
    return Statistic(value=value, error=max(late - early, 0.0) / (2 * Z_95))


def _crossing(points: list[Record], key: str, *, level: float) -> float | None:
    """The logarithm of the first rate at which a value falls to a level, by straight lines between points."""
    for one, other in pairwise(points):
        first, second = float(one[key]), float(other[key])
        if first >= level > second:
            part = (first - level) / (first - second)
            start, end = math.log10(one["ber"]), math.log10(other["ber"])
            return start + part * (end - start)
    return None
