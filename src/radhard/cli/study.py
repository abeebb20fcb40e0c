"""`radhard study`: the whole way from a model to a report and a hardened file, in one folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radhard.cli import options, parse
from radhard.cli.options import OutputOptions, ProgressOptions
from radhard.cli.signature import taken
from radhard.cli.spelling import FAULTS, OUTPUT, RUN
from radhard.cli.study_option import STUDY
from radhard.studies.options import (
    CompareOptions,
    DataOptions,
    FaultOptions,
    ModelOptions,
    PlanOptions,
    RunOptions,
)

if TYPE_CHECKING:
    from radhard.studies.progress import Event

_DEFAULT = Path("study")


def study(
    ctx: typer.Context,
    model: options.ModelArgument,
    model_options: ModelOptions,
    data_options: DataOptions,
    faults: FaultOptions,
    plan_options: Annotated[
        PlanOptions,
        taken(
            only=("max_loss", "max_overhead", "level"),
            helps={
                "max_overhead": "allowed operations of protection, in percent of the model's, each counting alike",
                "max_loss": "allowed loss of clean accuracy of the plans, in percentage points",
            },
            max_overhead=20.0,
        ),
    ],
    compare_options: Annotated[
        CompareOptions,
        taken(only=("schemes", "margin"), schemes="lb-abft:policy=leave,lb-abft,standard-abft,row-abft,tmr"),
    ],
    run: Annotated[RunOptions, taken(only=("batch", "device", "journal", "workers", "cluster"))],
    told: ProgressOptions,
    output: Annotated[OutputOptions, taken(only=("json_",))],
    data: options.DataOption = "fashion-mnist",
    budget: Annotated[
        str | None,
        typer.Option(
            help="time that all may take, such as 20m, 90s or 2h: images and trials are fitted to it; default: 8m, or "
            "more where that is too little",
            rich_help_panel=RUN,
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            help="steps to do, such as sweep,plan, with those that they need: sweep, points, vulnerability (layer, "
            "module, bit, patch), avf, plan (paper, gain), evaluate, compare, harden, report",
            rich_help_panel=RUN,
        ),
    ] = None,
    skip: Annotated[str | None, typer.Option(help="steps to leave out, such as bit,patch", rich_help_panel=RUN)] = None,
    images: Annotated[
        int | None,
        typer.Option(
            min=1, help="images that evaluate; as many others choose a plan, as many judge it; default: by --budget",
            rich_help_panel=RUN,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="runs of each image at each BER; default: by --budget", rich_help_panel=RUN),
    ] = None,
    plan_ber: Annotated[
        str | None,
        typer.Option(
            help="bit error rate at which components are ranked, plans made and schemes compared; default: the one "
            "that costs 10 points of accuracy",
            rich_help_panel=FAULTS,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="folder for everything; default: that of --study, else study", rich_help_panel=OUTPUT),
    ] = None,
) -> None:  # fmt: skip
    """Study a model: curve, vulnerability, plans, comparison, hardened file and report, by one command.

    It says first what it will do and how long that takes. Everything is in one folder: study.toml, which every command
    takes by --study, the store run.db, what each step's command prints by --json, figures, plans, the hardened model
    and report.html. A study that was stopped goes on where it was, by the same command. What cannot be measured is
    skipped, with the reason.
    """
    seconds = None if budget is None else parse.duration(budget)
    rate = None if plan_ber is None else parse.rate(plan_ber)
    file: Path | None = ctx.params.get(STUDY)
    folder = out or (_DEFAULT if file is None else file.parent)
    ctx.meta["store"] = str(folder / "run.db")

    from radhard.cli.live import Position, tell_schedule, tell_step, watching
    from radhard.cli.notes import notes, show_results
    from radhard.report.study import study_table
    from radhard.studies.settings import settings_of
    from radhard.studies.study.study import study as verb
    from radhard.studies.study.study_events import FittedAgain, Scheduled, StepEnded

    console = notes()
    settings = settings_of(
        model_options, data_options, faults, plan_options, compare_options, run, model=model, data=data, budget=seconds,
        only=only, skip=skip, images=images, trials=trials, plan_ber=rate, out=folder,
    )  # fmt: skip

    with watching(Position(model=model), console=console, asked=told) as report:

        def tell(event: "Event") -> None:
            if isinstance(event, Scheduled):
                tell_schedule(event, console=console, asked=told)
            elif isinstance(event, FittedAgain | StepEnded):
                tell_step(event, console=console, asked=told)
            else:
                report(event)

        found = verb(
            model,
            data,
            out=folder,
            budget=seconds,
            only=_names(only),
            skip=_names(skip),
            plan_ber=rate,
            images=images,
            trials=trials,
            model_options=model_options,
            data_options=data_options,
            faults=faults,
            plan_options=plan_options,
            compare_options=compare_options,
            run=run,
            progress=tell,
        )
    table = study_table(found.record["steps"], title=found.headline)
    show_results([found], ctx, output=output, settings=settings, parts=lambda: [table, *found.next_lines()])


def _names(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(part.strip() for part in text.split(",") if part.strip())
