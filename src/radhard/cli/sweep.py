"""`radhard sweep`: accuracy over the bit error rate."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radhard.cli import options, parse

if TYPE_CHECKING:
    from radhard.campaign.experiment import Setting


def sweep(
    model: options.Model,
    data: options.Data = "fashion-mnist",
    checkpoint: options.Checkpoint = None,
    ber: Annotated[
        str | None,
        typer.Option(help="1e-9,1e-8 or 1e-9:1e-5:9; default: the whole curve, by the model's exposed bits"),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="how often each image is run at each BER")] = 5,
    images: Annotated[int, typer.Option(min=1, help="how many test images, from the first on")] = 1000,
    recipe: options.Recipe = "int8",
    kinds: options.Kinds = "mul,add",
    layer: options.Layers = None,
    module: options.Modules = None,
    operator: options.Operators = None,
    site: options.Sites = None,
    except_: options.Except = False,
    seed: options.Seed = 0,
    words: options.WordsText = options.DEFAULT_WORDS,
    batch: options.Batch = 64,
    chunk: Annotated[int, typer.Option(min=1, help="images a unit of work, which a killed run loses at most")] = 200,
    store: Annotated[Path | None, typer.Option(help="keep outcomes in this file, and go on from it")] = None,
    shard: Annotated[str, typer.Option(help="do part i of n, i/n; merge the stores afterwards")] = "1/1",
    until_width: Annotated[
        float | None,
        typer.Option(help="end a BER's trials once the 95 % interval of its accuracy is so narrow"),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="write the points to this .csv file")] = None,
    plot: Annotated[Path | None, typer.Option(help="draw the curve into this .png or .svg file")] = None,
    json_: options.Json = False,
) -> None:
    """Measure accuracy over the bit error rate, with faults in every exposed operation."""
    parse.output(csv, option="--csv", suffixes=(".csv",))
    parse.output(plot, option="--plot", suffixes=(".png", ".svg"))
    index, of = parse.fraction(shard)
    rates = None if ber is None else parse.rates(ber)

    from rich.console import Console

    from radhard.analysis.stopping import UntilWidth
    from radhard.campaign.bench import faulty_setting
    from radhard.campaign.build import build
    from radhard.campaign.execute import Shard
    from radhard.campaign.executor import InProcess
    from radhard.campaign.rates import whole_curve
    from radhard.campaign.store import Store
    from radhard.cli.live import output, waiting
    from radhard.cli.selection import selection, words_of
    from radhard.cli.swept import Extent, run_sweep, show_json, show_tables, write_files
    from radhard.models.load import load

    chosen = selection(kinds, layer=layer, module=module, operator=operator, site=site, complement=except_)
    exposed = words_of(words)
    stop = None if until_width is None else UntilWidth(width=until_width)
    progress = Console(stderr=True)
    with ExitStack() as stack:
        if store is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="radhard-"))
            store = Path(folder) / "run.db"
        kept = stack.enter_context(Store(store))
        with waiting("capturing and calibrating", console=progress):
            bench = build(load(model, checkpoint), recipe=recipe, data=data, images=images)

        def at(rate: float) -> "Setting":
            return faulty_setting(
                bench, recipe, ber=rate, kinds=chosen.kinds, where=chosen.where, seed=seed, words=exposed
            )

        settings = tuple(map(at, rates or whole_curve(at(0.0).bits, recipe=recipe)))
        swept = run_sweep(
            bench,
            settings,
            extent=Extent(images=images, trials=trials, chunk=chunk, stop=stop),
            store=kept,
            executor=InProcess(bench=bench, batch=batch),
            shard=Shard(index=index, of=of),
            console=progress,
        )
    write_files(swept, csv=csv, plot=plot)
    if json_:
        show_json(swept)
    else:
        show_tables(swept, console=output())
