"""Frozen records as JSON: writing, reading with the place of each error, and their JSON schema.

All three come from the fields of a dataclass. A field may be annotated with its bounds (`Least`, `Most`), a pattern of
its text (`Matches`), and what it is: `Annotated[int, Least(0), "images that chose"]`. A field that is None or False by
default is left out where it is that, so that what a later version adds leaves older files as they are.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from radhard.errors import InputError
from radhard.protection.schemes.options import Least

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", object: ""}


@dataclass(frozen=True)
class Most:
    """A number up to `value`."""

    value: float


@dataclass(frozen=True)
class Matches:
    """A text that the regular expression `pattern` matches as a whole."""

    pattern: str


class Record:
    """What a frozen dataclass has of its fields: its JSON, both ways."""

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, in the order of the fields."""
        found = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.default is MISSING or value is not field.default or value not in (None, False):
                found[field.name] = _plain(value)
        return found

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, place: str) -> Self:
        """The inverse of `as_dict`. InputError names `place` and the field of a value that is none."""
        hints = get_type_hints(cls, include_extras=True)
        known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
        if unknown := sorted(values.keys() - known.keys()):
            raise InputError(f"{place}: {unknown[0]!r} is none of its fields, {', '.join(known)}")
        if missing := [name for name in known if name not in values and _required(known[name])]:
            raise InputError(f"{place}: {missing[0]!r} is missing")
        return cls(**{name: read(hints[name], value, place=f"{place}, {name!r}") for name, value in values.items()})


def read(hint: Any, value: Any, *, place: str) -> Any:
    """A JSON value as a value of the type. InputError names `place` where it is none."""
    hint, notes = _parts(hint)
    kinds = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        if value is None and NoneType in kinds:
            return None
        (hint,) = (kind for kind in kinds if kind is not NoneType)
        return read(hint, value, place=place)
    if get_origin(hint) is Literal:
        if not any(value == known and type(value) is type(known) for known in kinds):
            raise InputError(f"{place} is {value!r}; it is one of {', '.join(repr(known) for known in kinds)}")
        return value
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise InputError(f"{place} is {value!r}, not a list")
        return tuple(read(kinds[0], each, place=f"{place} {k}") for k, each in enumerate(value))
    own = hint if isinstance(hint, type) and issubclass(hint, Record) else None
    if own or get_origin(hint) is Mapping:
        if not isinstance(value, Mapping):
            raise InputError(f"{place} is {value!r}, not a mapping")
        if own:
            return own.from_dict(value, place=place)
        return {name: read(kinds[1], each, place=f"{place}, {name!r}") for name, each in value.items()}
    if hint is not object and type(value) is not hint and not (hint is float and type(value) is int):
        raise InputError(f"{place} is {value!r}, not a{'n' if hint is int else ''} {_PLAIN[hint]}")
    for note in notes:
        _check(note, value, place=place)
    return value


def schema_of(hint: Any, parts: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a type; those of the dataclasses in it are put into `parts`, by their names."""
    hint, notes = _parts(hint)
    found = {**_described(notes), **_schema_of(hint, parts)}
    for note in notes:
        if isinstance(note, Matches):
            found["pattern"] = f"^({note.pattern})$"
        elif isinstance(note, Least | Most):
            bound = int(note.value) if note.value == int(note.value) else note.value
            found["minimum" if isinstance(note, Least) else "maximum"] = bound
    return found


def _schema_of(hint: Any, parts: dict[str, Any]) -> dict[str, Any]:
    kinds = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        (kind,) = (each for each in kinds if each is not NoneType)
        inner = schema_of(kind, parts)
        if isinstance(inner.get("type"), str):
            return {**inner, "type": [inner["type"], "null"]}
        return {"oneOf": [inner, {"type": "null"}]}
    if get_origin(hint) is Literal:
        return {"enum": list(kinds)}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": schema_of(kinds[0], parts)}
    if get_origin(hint) is Mapping:
        return {"type": "object", "additionalProperties": schema_of(kinds[1], parts)}
    if not is_dataclass(hint):
        return {"type": _PLAIN[hint]} if _PLAIN[hint] else {}
    name = str(hint.__name__)  # type: ignore[union-attr]
    if name not in parts:
        parts[name] = {}  # it may hold itself
        hints = get_type_hints(hint, include_extras=True)
        known = {field.name: field for field in fields(hint)}
        parts[name] = {
            "description": " ".join((inspect.getdoc(hint) or "").split("\n\n")[0].split()),
            "type": "object",
            "properties": {field: schema_of(_given(hints[field], known[field]), parts) for field in known},
            "required": [field for field in known if _required(known[field])],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def _given(hint: Any, field: Any) -> Any:
    """The type of what is there: a None that is left out is not."""
    inner, notes = _parts(hint)
    if field.default is not None or get_origin(inner) not in (Union, UnionType):
        return hint
    (kind,) = (each for each in get_args(inner) if each is not NoneType)
    return Annotated[(kind, *notes)] if notes else kind


def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(hint) is not Annotated:
        return hint, ()
    inner, *notes = get_args(hint)
    return inner, tuple(notes)


def _required(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _described(notes: tuple[Any, ...]) -> dict[str, str]:
    texts = [note for note in notes if isinstance(note, str)]
    return {"description": " ".join(texts)} if texts else {}


def _check(note: Any, value: Any, *, place: str) -> None:
    if isinstance(note, Matches) and not re.fullmatch(note.pattern, value):
        raise InputError(f"{place} is {value!r}, which is none; it matches {note.pattern}")
    if isinstance(note, Least) and not value >= note.value:
        raise InputError(f"{place} is {value}; it is at least {note.value:g}")
    if isinstance(note, Most) and not value <= note.value:
        raise InputError(f"{place} is {value}; it is at most {note.value:g}")


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.as_dict()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
