"""`radhard inspect`: what a model computes, and how many bits of it are exposed."""

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from radhard.cli import options

if TYPE_CHECKING:
    from radhard.models.load import LoadedModel
    from radhard.program import Program


def inspect(
    ctx: typer.Context,
    model: options.Model,
    checkpoint: options.Checkpoint = None,
    checkpoint_key: options.CheckpointKey = None,
    pretrained: options.Pretrained = False,
    input_shape: options.InputShape = None,
    mean: options.Mean = None,
    std: options.Std = None,
    anatomy: options.Anatomy = None,
    recipe: options.Recipe = "int8",
    kinds: options.Kinds = options.DEFAULT_KINDS,
    layer: options.Layers = None,
    module: options.Modules = None,
    operator: options.Operators = None,
    site: options.Sites = None,
    except_: options.Except = False,
    words: options.WordsText = options.DEFAULT_WORDS,
    by: Annotated[Literal["site", "layer", "module", "operator"], typer.Option(help="one row for each")] = "site",
    coverage: Annotated[
        bool, typer.Option("--coverage", help="say of every node of the exported graph what became of it")
    ] = False,
    template: Annotated[
        bool, typer.Option("--template", help="print a file for --anatomy, in TOML, with every site commented out")
    ] = False,
    json_: options.Json = False,
) -> None:
    """Count the operations of one image's inference and the bits that faults can flip."""
    from radhard.campaign.build import build_program
    from radhard.cli.live import waiting
    from radhard.cli.model import model_choice, tell_assumed
    from radhard.cli.notes import notes, output
    from radhard.cli.selection import selection, words_of
    from radhard.program import template as template_of
    from radhard.report.anatomy import MARK, anatomy_record, anatomy_table
    from radhard.report.anatomy import anatomy as anatomy_of

    chosen = selection(ctx.params)
    exposed = words_of(words)
    source = model_choice(ctx.params)
    progress = notes()
    with waiting("capturing and calibrating", console=progress):
        loaded = source.load(model, checkpoint)
        program = build_program(loaded, recipe=recipe)
    tell_assumed(loaded, console=progress)
    if coverage:
        _show_coverage(loaded, program, as_json=json_)
        return
    if template:
        typer.echo(template_of(program.sites), nl=False)
        return
    found = anatomy_of(program, kinds=chosen.kinds, where=chosen.where, words=exposed, by=by)
    if json_:
        typer.echo(json.dumps({"weights": loaded.weights, **anatomy_record(found)}, allow_nan=False))
        return
    console = output()
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
