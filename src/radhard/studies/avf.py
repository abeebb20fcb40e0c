"""The verb `avf`: how often exactly one flip in a component spoils the answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from radhard.analysis.avf import Avf, AvfStudy
from radhard.analysis.avf import avf as avf_of
from radhard.analysis.intervals import clustered
from radhard.analysis.neyman import allocate, deviation
from radhard.analysis.vulnerability import passes
from radhard.campaign.components import By
from radhard.campaign.effects import Effects, effects
from radhard.campaign.execute import Progress, execute
from radhard.campaign.masked_bits import CountedBits, Counts, count_bits, countable
from radhard.campaign.patches import grid_of
from radhard.campaign.single_flips import targets
from radhard.errors import InputError
from radhard.machine.device import device_name
from radhard.report.avf_record import AvfRecord, avf_record, avf_rows
from radhard.studies.data import Data
from radhard.studies.model import Model
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions
from radhard.studies.progress import Note, Report, percent
from radhard.studies.request import Request, SetUp, check_width
from radhard.studies.result import DrawnResult, FigureTarget
from radhard.studies.under_test import images_taken

_COUNTING = 2.0
"""Passes of an image in which its masked bits are counted: each chain is executed twice."""

_COUNTS = "masked flips are counted in one clean pass, before flips are sampled"
_NOT_COUNTED = (
    "masked flips are sampled, not counted: the model has no integer products, their count takes too many operations, "
    "or components are patches or bits"
)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class AvfResult(DrawnResult):
    """The AVF of each component of a model, P(SDC | exactly one flip in it), and that of the whole.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 8), torch.nn.Linear(8, 4)).eval()
    >>> images = torch.randn(40, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> result = rh.avf(model, images, by="site", run=rh.RunOptions(trials=1))
    >>> result
    <AvfResult: Sequential, int8, by site: AVF ...>
    """

    avf: Avf
    device: str

    @property
    def headline(self) -> str:
        """`fashion-vit, int8, by layer: AVF 0.41 % (0.35 - 0.48 %) over 40,000 flips; highest head, 2.1 %`."""
        found, setting = self.avf, self.avf.study.whole
        first = max(found.components, key=lambda one: one.sdc.rate if one.n else -1.0)
        highest = f"highest {first.name or '-'}, {first.sdc.rate:.2%}" if first.sdc.rate else "no answer changed"
        interval = f"{100 * found.sdc.low:.2f} - {100 * found.sdc.high:.2f} %"
        return (
            f"{setting.model}, {setting.recipe}, by {found.study.by}: AVF {found.sdc.rate:.2%} ({interval}) over "
            f"{found.n:,} flips; {highest}"
        )

    def rows(self) -> list[dict[str, object]]:
        """One row a component."""
        return avf_rows(self.avf)

    def to_dict(self) -> AvfRecord:
        """The record of the model in `radhard avf --json`."""
        return avf_record(self.avf, device=self.device)

    def plot(self, target: FigureTarget) -> None:
        """Draw the AVF of each component with its intervals."""
        from radhard.report.avf_figure import avf_drawn
        from radhard.report.vulnerability import draw_vulnerability, draw_vulnerability_on

        data = avf_drawn([self.to_dict()])
        if isinstance(target, str | Path):
            draw_vulnerability(data, Path(target))
        else:
            draw_vulnerability_on(data, target)


def avf(
    model: Model,
    data: Data | None = None,
    *,
    by: By = "layer",
    component: Sequence[str] = (),
    grid: tuple[int, int] | None = None,
    model_options: ModelOptions | None = None,
    data_options: DataOptions | None = None,
    faults: FaultOptions | None = None,
    run: RunOptions | None = None,
    progress: Report | None = None,
) -> AvfResult:
    """Measure each component's AVF: how often the answer changes silently if exactly one bit of the component flips.

    `by` sets the kind of component; `component` selects components by patterns of names. By patch, `grid` cuts the
    image into rows and columns (default: a transformer's tokens). `run.trials` is the average number of flips per image
    and component. Half of the trials are split equally; the others go to the components where they narrow the interval
    of the whole model most. With `run.until_width`, each component has as many trials as its interval needs, at most
    `run.trials`. Images need no labels. Errors are those of `under_test`; InputError if nothing is exposed.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 8), torch.nn.Linear(8, 4)).eval()
    >>> images = torch.randn(40, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> result = rh.avf(model, images, by="site", run=rh.RunOptions(trials=1))
    >>> [row["component"] for row in result.rows()]
    ['1', '2']
    """
    request = Request.of(
        model, data, model_options=model_options, data_options=data_options, faults=faults, run=run, progress=progress
    )
    run, faults = request.run, request.faults
    if grid is not None and by != "patch":
        raise InputError(f"--by {by} with --grid: it is for --by patch; leave it out")
    check_width(run, such_as="2")
    if run.shard != (1, 1):
        raise InputError("--shard: how many flips a component takes depends on what is seen of all; use --workers")
    with request.resources() as resources:
        set_up = request.set_up(resources, images=run.images)
        program = set_up.model_under_test.programs[set_up.recipe]
        whole = set_up.exposed(0.0)
        whole = replace(whole, flips=1, kinds=faults.kinds, where=faults.where, seed=faults.seed, words=faults.words)
        if by == "patch":
            grid = grid or grid_of(program)
        found = targets(set_up.model_under_test, whole, by=by, only=tuple(component), grid=grid)
        study = AvfStudy(
            by=by,
            whole=whole,
            targets=found,
            trials=(-(-run.trials // 2),) * len(found),
            images=images_taken(set_up.model_under_test, run.images, progress=request.report),
            chunk=run.chunk,
        )
        bits = None  # by patch or bit: some words of a site, or some of their bits
        if by in ("patch", "bit") or not countable(program, images=study.images):
            request.report(Note(model=whole.model, line=_NOT_COUNTED))
        else:
            request.report(Note(model=whole.model, line=_COUNTS))
            bits = count_bits(set_up.model_under_test, whole, images=study.images, batch=run.batch)
        masked = [None if bits is None else bits.masked(target.setting) for target in found]
        seen = Seen(set_up=set_up, bits=bits, masked=masked)
        study = _sequential(study, seen) if run.until_width is not None else _allocated(study, seen)
        campaign = study.campaign(1)
        work = sum(
            passes(replace(campaign, trials=trials), setting, store=set_up.store)
            for setting, trials in zip(campaign.settings, (1, *study.trials), strict=True)
        )
        work += _COUNTING * study.images if any(one is not None for one in masked) else 0
        measured = avf_of(study, seen.effects(study), passes=work, masked=masked)
        result = AvfResult(avf=measured, device=device_name(set_up.model_under_test.device), skipped=request.skipped)
        return request.kept(
            result, resources, verb="avf", program=program, by=by, component=tuple(component), grid=grid
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What a study is measured into, and the masked `bits` that were counted before; `masked`: those of each target."""

    set_up: SetUp
    bits: CountedBits | None
    masked: Sequence[Counts | None]

    def measure(self, study: AvfStudy) -> None:
        """Measure what the store lacks of a study."""
        for trials in sorted(set(study.trials)):
            self.set_up.follow(
                execute(
                    study.campaign(trials),
                    self.set_up.store,
                    executor=self.set_up.executor,
                    model_under_test=self.set_up.model_under_test,
                ),
                known=_sdc_so_far,
            )

    def effects(self, study: AvfStudy) -> list[Effects]:
        """What became of the answers under each target's flips."""
        return [
            effects(
                replace(study.campaign(own), trials=own),
                target.setting,
                store=self.set_up.store,
                counted=None if self.bits is None or masked is None else self.bits.hit(target.setting),
            )
            for target, own, masked in zip(study.targets, study.trials, self.masked, strict=True)
        ]


def _allocated(study: AvfStudy, seen: Seen) -> AvfStudy:
    """Measure a pilot of half the trials, then the others where they lower the variance of the total most."""
    seen.measure(study)
    pilot, run = seen.effects(study), seen.set_up.run
    bits = sum(target.setting.bits for target in study.targets)
    trials = allocate(
        [target.setting.bits / bits for target in study.targets],
        [deviation(int(one.sdc.sum()), int(one.trials.sum())) for one in pilot],
        budget=run.trials * len(study.targets),
        least=study.trials[0],
    )
    study = replace(study, trials=trials)
    seen.measure(study)
    return study


def _sequential(study: AvfStudy, seen: Seen) -> AvfStudy:
    """Measure trial after trial those components whose interval is wider than wanted."""
    width, most = seen.set_up.run.until_width, seen.set_up.run.trials
    study = replace(study, trials=(1,) * len(study.targets), until_width=None if width is None else width / 100)
    while True:
        seen.measure(study)
        known = avf_of(study, seen.effects(study), passes=0.0, masked=seen.masked).components
        trials = tuple(
            own + (width is not None and 100 * one.sdc.width > width and own < most)
            for own, one in zip(study.trials, known, strict=True)
        )
        if trials == study.trials:
            return study
        study = replace(study, trials=trials)


def _sdc_so_far(state: Progress) -> str:
    """`SDC 0.4 % (0.1 - 1.0)`; nothing of the clean run."""
    tally = state.tally
    return "" if state.unit.setting.clean else f"SDC {percent(clustered(tally.sdc, trials=tally.trials))}"
