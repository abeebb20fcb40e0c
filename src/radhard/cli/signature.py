"""Turns the fields of a command's dataclasses into Typer options, and parsed options back into values.

A parameter of a command is an option of its own, as Typer has it, or a group: a frozen dataclass each of whose fields
is an option. A command may take a part of a group, with other defaults or another help: `Annotated[Group, taken(...)]`.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import Annotated, Any, cast, get_args, get_origin

import typer
from typer.models import OptionInfo

from radhard.cli.spelling import COMPLETED, ELSEWHERE, ORDER, PANELS, SPELLED
from radhard.cli.study_option import STUDY, study_option
from radhard.errors import as_option
from radhard.studies.options import ModelOptions

Command = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a command takes of a group: all fields `but` some, or `only` some, with its own defaults and helps."""

    but: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    helps: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name not in self.but and (not self.only or name in self.only)


ALL = Taken()


def taken(
    *,
    but: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
    helps: Mapping[str, str] | None = None,
    **defaults: object,
) -> Taken:
    """What a command takes of a group; `defaults` by the fields' names."""
    return Taken(but=but, only=only, helps=helps or {}, defaults=defaults)


def command(function: Command) -> Command:
    """The command as Typer takes it: with an option for each field of the groups that `function` takes."""
    given = inspect.signature(function).parameters
    groups = {name: found for name, each in given.items() if (found := _group(each.annotation)) is not None}
    flat = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for name, each in given.items() if name not in groups]
    for group in groups.values():
        flat += _options(*group)
    own = [group for group, _ in _whole(groups.values())]
    if ModelOptions in own:
        flat.append(study_option(own))
    flat.sort(key=_place)

    @functools.wraps(function)
    def run(**written: Any) -> None:
        written.pop(STUDY, None)
        values = {name: value for name, value in written.items() if name in given and name not in groups}
        function(**values, **{name: _value(*group, written) for name, group in groups.items()})

    wrapped: Any = run
    wrapped.__signature__ = inspect.Signature(flat, return_annotation=None)
    wrapped.__annotations__ = {each.name: each.annotation for each in flat}
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    wrapped.__doc__ = "\n\n".join(" ".join(each.split()) for each in paragraphs)  # the terminal breaks the lines
    return cast("Command", wrapped)


def _whole(groups: Iterable[tuple[type, Taken]]) -> Iterator[tuple[type, Taken]]:
    """The groups, and those within them."""
    for group, part in groups:
        yield group, part
        yield from _whole(found for each in _fields(group, part) if (found := _group(each.type)) is not None)


def _group(annotation: Any) -> tuple[type, Taken] | None:
    """The group that an annotation names, and what is taken of it; None for an option of its own."""
    group, *notes = get_args(annotation) if get_origin(annotation) is Annotated else [annotation]
    if not (isinstance(group, type) and is_dataclass(group)):
        return None
    return group, next((note for note in notes if isinstance(note, Taken)), ALL)


def _options(group: type, part: Taken) -> Iterator[inspect.Parameter]:
    for each in _fields(group, part):
        if (nested := _group(each.type)) is not None:
            yield from _options(*nested)
            continue
        text = part.helps.get(each.name, each.metadata["help"])
        if each.metadata.get("metavar"):
            info: Any = typer.Argument(
                help=text, metavar=each.metadata["metavar"], autocompletion=each.metadata.get("complete")
            )
        else:
            panel = each.metadata.get("panel") or ELSEWHERE.get((group, each.name)) or PANELS[group]
            info = typer.Option(
                as_option(each.name),
                help=text,
                min=each.metadata.get("least"),
                rich_help_panel=panel,
                autocompletion=COMPLETED.get((group, each.name)),
            )
        spelling = SPELLED.get((group, each.name))
        form = _form(each) if spelling is None else spelling.form
        default = _default(group, each, part)
        yield inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[form if default is not None else form | None, info],
            default=default,
        )


def _value(group: type, part: Taken, written: Mapping[str, Any]) -> Any:
    """The group's value. What is left out is left to the dataclass: a default may have to load torch to be read."""
    values: dict[str, Any] = {}
    for each in _fields(group, part):
        if (nested := _group(each.type)) is not None:
            values[each.name] = _value(*nested, written)
            continue
        text = written[each.name]
        if text == _default(group, each, part) and each.name not in part.defaults:
            continue
        spelling = SPELLED.get((group, each.name))
        if spelling is not None and text is not None:
            values[each.name] = spelling.read(text)
        else:
            values[each.name] = tuple(text) if isinstance(text, list) else text
    return group(**values)


def _place(option: inspect.Parameter) -> int:
    """Where help has an option: arguments first, then by headings; under one, a command's own before a group's."""
    notes = get_args(option.annotation)[1:]
    panel = next((note.rich_help_panel for note in notes if isinstance(note, OptionInfo)), None)
    return ORDER.index(panel) if panel in ORDER else -1


def _fields(group: type, part: Taken) -> list["Field[Any]"]:
    return [each for each in fields(cast("Any", group)) if each.name in part]


def _form(each: "Field[Any]") -> Any:
    """The type by which Typer reads a field without a spelling: its own, of a tuple a list, which can be repeated."""
    return list[get_args(each.type)[0]] if get_origin(each.type) is tuple else each.type  # type: ignore[misc]


def _default(group: type, each: "Field[Any]", part: Taken) -> Any:
    """What Typer is told that stands where nothing is written."""
    if each.name in part.defaults:
        return part.defaults[each.name]
    spelling = SPELLED.get((group, each.name))
    if spelling is not None and spelling.default is not None:
        return spelling.default
    if each.default is MISSING:
        return inspect.Parameter.empty
    return each.default or None if get_origin(each.type) is tuple else each.default
