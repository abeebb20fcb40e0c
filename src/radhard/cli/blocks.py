"""`radhard blocks`: the block size of LB-ABFT that costs least for one matrix product."""

from typing import Annotated, Literal

import typer

from radhard.cli import files, options, parse
from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, MODEL, RUN
from radhard.studies.options import FaultOptions


def blocks(
    ctx: typer.Context,
    m: Annotated[int, typer.Argument(help="rows of A and of the product: images at a time x rows of each")],
    k: Annotated[int, typer.Argument(help="columns of A, rows of B: the length of each sum")],
    n: Annotated[int, typer.Argument(help="columns of B and of the product")],
    faults: Annotated[FaultOptions, taken(only=("words",))],
    output: Annotated[
        OutputOptions,
        options.written(csv="the rows", plot="block, overhead and error probabilities over the rate"),
    ],
    ber: Annotated[
        str, typer.Option(help="bit error rates, 1e-9,1e-8 or 1e-10:1e-6:9", rich_help_panel=FAULTS)
    ] = "1e-9,1e-8,1e-7",
    model: Annotated[
        Literal["all", "printed", "volume", "exact"],
        typer.Option(
            help="printed: Algorithm 2 as printed; volume: fault probability by volume; exact: every operation",
            rich_help_panel=RUN,
        ),
    ] = "all",
    size: Annotated[
        int | None,
        typer.Option(
            "--block",
            min=1,
            help="block size to evaluate; default: the cheapest",
            rich_help_panel=RUN,
        ),
    ] = None,
    most_flips: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="largest expected number of flips in a block, as recovery repairs one; inf: no limit",
            rich_help_panel=RUN,
        ),
    ] = 1.0,
    bits: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="exposed bits of a multiply-accumulate, for printed and volume; default: 1 for printed, those of "
            "--words for volume",
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
            help="B is an activation, as in attention: its checksums are computed for each image",
            rich_help_panel=MODEL,
        ),
    ] = False,
) -> None:
    """Find the cheapest block size of LB-ABFT for a matrix product of m x k and k x n, and its cost."""
    rates = parse.rates(ber)
    written = files.to_write(ctx, csv=output.csv, plot=output.plot)

    from radhard.cli.notes import show_results
    from radhard.protection import Shape
    from radhard.report.blocks import blocks_table, write_blocks
    from radhard.studies.blocks import blocks as verb
    from radhard.studies.settings import settings_of

    shape = Shape(m=m, k=k, n=n, bias=bias, stored=not activation)
    settings = settings_of(
        ber=rates,
        words=faults.words,
        bias=bias,
        activation=activation,
        model=model,
        block=size,
        most_flips=most_flips,
        bits=bits,
    )
    found = verb(shape, ber=rates, model=model, block=size, most_flips=most_flips, bits=bits, words=faults.words)
    table = blocks_table(found.blocks, shape=shape)
    written.end(
        lambda: show_results([found], ctx, output=output, settings=settings, parts=lambda: [table]),
        csv=lambda file: write_blocks(found.blocks, file),
        plot=found.plot,
    )
