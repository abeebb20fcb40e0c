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
    model: options.Model,
    trace: Annotated[
        Path,
        typer.Option(help="the table, .parquet or .csv, of `radhard trace` or by hand", rich_help_panel=FAULTS),
    ],
    model_options: ModelOptions,
    data_options: DataOptions,
    run: Annotated[RunOptions, taken(only=("batch", "device"))],
    output: Annotated[OutputOptions, taken(only=("json_",))],
    data: options.Data = "fashion-mnist",
    trial: Annotated[
        int | None, typer.Option(min=0, help="which trial, if the table has several", rich_help_panel=FAULTS)
    ] = None,
    words: Annotated[
        str | None,
        typer.Option(
            help="words of the run that the table is from; default: what the table says", rich_help_panel=FAULTS
        ),
    ] = None,
    logits: Annotated[
        Path | None,
        typer.Option(help="write image [B] and logits, clean [B, K] to this .safetensors file", rich_help_panel=OUTPUT),
    ] = None,
) -> None:
    """Run the images that a table of faults names under exactly these faults."""
    written = files.to_write(ctx, logits=logits)

    from safetensors.torch import save_file

    from radhard.campaign.replay import replay as run_replay
    from radhard.cli.live import of_each
    from radhard.cli.notes import notes, show, show_json
    from radhard.faults import read_trace
    from radhard.report.record import envelope
    from radhard.report.replay import replay_record
    from radhard.report.table import replay_table
    from radhard.studies.settings import settings_of
    from radhard.studies.under_test import under_test

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
    flips = read_trace(trace, trial=trial, words=None if words is None else parse.words(words))
    (bench,) = of_each(
        {model: model_options},
        lambda name, options, report: under_test(
            name, data, model_options=options, data_options=data_options, device=run.device, progress=report
        ),
        console=notes(),
    )
    recipe = model_options.recipe
    replayed = run_replay(bench, flips, recipe=recipe, batch=run.batch)

    def end() -> None:
        if output.json_:
            record = replay_record(replayed, bench=bench, recipe=recipe, trial=flips.trial)
            show_json(envelope(ctx.meta["command"], settings, [record]))
        else:
            show([replay_table(replayed, title=f"{model}, recipe {recipe}, trial {flips.trial}")])

    tensors = {"image": replayed.images, "logits": replayed.logits, "clean": replayed.clean}
    written.end(end, logits=lambda file: save_file(tensors, file))
