"""The verb `fit`: how often an accelerator's upsets spoil answers of a model, and whether a safety target is met."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from radhard.analysis.accelerator import cycles_of, fmeda_of, struck_of
from radhard.analysis.safety_target import TargetName, target_of
from radhard.campaign.selection import check_disjoint
from radhard.campaign.single_upsets import UpsetCampaign
from radhard.errors import InputError
from radhard.hardware import Npu, array_products, read_npu
from radhard.machine.device import device_name
from radhard.protection import Plan, read_plan
from radhard.report.fit_record import FitStudy, FitStudyRecord, fit_headline, fit_rows, fit_study_record
from radhard.studies.data import Data
from radhard.studies.evaluation import not_chosen, plans_recipe
from radhard.studies.model import Model
from radhard.studies.options import DataOptions, ModelOptions, RunOptions
from radhard.studies.progress import Measuring, Report
from radhard.studies.request import Request, check_only
from radhard.studies.result import Result
from radhard.studies.under_test import images_taken, name_of, recipe_of

TAKEN = ("images", "trials", "batch", "device")
"""What of a run is taken."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class FitResult(Result):
    """The FMEDA of an accelerator that runs a model; `found` has what was measured.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 8), torch.nn.Linear(8, 4)).eval()
    >>> images = torch.randn(40, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> rh.fit(model, images, hardware="npu-128", run=rh.RunOptions(trials=1))
    <FitResult: Sequential, int8, on NPU of 128 x 128 cells: ... FIT (...) of 78.6 raw are left; ASIL-D ...>
    """

    found: FitStudy

    @property
    def headline(self) -> str:
        """`fashion-vit, int8, on my NPU: residual 0.01 (0.00 - 0.05) FIT of 78.6 raw; ASIL-D met`."""
        return fit_headline(self.to_dict())

    def rows(self) -> list[dict[str, object]]:
        """One row a part."""
        return fit_rows(self.to_dict())

    def to_dict(self) -> FitStudyRecord:
        """The record of the model in `radhard fit --json`."""
        return fit_study_record(self.found)


def fit(
    model: Model,
    data: Data | None = None,
    *,
    hardware: Npu | str | Path,
    target: TargetName = "asil-d",
    plan: Plan | str | Path | None = None,
    seed: int = 0,
    model_options: ModelOptions | None = None,
    data_options: DataOptions | None = None,
    run: RunOptions | None = None,
    progress: Report | None = None,
) -> FitResult:
    """Measure what single upsets of an accelerator do, and add up the failure rates that this leaves.

    `hardware` is an accelerator, its TOML file, or the name of a preset. Each image meets one upset at a useful cycle
    in each of `run.trials` trials of each register, drawn with `seed`; images need no labels. With a `plan` the upsets
    that spoil answers are injected again with it. Images that chose the plan are refused. Errors are those of
    `under_test` and of `read_npu`; InputError for a plan of another program and for more inferences a second than the
    array can do.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 8), torch.nn.Linear(8, 4)).eval()
    >>> images = torch.randn(40, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> result = rh.fit(model, images, hardware="npu-128", run=rh.RunOptions(trials=1))
    >>> [(row["part"], row["bits"]) for row in result.rows()]
    [('register a', 131072), ('register b', 131072), ('register sum', 524288)]
    """
    npu = hardware if isinstance(hardware, Npu) else read_npu(hardware)
    wanted = target_of(target)
    chosen = plan if plan is None or isinstance(plan, Plan) else read_plan(plan)
    request = Request.of(
        model, data, model_options=model_options, data_options=data_options, run=run, progress=progress
    )
    run, report = request.run, request.report
    check_only(run, TAKEN, verb="fit")
    if chosen is not None:
        request = request.in_recipe(plans_recipe([chosen], request.model_options, model=name_of(model)))
    plans = {} if chosen is None else {"the plan": chosen}
    model_under_test = request.under_test(images=run.images, plans=plans)
    recipe = recipe_of(model_under_test, request.model_options)
    program = model_under_test.programs[recipe]
    if chosen is None:
        images = images_taken(model_under_test, run.images, progress=report)
    else:
        chosen.check(program)
        images = run.images or not_chosen([chosen], model_under_test, report=report)
        check_disjoint(chosen, model_under_test.data, images=images)
    products = array_products(program.costs).values()
    cycles = cycles_of(npu, products)
    busy = npu.busy(cycles)
    if seed < 0:
        raise InputError(f"--seed {seed}: give a whole number from 0 on")
    campaign = UpsetCampaign(
        array=npu.array.systolic,
        struck=struck_of(npu),
        images=images,
        trials=run.trials,
        seed=seed,
        batch=run.batch,
        protection=None if chosen is None else chosen.protection,
        progress=_telling(report, model=model_under_test.model, recipe=recipe),
    )
    outcomes = campaign.measure(model_under_test, program)
    return FitResult(
        found=FitStudy(
            model=model_under_test.model,
            recipe=recipe,
            program=program.digest,
            data=model_under_test.data.name,
            npu=npu,
            cycles=cycles,
            busy=busy,
            images=images,
            trials=run.trials,
            seed=seed,
            device=device_name(model_under_test.device),
            plan=chosen,
            fmeda=fmeda_of(npu, products, outcomes, busy=busy),
            target=wanted,
        ),
        skipped=request.skipped,
    )


def _telling(report: Report, *, model: str, recipe: str) -> Callable[[int, int], None]:
    """What a campaign tells of inferences done and to do, as events of a verb."""
    began = time.perf_counter()

    def tell(done: int, total: int) -> None:
        seconds = max(time.perf_counter() - began, 1e-9)
        event = Measuring(
            model=model,
            task="",
            done=done,
            total=total,
            images_per_second=done / seconds,
            seconds_left=seconds * (total - done) / done,
            recipe=recipe,
            ber=0.0,
            known="",
        )
        report(event)

    return tell
