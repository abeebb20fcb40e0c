"""`radhard plan`: which products and operators of a model to protect, and how, within limits."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from radhard.cli import options, outputs, parse
from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, OUTPUT, PROTECTION, RUN
from radhard.errors import InputError
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions
from radhard.version import VERSION

if TYPE_CHECKING:
    from radhard.campaign.bench import Bench


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
    rate, where, recipe = parse.rate(ber), faults.where, model_options.recipe
    if rate == 0:
        raise InputError("--ber 0: nothing flips, and nothing needs protection; give a rate above 0")
    lost, most = parse.percent(max_loss, option="--max-loss"), parse.percent(max_overhead, option="--max-overhead")
    each, sure = parse.weights(weights), parse.percent(level, option="--level")
    if not 50 < level < 99.9:
        raise InputError(f"--level {level:g}: give the confidence in percent, above 50 and below 99.9, such as 95")
    others = parse.files(list(beside or []), option="--beside", suffix=".json")
    written = outputs.opened(ctx, csv=output.csv, plot=output.plot, out=out, suffixes=(".json",), store=run.store)

    from radhard.analysis.noninferiority import images_needed
    from radhard.analysis.overhead import Weights
    from radhard.campaign.bench import faulty_setting, shared
    from radhard.campaign.executor import InProcess
    from radhard.cli.bench import opened, prepared, source_of
    from radhard.cli.live import Course, following
    from radhard.cli.notes import notes
    from radhard.cli.notes import output as results
    from radhard.machine.device import device_name
    from radhard.models.data.splits import check_labelled
    from radhard.protection import read_method, read_plan, write_plan
    from radhard.report.frontier import frontier_data, write_frontier
    from radhard.report.frontier_figure import draw_frontier
    from radhard.report.plan import plan_summary, plan_table
    from radhard.studies.choosing import Chooser, Target
    from radhard.studies.ordering import Ordering
    from radhard.studies.planning import Planner, plan_of

    method = read_method(scheme)
    drawn = [read_plan(path) for path in others]
    for path, other in zip(others, drawn, strict=True):
        try:
            frontier_data([other])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"--beside {path}: its frontier is damaged ({error!r}); make the plan again") from error
    console = notes()
    target = Target(loss=lost, overhead=most, level=sure)
    source = source_of(data, data_options, faults=faults, device=run.device, part="select")
    with opened(run.store) as kept:
        asked = None if run.images is None else run.images + (judge or run.images)
        whole = prepared(source, model, model_options, images=asked, console=console, store=kept)
        check_labelled(whole.data, doing="plan")
        choosing = run.images or min(500, max(1, len(whole.data) // 4))
        judging = judge or choosing
        if choosing + judging > len(whole.data):
            raise InputError(
                f"{choosing} images are to choose and {judging} to judge, {whole.data.name} has {len(whole.data)}: ask "
                "for fewer (--images, --judge)"
            )
        console.print(f"{choosing:,} images choose, {judging:,} others judge (--images, --judge)")
        if lost and (least := images_needed(lost, level=sure)) > judging:
            console.print(
                f"{judging} images that judge cannot show that at most {max_loss:g} points are lost, whatever they "
                f"answer: at {level:g} % that takes {least:,.0f} of which no answer differs, and more where some do "
                "(--judge)",
                highlight=False,
                markup=False,
            )
        following_ = following(Course(model=model), console=console)

        def on(bench: "Bench", count: int) -> Ordering:
            return Ordering(
                bench=bench,
                plain=faulty_setting(
                    bench, recipe, ber=rate, kinds=faults.kinds, where=where, seed=faults.seed, words=faults.words
                ),
                images=count,
                trials=run.trials,
                store=kept,
                executor=InProcess(bench=bench, batch=run.batch),
                follow=following_,
            )

        choosers, judges = shared(whole, choosing, judging)
        chooser = Chooser(
            ordering=on(choosers, choosing),
            hardening=whole.hardening(recipe, words=faults.words),
            method=method,
            target=target,
            weights=Weights(**each),
            strategy=strategy,
            grain=grain,
            frontier=frontier,
            chunk=run.chunk,
        )
        planner = Planner(chooser=chooser, judging=on(judges, judging))
        found = plan_of(planner, planner.plan())

    def show() -> None:
        if output.json_:
            made = {"radhard": VERSION, "command": ctx.meta["command"]}
            record = {**made, "device": device_name(whole.device), "plan": found.as_dict()}
            typer.echo(json.dumps(record, allow_nan=False))
            return
        shown = results()
        if found.protection.sites:
            shown.print(plan_table(found))
        for line in plan_summary(found):
            shown.print(line, highlight=False, markup=False, soft_wrap=True)

    written.end(
        show,
        out=lambda file: write_plan(found, file),
        csv=lambda file: write_frontier([found], file),
        plot=lambda file: draw_frontier(frontier_data([found, *drawn]), file),
    )
    if not output.json_:
        then = f"; `radhard evaluate {model} --plan {out}` measures it on other images" * bool(found.protection.sites)
        line = f"The plan is {out}{then}."
        results().print(line, highlight=False, markup=False, soft_wrap=True)
