"""The verb `sweep`: accuracy over the bit error rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from radhard.analysis.curve import curve
from radhard.analysis.stopping import UntilWidth
from radhard.analysis.sweep import Sweep
from radhard.campaign.execute import Shard
from radhard.campaign.experiment import Campaign, Setting
from radhard.campaign.model_under_test import ModelUnderTest, clean_setting
from radhard.campaign.rates import comparable_curve, whole_curve
from radhard.campaign.store import Store
from radhard.hardware import FaultModel
from radhard.machine.device import device_name
from radhard.program.coverage import multiply_accumulates
from radhard.report.fault_amount import COUNT, RATE, amount_told
from radhard.report.sweep import SweepRecord, sweep_record, sweep_rows
from radhard.studies.data import Data
from radhard.studies.fault_amount import counts_of, rates_of, told_of, upset_of
from radhard.studies.model import Model
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions
from radhard.studies.progress import Report
from radhard.studies.request import Request
from radhard.studies.result import DrawnResult, FigureTarget
from radhard.studies.under_test import images_taken


@dataclass(frozen=True, kw_only=True, repr=False)
class SweepResult(DrawnResult):
    """Accuracy of one model at each bit error rate, and with no fault; `sweep` has the points and how they were got.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.randn(40, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> labels = model(images).argmax(1)
    >>> result = rh.sweep(model, (images, labels), ber=1e-3, run=rh.RunOptions(trials=1))
    >>> result
    <SweepResult: Sequential, int8: ...>
    """

    sweep: Sweep

    @property
    def headline(self) -> str:
        """`fashion-vit, int8: clean 91.2 %, loses 10 points at BER 1.2e-07; 9 rates, 1,000 images`."""
        sweep = self.sweep
        if sweep.setting.fault_model is not None:
            (point,) = sweep.points
            what = f"clean {sweep.clean[sweep.recipe].accuracy:.1%}, " if sweep.labelled else ""
            upsets = f"{sweep.setting.rate} of {sweep.setting.fault_model.title}"
            return f"{sweep.model}, {sweep.recipe}: {what}SDC {point.sdc:.2%} with {upsets}; {sweep.images:,} images"
        clean, lost = sweep.clean[sweep.recipe], sweep.loses_10_points
        unit = COUNT if sweep.setting.flips else RATE
        lost_at = lost.flips_an_inference if lost.ber is None else lost.ber
        place = "not reached" if lost_at is None else f"at {amount_told(lost_at, unit=unit)}"
        what = f"clean {clean.accuracy:.1%}, 10 points lost" if sweep.labelled else "10 % of answers changed"
        amounts = "numbers of flips" if sweep.setting.flips else "rates"
        return f"{sweep.model}, {sweep.recipe}: {what} {place}; {len(sweep.points)} {amounts}, {sweep.images:,} images"

    def rows(self) -> list[dict[str, object]]:
        """One row a bit error rate."""
        return sweep_rows(self.sweep)

    def to_dict(self) -> SweepRecord:
        """The record of the model in `radhard sweep --json`."""
        return sweep_record(self.sweep)

    def plot(self, target: FigureTarget) -> None:
        """Draw accuracy over the rate, and relative to clean, into a file; accuracy alone on axes."""
        from radhard.report.curve import curve_data, draw_curve, draw_curve_on

        data = curve_data([self.sweep])
        if isinstance(target, str | Path):
            draw_curve(data, Path(target))
        else:
            draw_curve_on(data, target)


def sweep(
    model: Model,
    data: Data | None = None,
    *,
    ber: float | Sequence[float] | None = None,
    flips: int | Sequence[int] | None = None,
    fault_model: str | FaultModel | None = None,
    default: Literal["whole", "comparable"] = "whole",
    model_options: ModelOptions | None = None,
    data_options: DataOptions | None = None,
    faults: FaultOptions | None = None,
    run: RunOptions | None = None,
    progress: Report | None = None,
) -> SweepResult:
    """Measure accuracy with faults in every exposed operation, at each rate of `ber` or number of `flips`.

    With a `fault_model`, such as `RegisterUpsets()` or its text, each inference has exactly one upset of that in place.
    By `default` the rates follow from the model's exposed bits: its "whole" curve, or the "comparable" rates that
    several models share. What `run.store` holds is not measured again. Errors are those of `under_test`; InputError if
    nothing is exposed, for a rate outside [0, 1], and for a store that cannot be used.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.randn(40, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> labels = model(images).argmax(1)
    >>> result = rh.sweep(model, (images, labels), ber=[1e-6, 1e-3], run=rh.RunOptions(trials=1))
    >>> [row["ber"] for row in result.rows()]
    [1e-06, 0.001]
    """
    request = Request.of(
        model, data, model_options=model_options, data_options=data_options, faults=faults, run=run, progress=progress
    )
    run, report = request.run, request.report
    upset = upset_of(fault_model, faults=request.faults, ber=ber, flips=flips)
    counts = None if flips is None else counts_of(flips, ber=ber)
    stop = None if run.until_width is None else UntilWidth(width=run.until_width / 100)
    shard = Shard(index=run.shard[0], of=run.shard[1])
    with request.resources() as resources:
        set_up = request.set_up(resources, images=run.images)
        model_under_test, recipe = set_up.model_under_test, set_up.recipe
        own = whole_curve if default == "whole" else comparable_curve
        settings: tuple[Setting, ...]
        rates = None
        if upset is not None:
            settings = (set_up.upset(upset),)
        elif counts is None:
            rates = own(set_up.exposed(0.0).bits, recipe=recipe) if ber is None else rates_of(ber)
            settings = tuple(map(set_up.exposed, rates))
        else:
            settings = tuple(map(set_up.counted, counts))
        campaign = _campaign(
            model_under_test,
            settings,
            images=images_taken(model_under_test, run.images, progress=report),
            run=run,
            stop=stop,
        )
        set_up.execute(campaign, shard=shard)
        found = _measured(model_under_test, campaign, points=len(settings), store=set_up.store)
        result = SweepResult(sweep=found, skipped=request.skipped)
        program = model_under_test.programs[recipe]
        return request.kept(result, resources, verb="sweep", program=program, ber=rates, flips=counts, **told_of(upset))


def _campaign(
    model_under_test: ModelUnderTest,
    settings: tuple[Setting, ...],
    *,
    images: int,
    run: RunOptions,
    stop: UntilWidth | None,
) -> Campaign:
    """The settings, and before them those of the clean programs that are not among them."""
    known = {setting.digest for setting in settings}
    clean = tuple(setting for setting in _clean(model_under_test).values() if setting.digest not in known)
    return Campaign(settings=clean + settings, images=images, trials=run.trials, chunk=run.chunk, stop=stop)


def _clean(model_under_test: ModelUnderTest) -> dict[str, Setting]:
    recipes = sorted(model_under_test.programs, key=lambda recipe: (recipe != "float", recipe))
    return {recipe: clean_setting(model_under_test, recipe) for recipe in recipes}


def _measured(model_under_test: ModelUnderTest, campaign: Campaign, *, points: int, store: Store) -> Sweep:
    """What the store holds of a campaign whose last settings, as many as `points`, are those of the sweep."""
    known = dict(zip((s.digest for s in campaign.settings), curve(campaign, store=store), strict=True))
    settings = campaign.settings[-points:]
    program = model_under_test.programs[settings[-1].recipe]
    return Sweep(
        settings=settings,
        points=tuple(known[setting.digest] for setting in settings),
        clean={recipe: known[setting.digest] for recipe, setting in _clean(model_under_test).items()},
        macs=multiply_accumulates(program),
        back_end=program.backends,
        images=campaign.images,
        calibrated_on=model_under_test.calibrated_on,
        skipped=len(model_under_test.data.skipped),
        pixels=model_under_test.pixels,
        device=device_name(model_under_test.device),
    )
