"""How long a reproduction takes: the passes of each part, times seconds a pass measured on a few images."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from radhard.campaign.rates import comparable_curve
from radhard.models.data.splits import check_labelled
from radhard.report.page.numbers import duration_text
from radhard.studies.comparison import compare
from radhard.studies.data import Data
from radhard.studies.inspection import InspectionResult
from radhard.studies.model import Model
from radhard.studies.options import CompareOptions, DataOptions, FaultOptions, ModelOptions, RunOptions
from radhard.studies.progress import Event, Measuring, Note, Report
from radhard.studies.reproduction.paper_figures import SCHEMES, PaperPart, PartName
from radhard.studies.sweep import sweep

TRIED = 16
"""Images on which a pass is timed."""

SEARCH = 7
"""Rates that the search for a loss tries, about."""

LOSSES = (10.0, 20.0, 30.0)

StageName = Literal["curve", "search", "components", "ordering", "steps", "schemes"]
"""What passes are for."""


@dataclass(frozen=True, kw_only=True)
class Duration:
    """About how many forward passes a part takes of all models together, and seconds."""

    part: PaperPart
    passes: int
    seconds: float

    @property
    def line(self) -> str:
        """`Fig. 3: vulnerability by layer ...: 31,000 passes, about 4 min`."""
        figures = ", ".join(map(str, self.part.figures))
        passes = f"{self.passes:,} passes, " if self.passes else ""
        plural = "s" if len(self.part.figures) > 1 else ""
        return f"Fig{plural}. {figures}: {self.part.what}: {passes}about {duration_text(self.seconds)}"


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds a forward pass of one image: with faults, and with faults under LB-ABFT."""

    faulty: float
    protected: float


def measure_pace(
    model: Model,
    data: Data | None,
    *,
    ber: float,
    protected: bool,
    model_options: ModelOptions,
    data_options: DataOptions,
    faults: FaultOptions,
    run: RunOptions,
) -> Pace:
    """Run a few images at one rate, and, if asked, under LB-ABFT; nothing is kept.

    InputError if that is asked of images without labels: the paper's claims on plans and schemes are of accuracy.
    """
    few = replace(run, images=TRIED, trials=1, store=None, batch=TRIED, chunk=TRIED, until_width=None)
    timed = _Timed()
    sweep(model, data, ber=ber, model_options=model_options, data_options=data_options, faults=faults, run=few,
          progress=timed)  # fmt: skip
    plain = timed.seconds_a_pass
    if not protected:
        return Pace(faulty=plain, protected=0.0)
    timed = _Timed()
    options = CompareOptions(schemes=("lb-abft",))
    found = compare(model, data, ber=ber, compare_options=options, model_options=model_options,
                    data_options=data_options, faults=faults, run=few, progress=timed)  # fmt: skip
    check_labelled(found.evaluation.model_under_test.data, doing="reproduce, figures 9 to 12,")
    return Pace(faulty=plain, protected=timed.seconds_a_pass)


class _Timed:
    """A listener that times the last unit, of `TRIED` images: from the end of the one before to its own."""

    def __init__(self) -> None:
        self._ends: list[float] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Measuring):
            self._ends.append(time.perf_counter())

    @property
    def seconds_a_pass(self) -> float:
        """Seconds of one image; 0 where fewer than two units were run."""
        return (self._ends[-1] - self._ends[-2]) / TRIED if len(self._ends) > 1 else 0.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """About how many forward passes of a part are alike: under faults, and under a `scheme` where it has a name."""

    what: StageName
    passes: int
    scheme: str = ""


def stages_of(
    name: PartName, *, images: int, trials: int, protected_images: int, components: int, rates: int, curve: int
) -> tuple[Stage, ...]:
    """The passes of a part for one model, about, by what they are for; plans and searches end when they end.

    >>> of = dict(images=100, trials=1, protected_images=30, components=10, rates=4, curve=9)
    >>> [(stage.what, stage.passes) for stage in stages_of("layer", **of)]
    [('search', 2100), ('components', 3300)]
    """
    whole = images * trials
    losses = {"layer": len(LOSSES), "module": len(LOSSES), "patch": 1}.get(name, 0)
    if losses:
        return (
            Stage(what="search", passes=losses * SEARCH * whole),
            Stage(what="components", passes=losses * (components + 1) * whole),
        )
    if name == "plans":  # each layer spared in turn, then steps, which are judged and evaluated with nothing protected
        return (
            Stage(what="ordering", passes=rates * components * protected_images),
            Stage(what="steps", passes=rates * (components + 8) * protected_images, scheme=SCHEMES[0]),
        )
    if name == "schemes":  # each under faults and without
        return tuple(
            Stage(what="schemes", passes=rates * 2 * protected_images, scheme=scheme) for scheme in ("", *SCHEMES)
        )
    return (Stage(what="curve", passes=(curve + 2) * whole),) if name == "sweep" else ()


def passes_of(
    name: PartName, *, images: int, trials: int, protected_images: int, components: int, rates: int, curve: int
) -> int:
    """Forward passes of a part for one model, about."""
    stages = stages_of(
        name, images=images, trials=trials, protected_images=protected_images, components=components, rates=rates,
        curve=curve,
    )  # fmt: skip
    return sum(stage.passes for stage in stages)


def rates_of_curve(inspected: InspectionResult) -> tuple[float, ...]:
    """The rates of the curve of a model, by its exposed bits."""
    bits = sum(row.exposed_bits for row in inspected.anatomy.rows)
    return comparable_curve(bits, recipe=inspected.program.recipe)


def told(durations: Sequence[Duration], *, images: int, models: Sequence[str], report: Report) -> None:
    """Say what will be done and about how long it takes."""
    whole = sum(each.seconds for each in durations)
    on = f"{len(models)} model{'' if len(models) == 1 else 's'} ({', '.join(models)}), {images:,} images"
    lines = [f"{on}: about {duration_text(whole)} in all; a run that is stopped goes on from its store"]
    for line in (*lines, *(each.line for each in durations)):
        report(Note(model="", line=line))
