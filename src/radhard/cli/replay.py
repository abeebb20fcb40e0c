"""`radhard replay`: run a model under the faults of a table."""

import json
from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import options, outputs, parse
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
    written = outputs.opened(ctx, logits=logits)

    from safetensors.torch import save_file

    from radhard.campaign.replay import replay as run_replay
    from radhard.cli.bench import prepared, source_of
    from radhard.cli.notes import notes
    from radhard.cli.notes import output as results
    from radhard.faults import read_trace
    from radhard.machine.device import device_name
    from radhard.report.table import replay_table

    flips = read_trace(trace, trial=trial, words=None if words is None else parse.words(words))
    console = notes()
    source = source_of(data, data_options, device=run.device)
    bench = prepared(source, model, model_options, console=console)
    recipe = model_options.recipe
    replayed = run_replay(bench, flips, recipe=recipe, batch=run.batch)

    def show() -> None:
        if output.json_:
            pixels = None if bench.pixels is None else bench.pixels.as_dict()
            record = {
                "model": model,
                "recipe": recipe,
                "device": device_name(bench.device),
                "trial": flips.trial,
                "pixels": pixels,
                "images": replayed.records(),
            }
            typer.echo(json.dumps(record, allow_nan=False))
        else:
            results().print(replay_table(replayed, title=f"{model}, recipe {recipe}, trial {flips.trial}"))

    tensors = {"image": replayed.images, "logits": replayed.logits, "clean": replayed.clean}
    written.end(show, logits=lambda file: save_file(tensors, file))
