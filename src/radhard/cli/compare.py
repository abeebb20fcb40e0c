"""`radhard compare`: accuracy and overhead of several schemes under the same faults."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from radhard.cli import completion, files, options, parse
from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, PROTECTION, RUN
from radhard.studies.options import BASELINES, DataOptions, FaultOptions, ModelOptions, RunOptions

if TYPE_CHECKING:
    from radhard.studies.comparison import Compared
    from radhard.studies.progress import Report


def compare(
    ctx: typer.Context,
    models: options.Models,
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
                "csv": "write one row a scheme and BER to this .csv file",
                "plot": "draw accuracy and overhead into this .png or .svg file",
            }
        ),
    ],
    schemes: Annotated[
        str,
        typer.Option(
            help="schemes with options behind colons, such as lb-abft:policy=leave:checks=immune,tmr",
            autocompletion=completion.schemes,
            rich_help_panel=PROTECTION,
        ),
    ] = ",".join(BASELINES),
    data: options.Data = "fashion-mnist",
    ber: Annotated[
        str | None,
        typer.Option(
            help="1e-9,1e-8 or 1e-9:1e-5:9; default: each model's whole curve, by its exposed bits",
            rich_help_panel=FAULTS,
        ),
    ] = None,
    extent: Annotated[
        Literal["all", "needed"],
        typer.Option(
            help="each scheme on all products, or on those of the most vulnerable layers, until surely no more than "
            "--max-loss is lost; the same for every scheme",
            rich_help_panel=PROTECTION,
        ),
    ] = "all",
    max_loss: Annotated[
        float, typer.Option(help="percentage points, the target of --extent needed", rich_help_panel=PROTECTION)
    ] = 2.0,
    select: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="images on which --extent needed chooses layers; none evaluates. Default: 300, or a quarter of fewer "
            "than 1,200",
            rich_help_panel=RUN,
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            help="the scheme that the others are paired with; default: the first of --schemes",
            rich_help_panel=PROTECTION,
        ),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(
            help="percentage points: two schemes are equivalent if their accuracies surely differ by less",
            rich_help_panel=PROTECTION,
        ),
    ] = 2.0,
    weights: options.Weights = options.DEFAULT_WEIGHTS,
) -> None:
    """Measure schemes on the products of a model, all under the same faults, and as far as each other.

    Each is compared with --reference: the difference of accuracies is paired, its interval holds for all schemes at a
    rate together, and two one-sided tests say whether two are equivalent within --margin.
    Ranges of non-linear operators go with every scheme, unless it says ranges=none. A block is the one that costs least
    at the bit error rate. Checks are those of one image at a time.
    """
    each, rates, counts = models.each, None if ber is None else parse.rates(ber), parse.weights(weights)
    texts = tuple(text.strip() for text in schemes.split(",") if text.strip())
    written = files.to_write(ctx, csv=output.csv, plot=output.plot, store=run.store)

    from radhard.analysis.overhead import Weights
    from radhard.cli.live import of_each
    from radhard.cli.notes import notes, show, show_json
    from radhard.report.configurations.figure import draw_configurations
    from radhard.report.configurations.points import configurations_data
    from radhard.report.configurations.record import write_configurations
    from radhard.report.configurations.table import configurations_table, pairs_table
    from radhard.report.record import envelope
    from radhard.studies.comparison import compare as verb
    from radhard.studies.open_workers import with_open_workers
    from radhard.studies.settings import settings_of

    own: dict[str, Any] = {
        "schemes": texts,
        "ber": rates,
        "extent": extent,
        "max_loss": max_loss,
        "select": select,
        "reference": reference,
        "margin": margin,
    }
    settings = settings_of(models, data_options, faults, run, data=data, weights=counts, **own)

    def measured(model: str, model_options: ModelOptions, report: "Report") -> "Compared":
        return verb(
            model,
            data,
            **own,
            weights=Weights(**counts),
            model_options=model_options,
            data_options=data_options,
            faults=faults,
            run=run,
            progress=report,
        )

    with with_open_workers(run) as run:  # one set of workers for all models
        results = of_each(each, measured, console=notes())
    evaluations = [result.evaluation for result in results]

    def end() -> None:
        if output.json_:
            show_json(envelope(ctx.meta["command"], settings, [result.to_dict() for result in results]))
            return
        for one in evaluations:
            show([configurations_table(one), *([pairs_table(one)] if one.pairs else [])])

    written.end(
        end,
        csv=lambda file: write_configurations(evaluations, file),
        plot=lambda file: draw_configurations(configurations_data(evaluations), file),
    )
