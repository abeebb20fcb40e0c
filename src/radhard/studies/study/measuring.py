"""The steps that measure: the curve, the operating points read off it, what is most vulnerable, and AVFs."""

from collections.abc import Callable, Sequence
from typing import Any

from radhard.analysis.crossing import falls_to
from radhard.campaign.components import By
from radhard.campaign.rates import even_in_logarithm
from radhard.errors import InputError
from radhard.report.study import OperatingPointsRecord, OperatingRecord
from radhard.studies.avf import avf as avf_verb
from radhard.studies.study.study_step import OPERATING, Here, StepResult, StepSkipped
from radhard.studies.sweep import SweepResult
from radhard.studies.sweep import sweep as sweep_verb
from radhard.studies.vulnerability import MOST, PatchFaults
from radhard.studies.vulnerability import vulnerability as vulnerability_verb

LOSSES = (0.05, OPERATING, 0.2, 0.3)
"""Losses whose rates are read off the curve, as shares of all answers."""

_EXTENSIONS = 9
"""How often a curve that does not show both ends is extended."""

_KEPT = 0.5
"""Of the clean accuracy: with more left at the last rate, the model has not collapsed."""


def sweep(here: Here) -> StepResult:
    """Accuracy over the bit error rate, from a sound model to a collapsed one."""
    rates: tuple[float, ...] | None = None
    for _ in range(_EXTENSIONS + 1):
        found = sweep_verb(here.model, here.data, ber=rates, progress=here.report, **here.study.options)
        wider = _wider(found)
        if wider is None:
            break
        rates = wider
    listed = ",".join(f"{point.amount:g}" for point in found.sweep.points)
    envelope = here.envelope(
        here.command("sweep", f"--ber {listed}"),
        found.to_dict(),
        ber=[point.amount for point in found.sweep.points],
    )
    return StepResult(envelope=envelope, line=found.headline, drawn=found)


def _wider(found: SweepResult) -> tuple[float, ...] | None:
    """The rates of a curve that lacks an end, with more at that end; None if both are there, or no rate is left."""
    points = found.sweep.points
    rates = tuple(point.amount for point in points)
    clean = found.sweep.clean[found.sweep.recipe].kept
    step = (rates[-1] / rates[0]) ** (1 / (len(rates) - 1))
    if clean - points[0].kept >= OPERATING / 2:  # the first rate costs half of what is looked for
        return (*even_in_logarithm(float(f"{rates[0] / step**4:.4g}"), rates[0], points=5)[:-1], *rates)
    if points[-1].kept > _KEPT * clean and rates[-1] * step < MOST:
        # one at a time: each costs as much as all before it, as the flips grow with the rate
        return (*rates, min(MOST, float(f"{rates[-1] * step:.4g}")))
    return None


def points(here: Here) -> StepResult:
    """Operating points, by lines between the rates of the curve; their limits are those of the accuracy."""
    labelled = here.labelled
    clean = here.folder.record("sweep", "clean")[here.recipe] if labelled else 1.0
    measured = here.folder.record("sweep", "points")
    found: list[OperatingRecord] = [_point(loss, clean, measured, labelled=labelled) for loss in LOSSES]
    record = OperatingPointsRecord(
        model=here.model_under_test.model,
        recipe=here.recipe,
        measure=here.folder.record("sweep", "measure"),
        clean=clean,
        points=found,
    )
    known = [f"{100 * each['loss']:.0f} points at BER {each['ber']:.3g}" for each in found if each["ber"] is not None]
    line = f"loses {', '.join(known)}" if known else "no rate of the curve costs 5 points or more"
    command = f"study --study {here.folder.file} --only points"
    return StepResult(envelope=here.envelope(command, record, losses=LOSSES), line=line)


def _point(loss: float, clean: float, measured: Sequence[dict[str, Any]], *, labelled: bool) -> OperatingRecord:
    names = ("accuracy", "low", "high") if labelled else ("changed", "changed_high", "changed_low")

    def at(name: str) -> float | None:
        values = [
            (p["ber"], p[name] if labelled else 1 - p[name]) for p in measured if p["ber"] and p[name] is not None
        ]
        return falls_to(values, level=clean - loss).ber

    estimate, low, high = map(at, names)
    return OperatingRecord(loss=loss, ber=estimate, low=low, high=high)


def vulnerability(by: By) -> Callable[[Here], StepResult]:
    """The step that measures the factor of each component at the operating point.

    Of patches with faults in all operations, as everywhere else: the words of an image alone are too few to be hit.
    """

    def run(here: Here) -> StepResult:
        faults: PatchFaults = "operations" if by == "patch" else "input"
        if by == "patch":
            _check_grid(here)
        ber = here.ber
        found = vulnerability_verb(
            here.model, here.data, by=by, ber=ber, patch_faults=faults, progress=here.report, **here.study.options
        )
        where = ("--patch-faults operations",) if by == "patch" else ()
        command = here.command("vulnerability", f"--by {by}", f"--ber {ber:g}", *where)
        envelope = here.envelope(command, found.to_dict(), by=by, ber=[ber], patch_faults=faults)
        return StepResult(envelope=envelope, line=found.headline, drawn=found)

    return run


def avf(here: Here) -> StepResult:
    """The AVF of each layer: what exactly one flip an inference does, whatever the rate."""
    found = avf_verb(here.model, here.data, by="layer", progress=here.report, **here.study.options)
    envelope = here.envelope(here.command("avf", "--by layer"), found.to_dict(), by="layer")
    return StepResult(envelope=envelope, line=found.headline, drawn=found)


def _check_grid(here: Here) -> None:
    from radhard.campaign.patches import grid_of

    try:
        grid_of(here.model_under_test.programs[here.recipe])
    except InputError as error:
        raise StepSkipped(
            "the model makes no tokens of its images, which would be patches (vulnerability --grid)"
        ) from error
