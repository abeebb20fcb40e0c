"""`radhard avf`: how often exactly one flip in a component spoils the answer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from radhard.cli import files, options, parse
from radhard.cli.options import OutputOptions, ProgressOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from radhard.studies.avf import AvfResult
    from radhard.studies.progress import Report


def avf(
    ctx: typer.Context,
    models: options.Models,
    data_options: DataOptions,
    faults: FaultOptions,
    run: Annotated[
        RunOptions,
        taken(
            helps={
                "trials": "flips of each image in each component, on average",
                "until_width": "give each component as many trials as its 95 % interval needs to be this wide, in "
                "percentage points, such as 2; at most --trials",
                "chunk": "images measured at a time, of all components: a killed run loses at most these",
            },
        ),
    ],
    told: ProgressOptions,
    output: Annotated[OutputOptions, options.written(csv="the AVFs", plot="the AVFs")],
    data: options.DataOption = "fashion-mnist",
    by: Annotated[
        Literal["layer", "module", "operator", "site", "patch", "bit", "kind"],
        typer.Option(help="the kind of component", rich_help_panel=FAULTS),
    ] = "layer",
    grid: Annotated[
        str | None,
        typer.Option(
            help="rows and columns of patches, such as 7x7; default: the tokens of a transformer",
            rich_help_panel=FAULTS,
        ),
    ] = None,
    component: Annotated[
        list[str] | None,
        typer.Option(help="only components of this name; a pattern, repeatable; default: all", rich_help_panel=FAULTS),
    ] = None,
) -> None:
    """Measure each component's AVF: the share of single bit flips in it that change the answer in silence.

    Exactly one bit flips in an inference, uniformly over the exposed bits of the component. The images need no labels.
    """
    each = models.each
    cells = None if grid is None else parse.grid(grid)
    written = files.to_write(ctx, csv=output.csv, plot=output.plot, store=run.store)

    from radhard.cli.live import of_each
    from radhard.cli.notes import notes, show_results
    from radhard.report.avf import avf_summary, avf_table
    from radhard.report.avf_record import write_avf
    from radhard.studies.avf import avf as verb
    from radhard.studies.open_workers import with_open_workers
    from radhard.studies.settings import settings_of

    def measured(model: str, model_options: ModelOptions, report: "Report") -> "AvfResult":
        return verb(
            model,
            data,
            by=by,
            component=component or (),
            grid=cells,
            model_options=model_options,
            data_options=data_options,
            faults=faults,
            run=run,
            progress=report,
        )

    settings = settings_of(models, data_options, faults, run, data=data, by=by, component=component or (), grid=cells)
    with with_open_workers(run) as run:  # one set of workers for all models
        results = of_each(each, measured, console=notes(), told=told)
    found = [result.avf for result in results]

    def parts() -> "Iterator[RenderableType]":
        for one in found:
            yield avf_table(one)
            yield from avf_summary(one)

    def plot(file: Path) -> None:
        from radhard.report.avf_figure import avf_drawn
        from radhard.report.vulnerability import draw_vulnerability

        draw_vulnerability(avf_drawn([result.to_dict() for result in results]), file)

    written.end(
        lambda: show_results(results, ctx, output=output, settings=settings, parts=parts),
        csv=lambda file: write_avf(found, file),
        plot=plot,
    )
