"""The option `--study FILE` of every command that works on a model: what the command line leaves out, a file says."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from radhard.cli.spelling import MODEL, SPELLED
from radhard.errors import InputError
from radhard.studies.options import DataOptions, ModelOptions

STUDY = "study"
"""The option's parameter."""

_MODELS = ("model", "models")
_OF_PROGRAM = frozenset(
    {"data_root", "split", "samples", "data_seed", "calibration", "calibration_split", "labels", "classes", "skip_bad"}
)
"""Options of data that decide which images calibrate."""


def study_option(groups: Iterable[type]) -> inspect.Parameter:
    """The option as a parameter of a command that takes these groups of options."""
    found = tuple(groups)
    info = typer.Option(
        help="a study.toml, as `radhard study` writes it: model, data, options and digests; MODEL is then left out, "
        "and an option on the command line goes before the file's",
        rich_help_panel=MODEL,
        is_eager=True,
        callback=_reading(found),
    )
    return inspect.Parameter(
        STUDY, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Path | None, info], default=None
    )


def _reading(groups: tuple[type, ...]) -> Callable[[typer.Context, Path | None], Path | None]:
    def read(ctx: typer.Context, file: Path | None) -> Path | None:
        if file is not None and not ctx.resilient_parsing:
            ctx.default_map = written_defaults(file, groups)
            ctx.meta[STUDY] = dict(ctx.default_map)
        return file

    return read


def written_defaults(file: Path, groups: Iterable[type]) -> dict[str, Any]:
    """What a study's file says of a command's options, by parameter, as the command line writes it."""
    from radhard.studies.study_file.study import TABLES, Study, attribute, stated

    study, wanted = Study.read(file), set(groups)
    found: dict[str, Any] = {}
    if study.model is not None:
        found |= {"model": study.model, "models": [study.model]}
    if study.data is not None:
        found["data"] = study.data
    several = any("models" in {each.name for each in fields(cast("Any", group))} for group in wanted)
    for table, group in TABLES.items():
        if group not in wanted:
            continue
        options = getattr(study, attribute(table))
        for name in stated(options):
            value = _written(group, name, getattr(options, name))
            found[name] = [value] if several and name in ("checkpoint", "anatomy") else value
    return found


def check_against_study(ctx: Any) -> None:
    """Raise InputError for another model than the study's; a digest is not asked of what the command line replaced."""
    told: dict[str, Any] | None = ctx.meta.get(STUDY)
    if told is None:
        return
    file = ctx.params[STUDY]
    written = {name for name in ctx.params if _is_written(ctx, name)}
    for name in written.intersection(_MODELS):
        if name in told and ctx.params[name] not in (told[name], tuple(told[name])):
            given = ctx.params[name]
            text = given if isinstance(given, str) else " ".join(given)
            raise InputError(f"MODEL {text}: {file} is a study of {told['model']}; leave MODEL out, or --study")
    model = {each.name for each in fields(ModelOptions)} - {"program_digest"}
    data = {each.name for each in fields(DataOptions)} - {"data_digest"} | {"data"}
    if written & (model | _OF_PROGRAM | {"data"}) and "program_digest" not in written:
        _forget(ctx, "program_digest")
    if written & (data | model) and "data_digest" not in written:
        _forget(ctx, "data_digest")


def _forget(ctx: Any, name: str) -> None:
    if name in ctx.params:
        ctx.params[name] = None


def _is_written(ctx: Any, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _written(group: type, name: str, value: Any) -> Any:
    spelling = SPELLED.get((group, name))
    if spelling is not None:
        return spelling.write(value)
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return str(value) if isinstance(value, Path) else value
