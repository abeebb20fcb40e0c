"""`radhard plan`: chooses which products and operators of a model to protect, and how, within limits."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from radhard.cli import completion, files, options, parse
from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, OUTPUT, PROTECTION, RUN
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions


def plan(
    ctx: typer.Context,
    model: options.Model,
    ber: Annotated[
        str, typer.Option(help="the bit error rate that the model must stand, such as 1e-8", rich_help_panel=FAULTS)
    ],
    model_options: ModelOptions,
    data_options: DataOptions,
    faults: FaultOptions,
    run: Annotated[
        RunOptions,
        taken(
            but=("shard", "until_width"),
            helps={
                "images": "how many images choose the plan; none evaluates it. Default: 500, or a quarter of fewer "
                "than 2,000",
                "trials": "how often each image is run",
                "chunk": "images a unit of work: a killed run loses these; the interval of overhead is of units",
            },
            trials=1,
            batch=100,
            chunk=100,
        ),
    ],
    output: Annotated[
        OutputOptions,
        taken(
            helps={
                "csv": "write the frontier to this .csv file",
                "plot": "draw accuracy over overhead into this .png or .svg file",
            }
        ),
    ],
    data: options.Data = "fashion-mnist",
    scheme: Annotated[
        str,
        typer.Option(
            help="how: a scheme and its options behind colons, such as lb-abft:policy=leave:ranges=none",
            autocompletion=completion.schemes,
            rich_help_panel=PROTECTION,
        ),
    ] = "row-abft",
    max_loss: Annotated[
        float,
        typer.Option(help="percentage points of clean accuracy that may be lost", rich_help_panel=PROTECTION),
    ] = 2.0,
    max_overhead: Annotated[
        float,
        typer.Option(
            help="operations of protection, in percent of the model's, by --weights", rich_help_panel=PROTECTION
        ),
    ] = 2.0,
    strategy: Annotated[
        Literal["algorithm1", "gain"],
        typer.Option(
            help="order: layers, then products by vulnerability (Algorithm 1), or by gain an operation",
            rich_help_panel=PROTECTION,
        ),
    ] = "algorithm1",
    grain: Annotated[
        Literal["site", "layer"],
        typer.Option(help="protect one product more at a time, or a layer's", rich_help_panel=PROTECTION),
    ] = "site",
    frontier: Annotated[
        Literal["whole", "needed"],
        typer.Option(help="measure all steps, or until a limit is passed", rich_help_panel=PROTECTION),
    ] = "whole",
    judge: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="how many further images judge whether it meets the target; default: as many",
            rich_help_panel=RUN,
        ),
    ] = None,
    level: Annotated[
        float,
        typer.Option(
            help="confidence of a target called met: of one-sided limits, in percent", rich_help_panel=PROTECTION
        ),
    ] = 95.0,
    weights: options.Weights = options.DEFAULT_WEIGHTS,
    out: Annotated[Path, typer.Option(help="the plan's file", rich_help_panel=OUTPUT)] = Path("plan.json"),
    beside: Annotated[
        list[Path] | None,
        typer.Option(help="draw this plan's frontier too; repeatable", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Choose a protection by Algorithm 1 (or by gain an operation) that keeps the accuracy within an overhead.

    Some images choose, others judge: the target is met if the upper limit of the loss on these is within it, not met
    if the lower one is beyond it; else they cannot tell, and how many would is said. Targets that cannot be met end
    with the most protected plan within the overhead, and say which limit was in the way.
    """
    rate, counts = parse.rate(ber), parse.weights(weights)
    others = parse.files(list(beside or []), option="--beside", suffix=".json")
    written = files.to_write(ctx, csv=output.csv, plot=output.plot, out=out, suffixes=(".json",), store=run.store)

    from radhard.analysis.overhead import Weights
    from radhard.cli.live import Position, watching
    from radhard.cli.notes import notes, show, show_json
    from radhard.protection import read_plan, write_plan
    from radhard.report.frontier import frontier_data, write_frontier
    from radhard.report.frontier_figure import draw_frontier
    from radhard.report.plan import plan_summary, plan_table
    from radhard.report.record import envelope
    from radhard.studies.planning import plan as verb
    from radhard.studies.settings import settings_of

    drawn = [read_plan(path) for path in others]
    own: dict[str, Any] = {
        "scheme": scheme,
        "max_loss": max_loss,
        "max_overhead": max_overhead,
        "level": level,
        "strategy": strategy,
        "grain": grain,
        "frontier": frontier,
        "judge": judge,
    }
    settings = settings_of(
        model_options, data_options, faults, run, model=model, data=data, ber=rate, weights=counts, **own
    )
    with watching(Position(model=model), console=notes()) as report:
        result = verb(
            model,
            data,
            ber=rate,
            **own,
            weights=Weights(**counts),
            model_options=model_options,
            data_options=data_options,
            faults=faults,
            run=run,
            progress=report,
        )
    found = result.plan

    def end() -> None:
        if output.json_:
            show_json(envelope(ctx.meta["command"], settings, [result.to_dict()]))
        else:
            show([*([plan_table(found)] if found.protection.sites else []), *plan_summary(found)])

    written.end(
        end,
        out=lambda file: write_plan(found, file),
        csv=lambda file: write_frontier([found], file),
        plot=lambda file: draw_frontier(frontier_data([found, *drawn]), file),
    )
    if not output.json_:
        then = f"; `radhard evaluate {model} --plan {out}` measures it on other images" * bool(found.protection.sites)
        show([f"The plan is {out}{then}."])
