"""`radhard inspect`: what a model computes, and how many bits of it are exposed."""

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from radhard.cli import options
from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import OUTPUT
from radhard.studies.options import FaultOptions, ModelOptions

if TYPE_CHECKING:
    from radhard.models.load import LoadedModel
    from radhard.program import Program


def inspect(
    model: options.Model,
    model_options: Annotated[ModelOptions, taken(but=("scales", "resize", "crop_pct", "interpolation"))],
    faults: Annotated[FaultOptions, taken(but=("seed",))],
    output: Annotated[OutputOptions, taken(only=("json_",))],
    by: Annotated[
        Literal["site", "layer", "module", "operator"], typer.Option(help="one row for each", rich_help_panel=OUTPUT)
    ] = "site",
    coverage: Annotated[
        bool,
        typer.Option(
            "--coverage", help="say of every node of the exported graph what became of it", rich_help_panel=OUTPUT
        ),
    ] = False,
    template: Annotated[
        bool,
        typer.Option(
            "--template",
            help="print a file for --anatomy, in TOML, with every site commented out",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
) -> None:
    """Count the operations of one image's inference and the bits that faults can flip."""
    from radhard.campaign.build import build_program
    from radhard.cli.live import waiting
    from radhard.cli.model import load, tell_assumed
    from radhard.cli.notes import notes
    from radhard.cli.notes import output as results
    from radhard.program import template as template_of
    from radhard.report.anatomy import MARK, anatomy_record, anatomy_table
    from radhard.report.anatomy import anatomy as anatomy_of

    where = faults.where
    progress = notes()
    with waiting("capturing and calibrating", console=progress):
        loaded = load(model, model_options)
        program = build_program(loaded, recipe=model_options.recipe)
    tell_assumed(loaded, console=progress)
    if coverage:
        _show_coverage(loaded, program, as_json=output.json_)
        return
    if template:
        typer.echo(template_of(program.sites), nl=False)
        return
    found = anatomy_of(program, kinds=faults.kinds, where=where, words=faults.words, by=by)
    if output.json_:
        typer.echo(json.dumps({"weights": loaded.weights, **anatomy_record(found)}, allow_nan=False))
        return
    console = results()
    console.print(anatomy_table(found))
    console.print(
        f"weights: {loaded.weights}; multiply-accumulates of matrix products and convolutions: "
        f"{found.macs / 1e9:,.4g} G an image"
    )
    if any(row.guessed for row in found.rows):
        console.print(MARK)


def _show_coverage(loaded: "LoadedModel", program: "Program", *, as_json: bool) -> None:
    import torch
    from torch import nn

    from radhard.cli.notes import output
    from radhard.report.coverage import counted_by_torch, coverage, coverage_record, coverage_table

    found = coverage(program)
    counted = None
    if isinstance(loaded.module, nn.Module):
        counted = counted_by_torch(loaded.module, torch.zeros(1, *loaded.input_shape))
    if as_json:
        typer.echo(json.dumps(coverage_record(found, torch_macs=counted), allow_nan=False))
        return
    console = output()
    console.print(coverage_table(found))
    line = f"multiply-accumulates of matrix products and convolutions: {found.macs:,} an image"
    if counted is None:
        console.print(f"{line}; PyTorch's counter cannot count an exported program")
    else:
        console.print(f"{line}; by PyTorch's counter {counted:,} ({found.macs / max(1, counted) - 1:+.2%})")
