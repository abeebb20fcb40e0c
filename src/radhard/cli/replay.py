"""`radhard replay`: runs a model under the faults of a table."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import files, options, parse
from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, OUTPUT
from radhard.studies.options import DataOptions, ModelOptions, RunOptions


def replay(
    ctx: typer.Context,
    model: options.ModelArgument,
    trace: Annotated[
        Path,
        typer.Option(help="the table, .parquet or .csv, of `radhard trace` or by hand", rich_help_panel=FAULTS),
    ],
    model_options: ModelOptions,
    data_options: DataOptions,
    run: Annotated[RunOptions, taken(only=("batch", "device"))],
    output: Annotated[OutputOptions, taken(only=("json_", "wide"))],
    data: options.DataOption = "fashion-mnist",
    trial: Annotated[
        int | None, typer.Option(min=0, help="the trial, if the table has several", rich_help_panel=FAULTS)
    ] = None,
    words: Annotated[
        str | None,
        typer.Option(help="number formats of the table's run; default: from the table", rich_help_panel=FAULTS),
    ] = None,
    logits: Annotated[
        Path | None,
        typer.Option(help="write image [B] and logits, clean [B, K] to this .safetensors file", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Run the images that a table of faults names under exactly these faults."""
    written = files.to_write(ctx, logits=logits)

    from safetensors.torch import save_file

    from radhard.cli.live import of_each
    from radhard.cli.notes import notes, show_results
    from radhard.report.table import replay_table
    from radhard.studies.replay import replay as verb
    from radhard.studies.settings import settings_of

    settings = settings_of(
        model_options,
        data_options,
        model=model,
        data=data,
        trace=trace,
        trial=trial,
        words=words,
        batch=run.batch,
        device=run.device,
    )
    (found,) = of_each(
        {model: model_options},
        lambda name, own, report: verb(
            name,
            data,
            trace=trace,
            trial=trial,
            words=None if words is None else parse.words(words),
            model_options=own,
            data_options=data_options,
            run=run,
            progress=report,
        ),
        console=notes(),
    )
    replayed = found.replayed
    table = replay_table(replayed, title=f"{model}, recipe {found.recipe}, trial {found.trial}")
    tensors = {"image": replayed.images, "logits": replayed.logits, "clean": replayed.clean}
    written.end(
        lambda: show_results([found], ctx, output=output, settings=settings, parts=lambda: [table]),
        logits=lambda file: save_file(tensors, file),
    )
