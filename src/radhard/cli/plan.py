"""`radhard plan`: chooses which products and operators of a model to protect, and how, within limits."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import files, options, parse
from radhard.cli.options import OutputOptions, ProgressOptions
from radhard.cli.spelling import FAULTS, OUTPUT
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, PlanOptions, RunOptions


def plan(
    ctx: typer.Context,
    model: options.ModelArgument,
    ber: Annotated[str, typer.Option(help="the bit error rate to plan for, such as 1e-8", rich_help_panel=FAULTS)],
    model_options: ModelOptions,
    data_options: DataOptions,
    faults: FaultOptions,
    plan_options: PlanOptions,
    run: Annotated[
        RunOptions,
        options.one_trial(
            images="how many images choose the plan; none evaluates it. Default: 500, or a quarter of fewer than 2,000",
            trials="how often each image is run",
        ),
    ],
    told: ProgressOptions,
    output: Annotated[OutputOptions, options.written(csv="the frontier", plot="accuracy over overhead")],
    data: options.DataOption = "fashion-mnist",
    out: Annotated[Path, typer.Option(help="the plan's file", rich_help_panel=OUTPUT)] = Path("plan.json"),
    beside: Annotated[
        list[Path] | None,
        typer.Option(help="draw this plan's frontier too; repeatable", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Choose a protection that keeps the loss of accuracy and the overhead within limits, by Algorithm 1 or by gain.

    Some images choose the plan, others judge it. The target is met if the upper confidence limit of the loss is within
    it, and not met if the lower limit is beyond it. Otherwise the images cannot tell, and the command says how many
    would. Without labels losses are of agreement with the fault-free answers. If the target cannot be met, the result
    is the most protected plan within the overhead, with the reason.
    """
    rate = parse.rate(ber)
    others = parse.files(list(beside or []), option="--beside", suffix=".json")
    written = files.to_write(ctx, csv=output.csv, plot=output.plot, out=out, suffixes=(".json",), store=run.store)

    from radhard.cli.live import Position, watching
    from radhard.cli.notes import notes, show, show_results
    from radhard.protection import read_plan, write_plan
    from radhard.report.frontier import frontier_data, write_frontier
    from radhard.report.frontier_figure import draw_frontier
    from radhard.report.plan import plan_summary, plan_table
    from radhard.studies.planning import plan as verb
    from radhard.studies.settings import settings_of

    drawn = [read_plan(path) for path in others]
    settings = settings_of(model_options, data_options, faults, run, plan_options, model=model, data=data, ber=rate)
    with watching(Position(model=model), console=notes(), asked=told) as report:
        result = verb(
            model,
            data,
            ber=rate,
            plan_options=plan_options,
            model_options=model_options,
            data_options=data_options,
            faults=faults,
            run=run,
            progress=report,
        )
    found = result.plan

    def end() -> None:
        table = [plan_table(found)] if found.protection.sites else []
        show_results([result], ctx, output=output, settings=settings, parts=lambda: [*table, *plan_summary(found)])

    written.end(
        end,
        out=lambda file: write_plan(found, file),
        csv=lambda file: write_frontier([found], file),
        plot=lambda file: draw_frontier(frontier_data([found, *drawn]), file),
    )
    if not output.json_:
        then = f"; `radhard evaluate {model} --plan {out}` measures it on other images" * bool(found.protection.sites)
        show([f"The plan is {out}{then}."])
