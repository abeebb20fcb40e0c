"""`radhard sweep`: accuracy over the bit error rate, for one or several models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radhard.cli import files, options, parse
from radhard.cli.options import OutputOptions, ProgressOptions
from radhard.cli.spelling import FAULTS
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions

if TYPE_CHECKING:
    from radhard.studies.progress import Report
    from radhard.studies.sweep import SweepResult


def sweep(
    ctx: typer.Context,
    models: options.Models,
    data_options: DataOptions,
    faults: FaultOptions,
    run: RunOptions,
    told: ProgressOptions,
    output: Annotated[OutputOptions, options.written(csv="the points", plot="the curves")],
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
    """Measure accuracy over the bit error rate, with faults in all exposed operations.

    Several models are measured one after another, drawn in one figure and compared in a table.
    """
    each, rates = models.each, None if ber is None else parse.rates(ber)
    counts = None if flips is None else parse.counts(flips, ber=ber)
    parse.check_upset(fault_model, ber=ber, flips=flips)
    written = files.to_write(ctx, csv=output.csv, plot=output.plot, store=run.store)

    from radhard.cli.live import of_each
    from radhard.cli.notes import notes, show_results
    from radhard.report.sweep import write_csv
    from radhard.report.table import sweep_tables
    from radhard.studies.open_workers import with_open_workers
    from radhard.studies.settings import settings_of
    from radhard.studies.sweep import sweep as verb

    def measured(model: str, model_options: ModelOptions, report: "Report") -> "SweepResult":
        return verb(
            model,
            data,
            ber=rates,
            flips=counts,
            fault_model=fault_model,
            default="whole" if len(each) == 1 else "comparable",
            model_options=model_options,
            data_options=data_options,
            faults=faults,
            run=run,
            progress=report,
        )

    settings = settings_of(models, data_options, faults, run, data=data, ber=rates, flips=counts, faults=fault_model)
    with with_open_workers(run) as run:  # one set of workers for all models
        results = of_each(each, measured, console=notes(), told=told)
    sweeps = [result.sweep for result in results]

    def plot(file: Path) -> None:
        from radhard.report.curve import curve_data, draw_curve

        draw_curve(curve_data(sweeps), file)

    written.end(
        lambda: show_results(results, ctx, output=output, settings=settings, parts=lambda: sweep_tables(sweeps)),
        csv=lambda file: write_csv(sweeps, file),
        plot=plot,
    )
