"""`radhard evaluate`: accuracy, or agreement, and overhead of plans on images that did not choose them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radhard.cli import files, options, parse
from radhard.cli.options import OutputOptions, ProgressOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, PROTECTION
from radhard.errors import InputError
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, PlanOptions, RunOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from radhard.studies.evaluation import Evaluated
    from radhard.studies.progress import Report


def evaluate(
    ctx: typer.Context,
    models: options.Models,
    plan: Annotated[
        list[Path],
        typer.Option(
            help="a plan file, or a folder of them; repeatable. Each model takes its own plans",
            rich_help_panel=PROTECTION,
        ),
    ],
    data_options: DataOptions,
    faults: FaultOptions,
    run: Annotated[RunOptions, options.one_trial()],
    told: ProgressOptions,
    output: Annotated[
        OutputOptions, options.written(csv="one row a configuration and BER", plot="accuracy and overhead")
    ],
    overhead: Annotated[PlanOptions, taken(only=("weights",))],
    data: options.DataOption = "fashion-mnist",
    ber: Annotated[
        str | None,
        typer.Option(
            help="1e-9,1e-8 or 1e-9:1e-5:9, with one plan per model; default: the rates of the plans",
            rich_help_panel=FAULTS,
        ),
    ] = None,
    flips: options.FlipsOption = None,
    fault_model: options.FaultModelOption = None,
) -> None:
    """Measure plans: unprotected, ranges only, products only, both; under the same faults, and without faults.

    Overhead counts executed operations. Images that chose a plan are refused. The verdict on the target is repeated on
    these images, and without labels is on agreement with the fault-free answers. The recipe is that of the plan.
    """
    each, rates = models.each, None if ber is None else parse.rates(ber)
    counts = None if flips is None else parse.counts(flips, ber=ber)
    parse.check_upset(fault_model, ber=ber, flips=flips)
    paths = parse.files(plan, option="--plan", suffix=".json")
    written = files.to_write(ctx, csv=output.csv, plot=output.plot, store=run.store)

    from radhard.cli.live import of_each
    from radhard.cli.notes import notes, show_results
    from radhard.protection import read_plan
    from radhard.report.configurations.figure import draw_configurations
    from radhard.report.configurations.points import configurations_data
    from radhard.report.configurations.record import write_configurations
    from radhard.report.configurations.table import configurations_table
    from radhard.report.configurations.target import target_line
    from radhard.studies.evaluation import check_rates, plans_recipe
    from radhard.studies.evaluation import evaluate as verb
    from radhard.studies.open_workers import with_open_workers
    from radhard.studies.settings import settings_of

    plans = {path: read_plan(path) for path in paths}
    own = {model: {path: one for path, one in plans.items() if one.model == model} for model in each}
    for model, found in own.items():
        if not found:
            held = ", ".join(sorted({one.model for one in plans.values()})) or "none"
            raise InputError(
                f"--plan: none of the plans is for {model}; they are for {held}: make one by `radhard plan`"
            )
        check_rates(list(found.values()), model=model, rates=rates, counts=counts)
        plans_recipe(list(found.values()), models.shared, model=model)
    settings = settings_of(
        models,
        data_options,
        faults,
        run,
        data=data,
        plan=paths,
        ber=rates,
        flips=counts,
        faults=fault_model,
        weights=overhead.weights,
    )

    def measured(model: str, model_options: ModelOptions, report: "Report") -> "Evaluated":
        return verb(
            model,
            data,
            plan=list(own[model]),
            ber=rates,
            flips=counts,
            fault_model=fault_model,
            weights=overhead.weights,
            model_options=model_options,
            data_options=data_options,
            faults=faults,
            run=run,
            progress=report,
        )

    with with_open_workers(run) as run:  # one set of workers for all models
        results = of_each(each, measured, console=notes(), told=told)
    evaluations = [result.evaluation for result in results]

    def parts() -> "Iterator[RenderableType]":
        for result in results:
            yield configurations_table(result.evaluation)
            yield from map(target_line, result.checks)

    written.end(
        lambda: show_results(results, ctx, output=output, settings=settings, parts=parts),
        csv=lambda file: write_configurations(evaluations, file),
        plot=lambda file: draw_configurations(configurations_data(evaluations), file),
    )
