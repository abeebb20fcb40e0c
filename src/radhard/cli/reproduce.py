"""`radhard reproduce`: the paper's figures and claims for given models and data."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radhard.cli import completion, files, options, parse
from radhard.cli.options import ProgressOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import DATA, FAULTS, MODEL, OUTPUT
from radhard.errors import OutputError
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions
from radhard.studies.reproduction.paper_figures import ReproduceOptions

if TYPE_CHECKING:
    from rich.console import Console

    from radhard.studies.progress import Event, Report


def reproduce(
    ctx: typer.Context,
    data_options: DataOptions,
    model_options: Annotated[ModelOptions, taken(but=("checkpoint", "checkpoint_key", "anatomy"))],
    faults: FaultOptions,
    run: Annotated[RunOptions, taken(but=("shard",), trials=1)],
    reproduce_options: ReproduceOptions,
    told: ProgressOptions,
    models: Annotated[
        str,
        typer.Option(
            help=f"models, separated by commas: each is {options.MODEL_HELP}. zoo: the six models of the zoo",
            rich_help_panel=MODEL,
            autocompletion=completion.models,
        ),
    ] = "zoo",
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            help="weights to load, a safetensors or torch file; with several models NAME=FILE, repeatable",
            rich_help_panel=MODEL,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="images, as other commands take them; needed for models that are not the zoo's: the paper's are "
            "ImageNet's validation images, a folder for each class",
            rich_help_panel=DATA,
        ),
    ] = None,
    ber: Annotated[
        str | None,
        typer.Option(
            help="rates of Figs. 7 to 14, 1e-9,1e-8 or 1e-9:1e-7:3; default: four over the middle of a model's curve",
            rich_help_panel=FAULTS,
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(help="folder for records, tables, figures, plans and the store", rich_help_panel=OUTPUT),
    ] = Path("reproduced"),
    prefix: Annotated[
        str | None, typer.Option(help="what the names of the files begin with, such as zoo-", rich_help_panel=OUTPUT)
    ] = None,
    json_: Annotated[
        bool, typer.Option("--json", help="print one JSON object to stdout, nothing else", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Reproduce the paper's figures 2-5, 7-12 and 14, and judge its claims.

    What is measured, and about how long it takes, is told first. A run that is stopped goes on from its store, by
    default reproduce.db in --out. Fig. 13 is of times on a GPU (results/gpu.md).
    """
    rates = None if ber is None else parse.rates(ber)
    chosen = parse.models([name.strip() for name in models.split(",") if name.strip()]) if models != "zoo" else []
    _make_folder(out)
    files.to_write(ctx, store=run.store or out / "reproduce.db")

    from radhard.cli.notes import notes, show, show_json
    from radhard.models.zoo import ZOO
    from radhard.report.claims import claims_table, family_text
    from radhard.report.record import Envelope
    from radhard.studies.open_workers import with_open_workers
    from radhard.studies.reproduction.reproduce import reproduce as verb

    names = chosen if models != "zoo" else list(ZOO)
    weights = parse.of_models(checkpoint or [], models=names)
    with with_open_workers(run) as run, ExitStack() as stack:
        found = verb(
            {name: _with_weights(model_options, weights.get(name)) for name in names},
            data,
            out=out,
            prefix=prefix or "",
            ber=rates,
            reproduce_options=reproduce_options,
            data_options=data_options,
            faults=faults,
            run=run,
            progress=_reporting(stack, console=notes(), told=told),
        )
    if json_:
        show_json(
            Envelope(
                command=ctx.meta["command"], settings=found.settings, models=found.records(), beside=found.beside()
            )
        )
        return
    show([claims_table(found.claims), family_text(found.claims), f"Files: {', '.join(map(str, found.files))}"])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"--out {folder} cannot be made: {error.strerror or error}") from error


def _with_weights(options_: ModelOptions, file: str | None) -> ModelOptions:
    return replace(options_, checkpoint=None if file is None else Path(file))


def _reporting(stack: ExitStack, *, console: "Console", told: ProgressOptions) -> "Report":
    """Shows events as other commands do, under the name of the model that each is of."""
    from radhard.cli.live import Position, watching

    texts: set[str] = set()
    shown: dict[str, Report] = {}

    def report(event: "Event") -> None:
        if event.model not in shown:
            stack.pop_all().close()  # one bar at a time
            shown.clear()
            position = Position(model=event.model or "reproduce")
            shown[event.model] = stack.enter_context(watching(position, console=console, told=texts, asked=told))
        shown[event.model](event)

    return report
