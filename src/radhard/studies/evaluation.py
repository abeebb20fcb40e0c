"""The verb `evaluate`: accuracy, or agreement, and overhead of plans on images that did not choose them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from radhard.analysis.configurations import Configuration, plan_configurations
from radhard.analysis.judging import TargetCheck, check_target
from radhard.analysis.overhead import Weights
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.campaign.selection import before_any, check_disjoint, seen_by
from radhard.errors import InputError, in_python
from radhard.hardware import FaultModel
from radhard.protection import Plan, read_plan
from radhard.report.configurations.record import EvaluatedRecord, evaluated_record
from radhard.report.configurations.target import target_line
from radhard.studies.configurations import ConfigurationsResult, check_whole, measure
from radhard.studies.data import Data
from radhard.studies.fault_amount import counts_of, rates_of, told_of, upset_of
from radhard.studies.model import Model
from radhard.studies.options import ONE_TRIAL, DataOptions, FaultOptions, ModelOptions, RunOptions
from radhard.studies.progress import Note, Report
from radhard.studies.request import Request
from radhard.studies.under_test import images_taken, name_of

Plans = Plan | str | Path | Sequence[Plan | str | Path]
"""A plan or several, each a value or its file."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Evaluated(ConfigurationsResult):
    """What plans gave, and whether their targets are met on these images: a check for each plan that states one.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.randn(160, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> labels = model(images).argmax(1)
    >>> run, within = rh.RunOptions(images=40, trials=1), rh.PlanOptions(scheme="tmr", max_loss=20, max_overhead=250)
    >>> planned = rh.plan(model, (images, labels), ber=1e-5, plan_options=within, run=run)
    >>> rh.evaluate(model, (images, labels), plan=planned.plan, run=rh.RunOptions(images=20, trials=1))
    <Evaluated: Sequential...>
    """

    checks: tuple[TargetCheck, ...] = ()

    @property
    def headline(self) -> str:
        """`fashion-vit: plan for BER 1e-08: met: at most 1.30 points are lost ...`."""
        found = [in_python(target_line(check)) for check in self.checks]
        return f"{self.evaluation.model_under_test.model}: {'; '.join(found) or 'plans that state no target'}"

    def to_dict(self) -> EvaluatedRecord:
        """The record of the model in `radhard evaluate --json`."""
        return evaluated_record(self.evaluation, self.checks)


def evaluate(
    model: Model,
    data: Data | None = None,
    *,
    plan: Plans,
    ber: float | Sequence[float] | None = None,
    flips: int | Sequence[int] | None = None,
    fault_model: str | FaultModel | None = None,
    weights: Weights | None = None,
    model_options: ModelOptions | None = None,
    data_options: DataOptions | None = None,
    faults: FaultOptions | None = None,
    run: RunOptions | None = None,
    progress: Report | None = None,
) -> Evaluated:
    """Measure plans: nothing protected, ranges alone, products alone, both; under the same faults, and under none.

    A plan is measured at its own rate, or one plan at each rate of `ber`, at so many `flips` an inference, or with one
    upset an inference of a `fault_model`, such as `RegisterUpsets()`; in its own recipe. Its target is one at its own
    rate, and is checked there alone; of images without labels in points of agreement (the share of answers that are
    those without faults), of which no fewer are lost than of accuracy. Overhead counts the operations that were
    executed, by `weights`. Images that chose a plan are refused; `run.images` that is left out ends before the first of
    these. InputError for plans of another program, of several recipes, or several for one rate; other errors are those
    of `under_test`.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.randn(160, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> labels = model(images).argmax(1)
    >>> run, within = rh.RunOptions(images=40, trials=1), rh.PlanOptions(scheme="tmr", max_loss=20, max_overhead=250)
    >>> planned = rh.plan(model, (images, labels), ber=1e-5, plan_options=within, run=run)
    >>> found = rh.evaluate(model, (images, labels), plan=planned.plan, run=rh.RunOptions(images=20, trials=1))
    >>> "unprotected" in {row["configuration"] for row in found.rows()}
    True
    """
    run = run or ONE_TRIAL
    request = Request.of(
        model, data, model_options=model_options, data_options=data_options, faults=faults, run=run, progress=progress
    )
    report = request.report
    check_whole(run)
    plans = plans_of(plan)
    upset = upset_of(fault_model, faults=request.faults, ber=ber, flips=flips)
    counts = (1,) if upset is not None else None if flips is None else counts_of(flips, ber=ber)
    rates = None if ber is None else rates_of(ber)
    check_rates(list(plans.values()), model=name_of(model), rates=rates, counts=counts)
    request = request.in_recipe(plans_recipe(list(plans.values()), request.model_options, model=name_of(model)))
    recipe = request.model_options.recipe
    report(Note(model=name_of(model), line=f"{name_of(model)}: recipe {recipe}, which the plan is for"))
    with request.resources() as resources:
        set_up = request.set_up(resources, images=run.images, plans=plans)
        model_under_test = set_up.model_under_test
        ordered = sorted(plans.values(), key=lambda one: one.ber)
        images = run.images or not_chosen(ordered, model_under_test, report=report)
        configurations: list[Configuration] = []
        for one in ordered:
            one.check(model_under_test.programs[set_up.recipe])
            check_disjoint(one, model_under_test.data, images=images)
            if one.labelled != model_under_test.data.labelled:
                report(Note(model=model_under_test.model, line=_other_measure(one)))
            if upset is not None:
                settings = [set_up.at(0.0), set_up.upset(upset)]
            elif counts is None:
                settings = [set_up.at(rate) for rate in dict.fromkeys((0.0, *(rates or (one.ber,))))]
            else:
                settings = [set_up.counted(count) for count in (0, *counts)]
            note = f"plan for BER {one.ber:g}" if len(ordered) > 1 else ""
            configurations += plan_configurations(settings, protection=one.protection, note=note)
        found = measure(set_up, configurations, images=images, weights=weights or Weights())
        checks = (check_target(one, found.outcomes, images=images) for one in ordered)
        met = tuple(check for check in checks if check is not None)
        result = Evaluated(evaluation=found, checks=met, skipped=request.skipped)
        program = model_under_test.programs[set_up.recipe]
        asked = {"plan": list(plans), "ber": rates, "flips": counts, "weights": weights, **told_of(upset)}
        return request.kept(result, resources, verb="evaluate", program=program, **asked)


def _other_measure(plan: Plan) -> str:
    """What to say where one of a plan and the images that evaluate it has labels, and the other none."""
    if plan.labelled:
        return "the plan was chosen by accuracy; these images have no labels, and its target is checked by agreement"
    return "the plan was chosen by agreement, without labels; its target is checked by accuracy, which loses no more"


def plans_of(plan: Plans) -> dict[str, Plan]:
    """Plans by what to call them: those of files by their paths. InputError for none, and as `read_plan` does."""
    given = [plan] if isinstance(plan, Plan | str | Path) else list(plan)
    if not given:
        raise InputError("--plan: give one plan or more")
    return {
        f"plan {one}" if not isinstance(one, Plan) else f"plan {number}": one
        if isinstance(one, Plan)
        else read_plan(Path(one))
        for number, one in enumerate(given, start=1)
    }


def check_rates(
    plans: Sequence[Plan], *, model: str, rates: tuple[float, ...] | None, counts: tuple[int, ...] | None = None
) -> None:
    """Raise InputError for several plans at given rates or counts, or two for the same rate."""
    option = "--ber" if rates is not None else "--flips"
    if (rates is not None or counts is not None) and len(plans) > 1:
        raise InputError(f"{option} with {len(plans)} plans for {model}: give one plan, or leave {option} out")
    if len({one.ber for one in plans}) != len(plans):
        raise InputError(f"--plan: two plans for {model} are for the same bit error rate; give one for each")


def plans_recipe(plans: Sequence[Plan], options: ModelOptions, *, model: str) -> str:
    """The recipe that plans are for. InputError for plans of two, and where the options state another."""
    recipe, *others = dict.fromkeys(plan.recipe for plan in plans)
    if others:
        names = " and ".join((recipe, *others))
        raise InputError(f"--plan: the plans for {model} are for recipes {names}; give those of one")
    if options.recipe not in (None, recipe):
        raise InputError(
            f"--recipe {options.recipe}: the plan for BER {plans[0].ber:g} is for the recipe {recipe}; leave --recipe "
            f"out, or make a plan for {options.recipe} with `radhard plan`"
        )
    return recipe


def not_chosen(plans: Sequence[Plan], model_under_test: ModelUnderTest, *, report: Report) -> int:
    """How many images are taken by default: those before the first that chose one of the plans; which is told."""
    wanted = images_taken(model_under_test, None, progress=report)
    apart = before_any(model_under_test.data, seen=[seen_by(plan) for plan in plans], most=wanted)
    if not apart:
        raise InputError(
            f"--plan: the first image of {model_under_test.data.name} chose the plan; give other images (--data)"
        )
    if apart < wanted:
        text = f"the first {apart:,} of these are evaluated: the next one chose a plan"
        report(Note(model=model_under_test.model, line=text))
    return apart
