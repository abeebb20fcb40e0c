"""`radhard blocks`: which block size of LB-ABFT costs least for one matrix product."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from radhard.cli import outputs, parse
from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, MODEL, RUN
from radhard.errors import InputError
from radhard.studies.options import FaultOptions
from radhard.version import VERSION


def blocks(
    ctx: typer.Context,
    m: Annotated[int, typer.Argument(help="rows of A and of the product: images at a time x rows of each")],
    k: Annotated[int, typer.Argument(help="columns of A, rows of B: the length of each sum")],
    n: Annotated[int, typer.Argument(help="columns of B and of the product")],
    faults: Annotated[FaultOptions, taken(only=("words",))],
    output: Annotated[
        OutputOptions,
        taken(
            helps={
                "csv": "write the rows to this .csv file",
                "plot": "draw block, overhead and error probabilities over the rate: .png or .svg",
            }
        ),
    ],
    ber: Annotated[
        str, typer.Option(help="bit error rates, 1e-9,1e-8 or 1e-10:1e-6:9", rich_help_panel=FAULTS)
    ] = "1e-9,1e-8,1e-7",
    model: Annotated[
        Literal["all", "printed", "volume", "exact"],
        typer.Option(
            help="printed: Algorithm 2 to the letter; volume: faulty as its volume is; exact: every operation",
            rich_help_panel=RUN,
        ),
    ] = "all",
    size: Annotated[
        int | None,
        typer.Option(
            "--block",
            min=1,
            help="what this block costs, instead of the one that costs least",
            rich_help_panel=RUN,
        ),
    ] = None,
    most_flips: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="only blocks that expect at most so many flips: recovery repairs one; inf: any",
            rich_help_panel=RUN,
        ),
    ] = 1.0,
    bits: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="exposed bits of a multiply-accumulate, for printed and volume; default: as printed 1, for volume "
            "those of --words",
            rich_help_panel=FAULTS,
        ),
    ] = None,
    bias: Annotated[
        bool, typer.Option("--bias", help="a bias is added in the accumulator", rich_help_panel=MODEL)
    ] = False,
    activation: Annotated[
        bool,
        typer.Option(
            "--activation",
            help="B is an activation, as in attention: its sums are made each time",
            rich_help_panel=MODEL,
        ),
    ] = False,
) -> None:
    """Find the block size of LB-ABFT for a matrix product of m x k and k x n, and what detection and recovery cost."""
    rates = parse.rates(ber)
    if bits is not None and model == "exact":
        raise InputError(f"--bits {bits} with --model exact: it counts the bits of --words one by one; leave one out")
    written = outputs.opened(ctx, csv=output.csv, plot=output.plot)

    from radhard.cli.notes import output as results
    from radhard.protection import Exact, Printed, Shape, Volume, cube, optimal_block
    from radhard.protection.cost.models import CostModel
    from radhard.report.blocks import block_record, block_row, blocks_table, write_blocks

    exposed = faults.words
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
        if output.json_:
            record = {"radhard": VERSION, "command": ctx.meta["command"], "m": m, "k": k, "n": n}
            typer.echo(json.dumps({**record, "rows": [block_record(row) for row in rows]}, allow_nan=False))
        else:
            results().print(blocks_table(rows, shape=shape))

    def draw(file: Path) -> None:
        from radhard.report.optimal_blocks import draw_optimal_blocks, optimal_blocks_data

        chosen = (
            f"cubes of {size}"
            if size
            else f"the cube that costs least, of those with at most {most_flips:g} expected flips"
        )
        draw_optimal_blocks(optimal_blocks_data(rows, shape=shape, chosen=chosen), file)

    written.end(show, csv=lambda file: write_blocks(rows, file), plot=draw)
