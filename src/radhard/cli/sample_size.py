"""`radhard sample-size`: how many injections a wanted interval takes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from radhard.cli import completion, options
from radhard.cli.options import OutputOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, RUN
from radhard.errors import InputError
from radhard.studies.options import FaultOptions, ModelOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType


def sample_size(
    ctx: typer.Context,
    model_options: Annotated[
        ModelOptions, taken(but=("scales", "resize", "crop_pct", "interpolation", "program_digest"))
    ],
    faults: Annotated[FaultOptions, taken(but=("seed",))],
    output: Annotated[OutputOptions, taken(only=("json_", "wide"))],
    model: Annotated[str | None, typer.Argument(help=options.MODEL_HELP, autocompletion=completion.models)] = None,
    population: Annotated[
        int | None,
        typer.Option(min=1, help="the number of possible faults, in place of a model", rich_help_panel=FAULTS),
    ] = None,
    by: Annotated[
        Literal["site", "layer", "module", "operator"],
        typer.Option(help="the kind of component", rich_help_panel=FAULTS),
    ] = "layer",
    images: Annotated[int, typer.Option(min=1, help="images, each with every fault", rich_help_panel=RUN)] = 1,
    margin: Annotated[
        float, typer.Option(help="wanted half of the interval, in percentage points", rich_help_panel=RUN)
    ] = 1.0,
    confidence: Annotated[
        float, typer.Option(help="confidence of the interval, in percent", rich_help_panel=RUN)
    ] = 95.0,
    rate: Annotated[
        float, typer.Option(help="expected rate, in percent; 50 takes the most", rich_help_panel=RUN)
    ] = 50.0,
    after: Annotated[
        Path | None,
        typer.Option(
            help="a file of `radhard avf MODEL --json`, in place of a model: what it measured says what strata save",
            rich_help_panel=RUN,
        ),
    ] = None,
) -> None:
    """Say how many single faults to inject for an interval that is as narrow as wanted.

    By the formula of Leveugle et al. for a finite population: every exposed bit of the model in each image.
    """
    given = {"MODEL": model, "--population": population, "--after": after}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        said = " and ".join(named) or "neither MODEL nor --population nor --after"
        raise InputError(f"{said}: give one of MODEL, --population N and --after FILE")

    from radhard.cli.live import of_each
    from radhard.cli.notes import notes, show_results
    from radhard.report.sample_size import sample_size_lines, sample_size_table
    from radhard.studies.sample_size import sample_size as verb
    from radhard.studies.settings import settings_of

    if model is None:
        found = verb(population, margin=margin, confidence=confidence, rate=rate, images=images, after=after)
    else:
        (found,) = of_each(
            {model: model_options},
            lambda name, own, report: verb(
                name,
                by=by,
                images=images,
                margin=margin,
                confidence=confidence,
                rate=rate,
                model_options=own,
                faults=faults,
                progress=report,
            ),
            console=notes(),
        )
    own = {"population": population, "images": images, "margin": margin, "confidence": confidence, "rate": rate}
    settings = settings_of(model_options, faults, model=model, by=by, after=after, **own)
    record = found.to_dict()

    def parts() -> "Iterator[RenderableType]":
        if record["components"]:
            yield sample_size_table(record)
        yield from sample_size_lines(record)

    show_results([found], ctx, output=output, settings=settings, parts=parts)
