"""`radhard fit`: failure rates of an accelerator that runs a model, held against a safety target."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from radhard.cli import files, options
from radhard.cli.options import OutputOptions, ProgressOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, PROTECTION
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType


def fit(
    ctx: typer.Context,
    model: options.ModelArgument,
    hardware: Annotated[
        str,
        typer.Option(
            help="the accelerator: a .toml file (docs/fit.md), or the name of a preset, such as npu-128",
            rich_help_panel=FAULTS,
        ),
    ],
    model_options: ModelOptions,
    data_options: DataOptions,
    faults: Annotated[FaultOptions, taken(only=("seed",), helps={"seed": "seed of the upsets"})],
    run: Annotated[
        RunOptions,
        taken(
            only=("images", "trials", "batch", "device"),
            helps={"trials": "upsets of each register in each image"},
        ),
    ],
    told: ProgressOptions,
    output: Annotated[
        OutputOptions,
        taken(only=("csv", "json_", "wide"), helps={"csv": "write the table's parts to this .csv file"}),
    ],
    data: options.DataOption = "fashion-mnist",
    plan: Annotated[
        Path | None,
        typer.Option(
            help="a plan's file: its diagnostic coverage is measured with the same upsets", rich_help_panel=PROTECTION
        ),
    ] = None,
    target: Annotated[
        Literal["asil-b", "asil-c", "asil-d", "sil-2", "sil-3"],
        typer.Option(help="level of ISO 26262 or IEC 61508 that is to be reached", rich_help_panel=PROTECTION),
    ] = "asil-d",
) -> None:
    """Say what upsets of an accelerator's registers do to a model, in failures in 10^9 hours (FIT): an FMEDA table.

    Each image meets one upset at a useful cycle, again and again; the share of wrong answers is the AVF. What a plan
    detects or corrects of these is its diagnostic coverage. The sum of what is left is held against a safety target.
    """
    written = files.to_write(ctx, csv=output.csv)

    from radhard.cli.live import of_each
    from radhard.cli.notes import notes, show_results
    from radhard.hardware import read_npu
    from radhard.report.fit_record import write_fit
    from radhard.report.fmeda_table import fit_summary, fmeda_table
    from radhard.studies.fit import fit as verb
    from radhard.studies.settings import settings_of

    npu = read_npu(hardware)
    settings = settings_of(
        model_options, data_options, faults, run, model=model, data=data, hardware=hardware, plan=plan, target=target
    )
    (found,) = of_each(
        {model: model_options},
        lambda name, own, report: verb(
            name,
            data,
            hardware=npu,
            target=target,
            plan=plan,
            seed=faults.seed,
            model_options=own,
            data_options=data_options,
            run=run,
            progress=report,
        ),
        console=notes(),
        told=told,
    )
    record = found.to_dict()

    def parts() -> "Iterator[RenderableType]":
        yield fmeda_table(record)
        yield from fit_summary(record)

    written.end(
        lambda: show_results([found], ctx, output=output, settings=settings, parts=parts),
        csv=lambda file: write_fit([record], file),
    )
