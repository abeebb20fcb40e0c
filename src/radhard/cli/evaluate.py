"""`radhard evaluate`: what plans are worth on images that did not choose them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radhard.cli import options, outputs, parse
from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, PROTECTION
from radhard.errors import InputError
from radhard.studies.options import DataOptions, FaultOptions, RunOptions

if TYPE_CHECKING:
    from rich.console import Console

    from radhard.analysis.configurations import Configuration, Evaluation
    from radhard.campaign.bench import Bench
    from radhard.cli.live import Course
    from radhard.protection import Plan


def evaluate(
    ctx: typer.Context,
    models: options.Models,
    plan: Annotated[
        list[Path],
        typer.Option(
            help="a plan's file, or a folder of them; repeatable. Each model takes those that are for it",
            rich_help_panel=PROTECTION,
        ),
    ],
    data_options: DataOptions,
    faults: FaultOptions,
    run: Annotated[
        RunOptions,
        taken(
            but=("shard", "until_width"),
            helps={
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
                "csv": "write one row a configuration and BER to this .csv file",
                "plot": "draw accuracy and overhead into this .png or .svg file",
            }
        ),
    ],
    data: options.Data = "fashion-mnist",
    ber: Annotated[
        str | None,
        typer.Option(
            help="1e-9,1e-8 or 1e-9:1e-5:9, with one plan a model; default: the rates of the plans",
            rich_help_panel=FAULTS,
        ),
    ] = None,
    weights: options.Weights = options.DEFAULT_WEIGHTS,
) -> None:
    """Measure plans: unprotected, ranges alone, products alone, both; under the same faults, and under none.

    Overhead counts the operations that were executed. Images that chose a plan are refused.
    """
    each, where, recipe = models.each, faults.where, models.shared.recipe
    rates = None if ber is None else parse.rates(ber)
    costs = parse.weights(weights)
    paths = parse.files(plan, option="--plan", suffix=".json")
    written = outputs.opened(ctx, csv=output.csv, plot=output.plot, store=run.store)

    from radhard.analysis.configurations import evaluated
    from radhard.analysis.overhead import Weights
    from radhard.campaign.bench import clean_setting, faulty_setting
    from radhard.campaign.held_out import check_held_out
    from radhard.cli.bench import of_each, opened, source_of
    from radhard.cli.conditions import Bed, show
    from radhard.cli.notes import notes
    from radhard.models.data.splits import check_labelled
    from radhard.protection import read_plan

    console = notes()
    plans = {f"plan {path}": read_plan(path) for path in paths}
    of_model = _by_model(list(plans.values()), models=list(each), rates=rates)
    called = {model: {name: one for name, one in plans.items() if one.model == model} for model in each}
    with opened(run.store) as kept:
        bed = Bed(
            trials=run.trials,
            chunk=run.chunk,
            batch=run.batch,
            weights=Weights(**costs),
            store=kept,
            console=console,
        )

        def measured(bench: "Bench", course: "Course") -> "Evaluation":
            configurations: list[Configuration] = []
            check_labelled(bench.data, doing="evaluate")
            taken = run.images or _not_chosen(of_model[bench.model], bench, console=console)
            for one in of_model[bench.model]:
                one.check(bench.programs[recipe])
                check_held_out(one, bench.data, images=taken)
                at = (0.0, *(rates or (one.ber,)))
                settings = [
                    clean_setting(bench, recipe)
                    if rate == 0
                    else faulty_setting(
                        bench, recipe, ber=rate, kinds=faults.kinds, where=where, seed=faults.seed, words=faults.words
                    )
                    for rate in dict.fromkeys(at)
                ]
                note = f"plan for BER {one.ber:g}" if len(of_model[bench.model]) > 1 else ""
                configurations += evaluated(settings, protection=one.protection, note=note)
            return bed.measure(bench, configurations, images=taken, course=course)

        found = of_each(
            each,
            measured,
            source=source_of(data, data_options, faults=faults, device=run.device),
            images=run.images,
            console=console,
            store=kept,
            plans=called,
        )
    show(found, command=ctx.meta["command"], written=written, form="json" if output.json_ else "table")


def _not_chosen(plans: "list[Plan]", bench: "Bench", *, console: "Console") -> int:
    """How many images are taken by default: those before the first that chose one of the plans; which is told."""
    from radhard.campaign.held_out import before_any, seen_by
    from radhard.cli.bench import counted

    wanted = counted(bench, None, default=options.DEFAULT_IMAGES, console=console)
    apart = before_any(bench.data, seen=[seen_by(plan) for plan in plans], most=wanted)
    if not apart:
        raise InputError(f"--plan: the first image of {bench.data.name} chose the plan; give other images (--data)")
    if apart < wanted:
        console.print(f"the first {apart:,} of these are evaluated: the next one chose a plan", highlight=False)
    return apart


def _by_model(plans: "list[Plan]", *, models: list[str], rates: tuple[float, ...] | None) -> "dict[str, list[Plan]]":
    """The plans of each model, by their rates. InputError for a model that has none."""
    found = {model: sorted((p for p in plans if p.model == model), key=lambda p: p.ber) for model in models}
    for model, own in found.items():
        if not own:
            held = ", ".join(sorted({p.model for p in plans})) or "none"
            raise InputError(
                f"--plan: none of the plans is for {model}; they are for {held}: make one by `radhard plan`"
            )
        if rates is not None and len(own) > 1:
            raise InputError(f"--ber with {len(own)} plans for {model}: give one plan, or leave --ber out")
        if len({p.ber for p in own}) != len(own):
            raise InputError(f"--plan: two plans for {model} are for the same bit error rate; give one for each")
    return found
