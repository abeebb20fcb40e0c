"""`radhard compare`: accuracy, or agreement, and overhead of several schemes under the same faults."""

from typing import TYPE_CHECKING, Annotated

import typer

from radhard.cli import files, options, parse
from radhard.cli.options import OutputOptions, ProgressOptions
from radhard.cli.spelling import FAULTS
from radhard.studies.options import CompareOptions, DataOptions, FaultOptions, ModelOptions, RunOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from radhard.studies.comparison import Compared
    from radhard.studies.progress import Report


def compare(
    ctx: typer.Context,
    models: options.Models,
    data_options: DataOptions,
    faults: FaultOptions,
    run: Annotated[RunOptions, options.one_trial()],
    told: ProgressOptions,
    output: Annotated[OutputOptions, options.written(csv="one row a scheme and BER", plot="accuracy and overhead")],
    compare_options: CompareOptions,
    data: options.DataOption = "fashion-mnist",
    ber: Annotated[
        str | None,
        typer.Option(
            help="1e-9,1e-8 or 1e-9:1e-5:9; default: rates that show each model's whole curve",
            rich_help_panel=FAULTS,
        ),
    ] = None,
    flips: options.FlipsOption = None,
    fault_model: options.FaultModelOption = None,
) -> None:
    """Compare schemes on the products of a model, under the same faults.

    Each is compared with the baseline --reference by a paired difference of accuracies (without labels: of agreement
    with the fault-free answers), whose interval holds for all
    schemes at a rate together; two one-sided tests decide whether two schemes are equivalent within --margin. Every
    scheme includes ranges on non-linear operators unless it has ranges=none. Blocks are the cheapest at the bit error
    rate. Each image is checked separately.
    """
    each, rates = models.each, None if ber is None else parse.rates(ber)
    counts = None if flips is None else parse.counts(flips, ber=ber)
    parse.check_upset(fault_model, ber=ber, flips=flips)
    written = files.to_write(ctx, csv=output.csv, plot=output.plot, store=run.store)

    from radhard.cli.live import of_each
    from radhard.cli.notes import notes, show_results
    from radhard.report.configurations.figure import draw_configurations
    from radhard.report.configurations.points import configurations_data
    from radhard.report.configurations.record import write_configurations
    from radhard.report.configurations.table import configurations_table, pairs_table
    from radhard.studies.comparison import compare as verb
    from radhard.studies.open_workers import with_open_workers
    from radhard.studies.settings import settings_of

    settings = settings_of(
        models, data_options, faults, run, compare_options, data=data, ber=rates, flips=counts, faults=fault_model
    )

    def measured(model: str, model_options: ModelOptions, report: "Report") -> "Compared":
        return verb(
            model,
            data,
            ber=rates,
            flips=counts,
            fault_model=fault_model,
            compare_options=compare_options,
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
        for one in evaluations:
            yield configurations_table(one)
            if one.pairs:
                yield pairs_table(one)

    written.end(
        lambda: show_results(results, ctx, output=output, settings=settings, parts=parts),
        csv=lambda file: write_configurations(evaluations, file),
        plot=lambda file: draw_configurations(configurations_data(evaluations), file),
    )
