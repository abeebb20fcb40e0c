"""`radhard sweep`: accuracy over the bit error rate, of one model or of several in one figure."""

from typing import TYPE_CHECKING, Annotated

import typer

from radhard.cli import options, outputs, parse
from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS
from radhard.studies.options import DataOptions, FaultOptions, RunOptions

if TYPE_CHECKING:
    from radhard.analysis.sweep import Sweep
    from radhard.campaign.bench import Bench
    from radhard.campaign.experiment import Setting


def sweep(
    ctx: typer.Context,
    models: options.Models,
    data_options: DataOptions,
    faults: FaultOptions,
    run: RunOptions,
    output: Annotated[
        OutputOptions,
        taken(
            helps={
                "csv": "write the points to this .csv file",
                "plot": "draw the curves into this .png or .svg file",
            }
        ),
    ],
    data: options.Data = "fashion-mnist",
    ber: Annotated[
        str | None,
        typer.Option(
            help="1e-9,1e-8 or 1e-9:1e-5:9; default: each model's whole curve, by its exposed bits",
            rich_help_panel=FAULTS,
        ),
    ] = None,
) -> None:
    """Measure accuracy over the bit error rate, with faults in every exposed operation.

    Several models are measured one after another, drawn in one figure and compared in a table.
    """
    each, where = models.each, faults.where
    index, of = run.shard
    rates = None if ber is None else parse.rates(ber)
    written = outputs.opened(ctx, csv=output.csv, plot=output.plot, store=run.store)

    from radhard.analysis.stopping import UntilWidth
    from radhard.campaign.bench import faulty_setting
    from radhard.campaign.execute import Shard
    from radhard.campaign.executor import InProcess
    from radhard.campaign.rates import comparable_curve, whole_curve
    from radhard.cli.bench import counted, of_each, opened, source_of
    from radhard.cli.live import Course
    from radhard.cli.notes import notes
    from radhard.cli.notes import output as results
    from radhard.cli.swept import Extent, run_sweep, show_json, show_tables, writers

    recipe = models.shared.recipe
    source = source_of(data, data_options, faults=faults, device=run.device)
    stop = None if run.until_width is None else UntilWidth(width=run.until_width / 100)
    console = notes()
    default = whole_curve if len(each) == 1 else comparable_curve
    with opened(run.store) as kept:

        def measured(bench: "Bench", course: Course) -> "Sweep":
            taken = counted(bench, run.images, default=options.DEFAULT_IMAGES, console=console)

            def at(rate: float) -> "Setting":
                return faulty_setting(
                    bench, recipe, ber=rate, kinds=faults.kinds, where=where, seed=faults.seed, words=faults.words
                )

            return run_sweep(
                bench,
                tuple(map(at, rates or default(at(0.0).bits, recipe=recipe))),
                extent=Extent(images=taken, trials=run.trials, chunk=run.chunk, stop=stop),
                store=kept,
                executor=InProcess(bench=bench, batch=run.batch),
                shard=Shard(index=index, of=of),
                course=course,
                console=console,
            )

        sweeps = of_each(
            each,
            measured,
            source=source,
            images=run.images,
            console=console,
            store=kept,
        )

    def show() -> None:
        if output.json_:
            show_json(sweeps, command=ctx.meta["command"])
        else:
            show_tables(sweeps, console=results())

    written.end(show, **writers(sweeps))
