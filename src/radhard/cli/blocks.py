"""`radhard blocks`: which block size of LB-ABFT costs least for one matrix product."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from radhard.cli import options, outputs, parse
from radhard.errors import InputError
from radhard.version import VERSION


def blocks(
    ctx: typer.Context,
    m: Annotated[int, typer.Argument(help="rows of A and of the product: images at a time x rows of each")],
    k: Annotated[int, typer.Argument(help="columns of A, rows of B: the length of each sum")],
    n: Annotated[int, typer.Argument(help="columns of B and of the product")],
    ber: Annotated[str, typer.Option(help="bit error rates, 1e-9,1e-8 or 1e-10:1e-6:9")] = "1e-9,1e-8,1e-7",
    model: Annotated[
        Literal["all", "printed", "volume", "exact"],
        typer.Option(
            help="printed: Algorithm 2 to the letter; volume: faulty as its volume is; exact: every operation"
        ),
    ] = "all",
    size: Annotated[
        int | None, typer.Option("--block", min=1, help="what this block costs, instead of the one that costs least")
    ] = None,
    most_flips: Annotated[
        float,
        typer.Option(min=0.0, help="only blocks that expect at most so many flips: recovery repairs one; inf: any"),
    ] = 1.0,
    bits: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="exposed bits of a multiply-accumulate, for printed and volume; default: as printed 1, for volume "
            "those of --words",
        ),
    ] = None,
    bias: Annotated[bool, typer.Option("--bias", help="a bias is added in the accumulator")] = False,
    activation: Annotated[
        bool, typer.Option("--activation", help="B is an activation, as in attention: its sums are made each time")
    ] = False,
    words: options.WordsText = options.DEFAULT_WORDS,
    plot: Annotated[
        Path | None, typer.Option(help="draw block, overhead and error probabilities over the rate: .png or .svg")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="write the rows to this .csv file")] = None,
    json_: options.Json = False,
) -> None:
    """Find the block size of LB-ABFT for a matrix product of m x k and k x n, and what detection and recovery cost."""
    rates = parse.rates(ber)
    if bits is not None and model == "exact":
        raise InputError(f"--bits {bits} with --model exact: it counts the bits of --words one by one; leave one out")
    written = outputs.opened(ctx)

    from radhard.cli.notes import output
    from radhard.cli.selection import words_of
    from radhard.protection import Exact, Printed, Shape, Volume, cube, optimal_block
    from radhard.protection.cost.models import CostModel
    from radhard.report.blocks import block_record, block_row, blocks_table, write_blocks

    exposed = words_of(words)
    shape = Shape(m=m, k=k, n=n, bias=bias, stored=not activation)
    models: dict[str, CostModel] = {
        "printed": Printed(bits=bits or 1),
        "volume": Volume(bits=bits or exposed.product.exposed + exposed.accumulator.exposed),
        "exact": Exact(words=exposed),
    }
    rows = []
    for rate in rates:
        for name in models if model == "all" else (model,):
            if size is None:
                choice = optimal_block(shape, ber=rate, model=models[name], most_flips=most_flips)
            else:
                choice = optimal_block(shape, ber=rate, model=models[name], candidates=(cube(size),))
            rows.append(block_row(choice, shape=shape, ber=rate, model=name))

    def show() -> None:
        if json_:
            record = {"radhard": VERSION, "command": ctx.meta["command"], "m": m, "k": k, "n": n}
            typer.echo(json.dumps({**record, "rows": [block_record(row) for row in rows]}, allow_nan=False))
        else:
            output().print(blocks_table(rows, shape=shape))

    def draw(file: Path) -> None:
        from radhard.report.optimal_blocks import draw_optimal_blocks, optimal_blocks_data

        chosen = (
            f"cubes of {size}"
            if size
            else f"the cube that costs least, of those with at most {most_flips:g} expected flips"
        )
        draw_optimal_blocks(optimal_blocks_data(rows, shape=shape, chosen=chosen), file)

    written.end(show, csv=lambda file: write_blocks(rows, file), plot=draw)
