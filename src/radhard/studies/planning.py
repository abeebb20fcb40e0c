"""The verb `plan`: what to protect, and how, within limits of loss and overhead."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from radhard.analysis.noninferiority import images_needed
from radhard.campaign.model_under_test import ModelUnderTest, shared
from radhard.errors import InputError, WorkerError, in_python
from radhard.machine.device import device_name
from radhard.protection import Plan, read_method
from radhard.report.frontier import frontier_data, frontier_rows
from radhard.report.plan import judged_line
from radhard.report.plan_record import PlannedRecord, planned_record
from radhard.studies.choosing import Chooser, Target
from radhard.studies.configurations import check_whole
from radhard.studies.data import Data
from radhard.studies.model import Model
from radhard.studies.options import ONE_TRIAL, DataOptions, FaultOptions, ModelOptions, PlanOptions, RunOptions
from radhard.studies.ordering import Ordering, reporting
from radhard.studies.percent import share
from radhard.studies.planner import Planner, plan_of
from radhard.studies.progress import Note, Report
from radhard.studies.request import Request
from radhard.studies.result import DrawnResult, FigureTarget
from radhard.studies.under_test import recipe_of


@dataclass(frozen=True, kw_only=True, repr=False)
class Planned(DrawnResult):
    """A `plan`, which `write_plan` writes and `harden` deploys, and the `device` that measured it.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.randn(160, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> labels = model(images).argmax(1)
    >>> run, within = rh.RunOptions(images=40, trials=1), rh.PlanOptions(scheme="tmr", max_loss=20, max_overhead=250)
    >>> planned = rh.plan(model, (images, labels), ber=1e-5, plan_options=within, run=run)
    >>> hardened = rh.harden(model, planned.plan, calibration=[images])
    >>> hardened(images).shape
    torch.Size([160, 4])
    """

    plan: Plan
    device: str

    @property
    def headline(self) -> str:
        """`fashion-vit at BER 1e-08, 12 sites protected: met: at most 1.90 points are lost (...)`."""
        plan, count = self.plan, len(self.plan.protection.sites)
        protected = f"{count} site{'' if count == 1 else 's'} protected"
        return f"{plan.model} at BER {plan.ber:.3g}, {protected}: {in_python(judged_line(plan))}"

    def rows(self) -> list[dict[str, object]]:
        """One row a step of the frontier, the chosen one marked."""
        return frontier_rows([self.plan])

    def to_dict(self) -> PlannedRecord:
        """The record of the model in `radhard plan --json`."""
        return planned_record(self.plan, device=self.device)

    def plot(self, target: FigureTarget) -> None:
        """Draw accuracy over overhead of the steps into a file, or on axes."""
        from radhard.report.frontier_figure import draw_frontier, draw_frontier_on

        data = frontier_data([self.plan])
        if isinstance(target, str | Path):
            draw_frontier(data, Path(target))
        else:
            target.legend(handles=draw_frontier_on(data, target), frameon=False, fontsize=9)


def plan(
    model: Model,
    data: Data | None = None,
    *,
    ber: float,
    plan_options: PlanOptions | None = None,
    model_options: ModelOptions | None = None,
    data_options: DataOptions | None = None,
    faults: FaultOptions | None = None,
    run: RunOptions | None = None,
    progress: Report | None = None,
) -> Planned:
    """Choose what to protect, so that loss and overhead at bit error rate `ber` stay within `plan_options`.

    `run.images` images choose the plan (default: 500, or a quarter of all if there are fewer than 2,000), and `judge`
    other images judge it, at a confidence of `level` percent. If no plan meets the target, the result is the most
    protected plan within the overhead. Of images without labels losses are points of agreement: of answers that are
    those without faults. Errors are those of `under_test`; InputError for numbers out of range and for
    too few images.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.randn(160, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> labels = model(images).argmax(1)
    >>> run, within = rh.RunOptions(images=40, trials=1), rh.PlanOptions(scheme="tmr", max_loss=20, max_overhead=250)
    >>> planned = rh.plan(model, (images, labels), ber=1e-5, plan_options=within, run=run)
    >>> planned.plan.verdict in ("met", "not met", "cannot tell")
    True
    """
    run = run or ONE_TRIAL
    request = Request.of(
        model, data, model_options=model_options, data_options=data_options, faults=faults, run=run, progress=progress
    )
    options, report = plan_options or PlanOptions(), request.report
    check_whole(run)
    target = _target(options)
    method = read_method(options.scheme) if isinstance(options.scheme, str) else options.scheme
    if not 0 < ber <= 1:
        why = "nothing flips, and nothing needs protection; give a rate above 0" if ber == 0 else "it is no probability"
        raise InputError(f"--ber {ber:g}: {why}")
    with request.resources() as resources:
        wanted = None if run.images is None else run.images + (options.judge or run.images)
        model_under_test = request.under_test(images=wanted, store=resources.store, part="select")
        choosing = run.images or min(500, max(1, len(model_under_test.data) // 4))
        judging = options.judge or choosing
        choosers, judges = shared(model_under_test, choosing, judging)
        for line in _on_images(choosing, judging, target=target):
            report(Note(model=model_under_test.model, line=line))

        def on(images: ModelUnderTest) -> Ordering:
            set_up = request.on(images, resources)
            return Ordering(
                model_under_test=images,
                plain=set_up.at(ber),
                images=len(images.data),
                trials=run.trials,
                store=resources.store,
                executor=set_up.executor,
                follow=reporting(model_under_test.model, report),
            )

        chooser = Chooser(
            ordering=on(choosers),
            protectable=model_under_test.protectable(
                recipe_of(model_under_test, request.model_options), words=request.faults.words
            ),
            method=method,
            target=target,
            weights=options.weights,
            strategy=options.strategy,
            grain=options.grain,
            frontier=options.frontier,
            chunk=run.chunk,
        )
        planner = Planner(chooser=chooser, judging=on(judges))
        decision = planner.plan()
        _check_whole_images(request.skipped)
        result = Planned(plan=plan_of(planner, decision), device=device_name(model_under_test.device))
        program = model_under_test.programs[recipe_of(model_under_test, request.model_options)]
        return request.kept(result, resources, verb="plan", program=program, ber=ber, **vars(options))


def _check_whole_images(skipped: tuple[str, ...]) -> None:
    """Raise WorkerError if jobs were skipped: steps of a plan are compared on the same images."""
    if skipped:
        raise WorkerError(
            f"{len(skipped)} job(s) ended their workers again and again, the first is {skipped[0]}: no plan is made of "
            "the images that are left. What was measured is in the store, and the same command tries them again; give "
            "fewer workers or a smaller --batch if memory ran out"
        )


def _target(options: PlanOptions) -> Target:
    """Percent -> shares. InputError names what is out of its range."""
    level = options.level
    if not 50 < level < 99.9:
        raise InputError(f"--level {level:g}: give the confidence in percent, above 50 and below 99.9, such as 95")
    return Target(
        loss=share(options.max_loss, option="--max-loss"),
        overhead=share(options.max_overhead, option="--max-overhead"),
        level=level / 100,
    )


def _on_images(choosing: int, judging: int, *, target: Target) -> Iterator[str]:
    """What to say of the images that choose and judge; and whether those that judge are too few for any answer."""
    yield f"{choosing:,} images choose, {judging:,} others judge (--images, --judge)"
    if target.loss and (least := images_needed(target.loss, level=target.level)) > judging:
        yield (
            f"{judging} images that judge cannot show that at most {100 * target.loss:g} points are lost, whatever "
            f"they answer: at {100 * target.level:g} % that takes {least:,.0f} of which no answer differs, and more "
            "where some do (--judge)"
        )
