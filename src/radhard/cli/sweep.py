"""`radhard sweep`: accuracy over the bit error rate, of one model or of several in one figure."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radhard.cli import options, outputs, parse

if TYPE_CHECKING:
    from radhard.analysis.sweep import Sweep
    from radhard.campaign.bench import Bench
    from radhard.campaign.experiment import Setting


def sweep(
    ctx: typer.Context,
    models: options.Models,
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
    checkpoint: options.Checkpoints = None,
    checkpoint_key: options.CheckpointKey = None,
    pretrained: options.Pretrained = False,
    input_shape: options.InputShape = None,
    mean: options.Mean = None,
    std: options.Std = None,
    resize: options.Resize = None,
    crop_pct: options.CropPct = None,
    interpolation: options.Interpolation = None,
    anatomy: options.Anatomies = None,
    ber: Annotated[
        str | None,
        typer.Option(help="1e-9,1e-8 or 1e-9:1e-5:9; default: each model's whole curve, by its exposed bits"),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="how often each image is run at each BER")] = 5,
    images: options.Images = None,
    recipe: options.Recipe = "int8",
    kinds: options.Kinds = options.DEFAULT_KINDS,
    layer: options.Layers = None,
    module: options.Modules = None,
    operator: options.Operators = None,
    site: options.Sites = None,
    except_: options.Except = False,
    seed: options.Seed = 0,
    words: options.WordsText = options.DEFAULT_WORDS,
    batch: options.Batch = 64,
    device: options.Device = "cpu",
    chunk: Annotated[int, typer.Option(min=1, help="images a unit of work, which a killed run loses at most")] = 200,
    store: Annotated[Path | None, typer.Option(help="keep outcomes in this file, and go on from it")] = None,
    shard: Annotated[str, typer.Option(help="do part i of n, i/n; merge the stores afterwards")] = "1/1",
    until_width: options.UntilWidth = None,
    csv: Annotated[Path | None, typer.Option(help="write the points to this .csv file")] = None,
    plot: Annotated[Path | None, typer.Option(help="draw the curves into this .png or .svg file")] = None,
    json_: options.Json = False,
) -> None:
    """Measure accuracy over the bit error rate, with faults in every exposed operation.

    Several models are measured one after another, drawn in one figure and compared in a table.
    """
    files = parse.of_models(checkpoint or [], models=parse.models(models))
    index, of = parse.fraction(shard)
    rates = None if ber is None else parse.rates(ber)
    written = outputs.opened(ctx)

    from radhard.analysis.stopping import UntilWidth
    from radhard.campaign.bench import faulty_setting
    from radhard.campaign.execute import Shard
    from radhard.campaign.executor import InProcess
    from radhard.campaign.rates import comparable_curve, whole_curve
    from radhard.cli.bench import counted, of_each, opened, source_of
    from radhard.cli.live import Course
    from radhard.cli.notes import notes, output
    from radhard.cli.selection import selection, words_of
    from radhard.cli.swept import Extent, run_sweep, show_json, show_tables, writers

    chosen = selection(ctx.params)
    exposed = words_of(words)
    source = source_of(ctx.params)
    stop = None if until_width is None else UntilWidth(width=parse.width(until_width))
    console = notes()
    default = whole_curve if len(models) == 1 else comparable_curve
    with opened(store) as kept:

        def measured(bench: "Bench", course: Course) -> "Sweep":
            taken = counted(bench, images, default=options.DEFAULT_IMAGES, console=console)

            def at(rate: float) -> "Setting":
                return faulty_setting(
                    bench, recipe, ber=rate, kinds=chosen.kinds, where=chosen.where, seed=seed, words=exposed
                )

            return run_sweep(
                bench,
                tuple(map(at, rates or default(at(0.0).bits, recipe=recipe))),
                extent=Extent(images=taken, trials=trials, chunk=chunk, stop=stop),
                store=kept,
                executor=InProcess(bench=bench, batch=batch),
                shard=Shard(index=index, of=of),
                course=course,
                console=console,
            )

        sweeps = of_each(
            models,
            measured,
            source=source,
            checkpoints=files,
            recipe=recipe,
            images=images,
            console=console,
            store=kept,
        )

    def show() -> None:
        if json_:
            show_json(sweeps, command=ctx.meta["command"])
        else:
            show_tables(sweeps, console=output())

    written.end(show, **writers(sweeps))
