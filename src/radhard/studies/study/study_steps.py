"""The steps of a study, in their order. A step more is an entry here, and a function that takes `Here`."""

from collections.abc import Sequence

from radhard.errors import InputError
from radhard.studies.study.hardening import SECONDS, harden
from radhard.studies.study.measuring import avf, points, sweep, vulnerability
from radhard.studies.study.pace import Pace
from radhard.studies.study.protecting import GAIN, PAPER, compared, evaluated, planned
from radhard.studies.study.reported import reported
from radhard.studies.study.study_step import StepCost, StudyStep

MEASURED = (str(PAPER["scheme"]), str(GAIN["scheme"]))
"""Schemes whose pace is measured: the others are taken to be between the two."""

_LOOKS = 3
"""Configurations that judge a plan, about."""

_EVALUATED, _COMPARED = 2, 3
"""Runs of an image under faults and the slower schemes, about: the others are quick."""

_PAGE = 5.0
"""Seconds in which the report is written, about."""

_EXPORT = 0.5
"""Seconds in which a site is exported, about."""


def _plan(pace: Pace, scheme: str) -> float:
    """Seconds an image for factors by layer, half of the steps of the frontier, and what judges."""
    steps = pace.products / 2 + _LOOKS  # of which each protects half of the products, on average
    return pace.all_by("layer") + pace.clean + steps * (pace.operating + pace.under(scheme)) / 2


def _between(pace: Pace) -> float:
    return sum(pace.under(scheme) for scheme in MEASURED) / len(MEASURED)


THIRD = 1 / 3

STEPS: Sequence[StudyStep] = (
    StudyStep(
        name="sweep",
        does="clean quality, float and int8, and the curve over the bit error rate",
        run=sweep,
        cost=lambda pace: StepCost(fixed=pace.opening, image=pace.float_ + pace.clean + pace.curve),
    ),
    StudyStep(
        name="points",
        does="operating points: the rates that cost 5, 10, 20 and 30 points",
        run=points,
        needs=("sweep",),
        cost=lambda _: StepCost(),
    ),
    StudyStep(
        name="layer",
        group="vulnerability",
        does="which layers are most vulnerable",
        run=vulnerability("layer"),
        needs=("points",),
        cost=lambda pace: StepCost(fixed=pace.opening, image=pace.all_by("layer")),
    ),
    StudyStep(
        name="module",
        group="vulnerability",
        does="which kinds of module are most vulnerable",
        run=vulnerability("module"),
        needs=("points",),
        cost=lambda pace: StepCost(fixed=pace.opening, image=pace.all_by("module")),
    ),
    StudyStep(
        name="bit",
        group="vulnerability",
        does="which bits of the words are most vulnerable",
        run=vulnerability("bit"),
        needs=("points",),
        share=THIRD,
        cost=lambda pace: StepCost(fixed=pace.opening, image=pace.all_by("bit")),
    ),
    StudyStep(
        name="patch",
        group="vulnerability",
        does="which patches of the image have the most vulnerable operations",
        run=vulnerability("patch"),
        needs=("points",),
        share=THIRD,
        cost=lambda pace: StepCost(fixed=pace.opening * (pace.all_by("patch") > 0), image=pace.all_by("patch")),
    ),
    StudyStep(
        name="avf",
        does="AVF: what exactly one flip an inference does, by layer",
        run=avf,
        cost=lambda pace: StepCost(fixed=pace.opening, image=pace.clean + pace.flipped),
    ),
    StudyStep(
        name="paper",
        group="plan",
        does="a plan by the paper's algorithm, with LB-ABFT",
        run=planned("paper", PAPER),
        needs=("points",),
        apart=True,
        cost=lambda pace: StepCost(fixed=pace.opening, image=_plan(pace, MEASURED[0])),
    ),
    StudyStep(
        name="gain",
        group="plan",
        does="a plan by gain per operation, with row-abft",
        run=planned("gain", GAIN),
        needs=("points",),
        apart=True,
        cost=lambda pace: StepCost(fixed=pace.opening, image=_plan(pace, MEASURED[1])),
    ),
    StudyStep(
        name="evaluate",
        does="what the better plan gives on images that did not choose it",
        run=evaluated,
        needs=("paper", "gain"),
        apart=True,
        cost=lambda pace: StepCost(fixed=pace.opening, image=_EVALUATED * _between(pace)),
    ),
    StudyStep(
        name="compare",
        does="schemes against each other at the operating point",
        run=compared,
        needs=("points",),
        cost=lambda pace: StepCost(fixed=pace.opening, image=_COMPARED * _between(pace)),
    ),
    StudyStep(
        name="harden",
        does="the hardened file, and its latency",
        run=harden,
        needs=("paper", "gain"),
        apart=True,
        cost=lambda pace: StepCost(fixed=SECONDS + _EXPORT * pace.sites),
    ),
    StudyStep(
        name="report",
        does="one page of everything",
        run=reported,
        measures=False,
        cost=lambda _: StepCost(fixed=_PAGE),
    ),
)


def wanted(*, only: Sequence[str], skip: Sequence[str]) -> tuple[StudyStep, ...]:
    """The steps that --only and --skip leave, with those whose results they need. InputError for an unknown name."""
    known = {name for step in STEPS for name in (step.name, step.group) if name}
    for option, names in (("--only", only), ("--skip", skip)):
        for name in names:
            if name not in known:
                raise InputError(f"{option} {name}: it is no step; steps are {', '.join(_names())}")
    chosen = {step.name for step in STEPS if not only or any(map(step.named, only))}
    chosen -= {step.name for step in STEPS if any(map(step.named, skip))}
    if not chosen:
        raise InputError(f"--skip {', '.join(skip)}: no step is left; steps are {', '.join(_names())}")
    return tuple(step for step in STEPS if step.name in chosen)


def with_needed(chosen: Sequence[StudyStep], *, done: frozenset[str], rate_stated: bool) -> tuple[StudyStep, ...]:
    """The steps, and before them those that they need and that are not `done`. At a stated rate no curve is needed."""
    found = {step.name for step in chosen}
    for step in reversed(STEPS):
        if step.name in found:
            needs = set(step.needs) - ({"points"} if rate_stated and step.name != "points" else set())
            if needs & {"paper", "gain"} and needs & (found | done):
                needs -= {"paper", "gain"}  # one plan is enough
            found |= needs - done
    return tuple(step for step in STEPS if step.name in found)


def _names() -> list[str]:
    return list(dict.fromkeys(name for step in STEPS for name in (step.group, step.name) if name))
