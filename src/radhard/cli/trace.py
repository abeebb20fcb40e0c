"""`radhard trace`: the faults of a run as a table."""

from pathlib import Path
from typing import Annotated

import typer

from radhard.cli import options, parse


def trace(
    model: options.Model,
    ber: Annotated[str, typer.Option(help="probability that an exposed bit flips")],
    out: Annotated[Path, typer.Option(help="the table's file, .parquet or .csv")],
    checkpoint: options.Checkpoint = None,
    images: Annotated[int, typer.Option(min=1, help="how many test images, from the first on")] = 10,
    trial: Annotated[int, typer.Option(min=0, help="the trial, counted from 0")] = 0,
    recipe: options.Recipe = "int8",
    kinds: options.Kinds = "mul,add",
    layer: options.Layers = None,
    module: options.Modules = None,
    operator: options.Operators = None,
    site: options.Sites = None,
    except_: options.Except = False,
    seed: options.Seed = 0,
    words: options.WordsText = options.DEFAULT_WORDS,
) -> None:
    """Write the faults that a sweep with the same options meets: trial, image, site, kind, index, bit."""
    rate = parse.rate(ber)
    parse.output(out, option="--out", suffixes=(".parquet", ".csv"))

    import numpy as np
    from rich.console import Console

    from radhard.campaign.build import build
    from radhard.cli.live import waiting
    from radhard.cli.selection import selection, words_of
    from radhard.faults import Faults, draw, write_trace
    from radhard.models.load import load

    chosen = selection(kinds, layer=layer, module=module, operator=operator, site=site, complement=except_)
    faults = Faults(ber=rate, kinds=chosen.kinds, where=chosen.where, seed=seed, trial=trial, words=words_of(words))
    with waiting("capturing and calibrating", console=Console(stderr=True)):
        bench = build(load(model, checkpoint), recipe=recipe, images=images)
    flips = draw(bench.programs[recipe], faults, np.arange(images))
    write_trace(flips, out)
    typer.echo(f"{out}: {len(flips):,} flips in {images} images, {len(flips) / images:,.4g} an image")
