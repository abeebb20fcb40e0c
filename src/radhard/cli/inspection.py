"""`radhard inspect`: operations and exposed bits of a model."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from radhard.cli import options
from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import OUTPUT
from radhard.studies.options import FaultOptions, ModelOptions

if TYPE_CHECKING:
    from radhard.studies.inspection import InspectionResult


def inspect(
    ctx: typer.Context,
    model: options.ModelArgument,
    model_options: Annotated[
        ModelOptions, taken(but=("scales", "resize", "crop_pct", "interpolation", "program_digest"))
    ],
    faults: Annotated[FaultOptions, taken(but=("seed",))],
    output: Annotated[OutputOptions, taken(only=("json_", "wide"))],
    by: Annotated[
        Literal["site", "layer", "module", "operator"],
        typer.Option(help="one row per site, layer ...", rich_help_panel=OUTPUT),
    ] = "site",
    coverage: Annotated[
        bool,
        typer.Option(
            "--coverage", help="list every node of the exported graph and what it became", rich_help_panel=OUTPUT
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
    from radhard.cli.live import of_each
    from radhard.cli.notes import notes, show, show_json
    from radhard.report.anatomy import MARK, anatomy_table
    from radhard.report.coverage import coverage_table
    from radhard.report.record import Envelope
    from radhard.studies.inspection import inspect as verb
    from radhard.studies.settings import settings_of

    (found,) = of_each(
        {model: model_options},
        lambda name, options, report: verb(name, by=by, model_options=options, faults=faults, progress=report),
        console=notes(),
    )
    if template:
        typer.echo(found.template, nl=False)
    elif output.json_:
        settings = settings_of(model_options, faults, model=model, by=by, coverage=coverage)
        record = found.coverage_to_dict() if coverage else found.to_dict()
        show_json(Envelope(command=ctx.meta["command"], settings=settings, models=[record]))
    elif coverage:
        show([coverage_table(found.coverage), _counted(found)], options=output)
    else:
        line = (
            f"weights: {found.loaded.weights}; multiply-accumulates of matrix products and convolutions: "
            f"{found.anatomy.macs / 1e9:,.4g} G an image"
        )
        guessed = any(row.guessed for row in found.anatomy.rows)
        show([anatomy_table(found.anatomy), line, *([MARK] if guessed else [])], options=output)


def _counted(found: "InspectionResult") -> str:
    """Multiply-accumulates as counted here and by PyTorch."""
    macs, counted = found.coverage.macs, found.torch_macs
    line = f"multiply-accumulates of matrix products and convolutions: {macs:,} an image"
    if counted is None:
        return f"{line}; PyTorch's counter cannot count an exported program"
    return f"{line}; by PyTorch's counter {counted:,} ({macs / max(1, counted) - 1:+.2%})"
