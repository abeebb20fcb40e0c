"""`radhard replay`: run a model under the faults of a table."""

import json
from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import options, outputs


def replay(
    ctx: typer.Context,
    model: options.Model,
    trace: Annotated[Path, typer.Option(help="the table, .parquet or .csv, of `radhard trace` or by hand")],
    checkpoint: options.Checkpoint = None,
    checkpoint_key: options.CheckpointKey = None,
    pretrained: options.Pretrained = False,
    input_shape: options.InputShape = None,
    mean: options.Mean = None,
    std: options.Std = None,
    resize: options.Resize = None,
    crop_pct: options.CropPct = None,
    interpolation: options.Interpolation = None,
    anatomy: options.Anatomy = None,
    data: options.Data = "fashion-mnist",
    data_root: options.DataRoot = None,
    split: options.Split = None,
    samples: options.Samples = None,
    data_seed: options.DataSeed = 0,
    calibration: options.Calibration = None,
    calibration_split: options.CalibrationSplit = None,
    skip_bad: options.SkipBad = False,
    labels: options.Labels = None,
    classes: options.Classes = None,
    scales: options.Scales = None,
    trial: Annotated[int | None, typer.Option(min=0, help="which trial, if the table has several")] = None,
    recipe: options.Recipe = "int8",
    words: Annotated[
        str | None, typer.Option(help="words of the run that the table is from; default: what the table says")
    ] = None,
    logits: Annotated[
        Path | None, typer.Option(help="write image [B] and logits, clean [B, K] to this .safetensors file")
    ] = None,
    batch: options.Batch = 64,
    device: options.Device = "cpu",
    json_: options.Json = False,
) -> None:
    """Run the images that a table of faults names under exactly these faults."""
    written = outputs.opened(ctx)

    from safetensors.torch import save_file

    from radhard.campaign.replay import replay as run_replay
    from radhard.cli.bench import prepared, source_of
    from radhard.cli.notes import notes, output
    from radhard.cli.selection import words_of
    from radhard.faults import read_trace
    from radhard.machine.device import device_name
    from radhard.report.table import replay_table

    flips = read_trace(trace, trial=trial, words=None if words is None else words_of(words))
    console = notes()
    source = source_of(ctx.params)
    bench = prepared(source, model, checkpoint=checkpoint, recipe=recipe, console=console)
    replayed = run_replay(bench, flips, recipe=recipe, batch=batch)

    def show() -> None:
        if json_:
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
            output().print(replay_table(replayed, title=f"{model}, recipe {recipe}, trial {flips.trial}"))

    tensors = {"image": replayed.images, "logits": replayed.logits, "clean": replayed.clean}
    written.end(show, logits=lambda file: save_file(tensors, file))
