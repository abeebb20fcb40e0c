"""Frozen records as JSON: writing, and reading with the place of each error.

Both come from the fields of a dataclass. A field may be annotated with its bounds (`Least`, `Above`, `Most`), a pattern
of its text (`Matches`), and what it is: `Annotated[int, Least(0), "images that chose"]`. A field that is None or False
by default is left out where it is that, so that what a later version adds leaves older files as they are.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from radhard.errors import InputError

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}


@dataclass(frozen=True)
class Least:
    """A number from `value` on."""

    value: float

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON schema has it."""
        return {"minimum": _short(self.value)}

    def check(self, value: float, *, place: str) -> None:
        """Raise InputError for a lesser value."""
        if not value >= self.value:
            raise InputError(f"{place} is {value}; it is at least {self.value:g}")


@dataclass(frozen=True)
class Above:
    """A number above `value`."""

    value: float

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON schema has it."""
        return {"exclusiveMinimum": _short(self.value)}

    def check(self, value: float, *, place: str) -> None:
        """Raise InputError for a value that is not above."""
        if not value > self.value:
            raise InputError(f"{place} is {value}; it is above {self.value:g}")


@dataclass(frozen=True)
class Most:
    """A number up to `value`."""

    value: float

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON schema has it."""
        return {"maximum": _short(self.value)}

    def check(self, value: float, *, place: str) -> None:
        """Raise InputError for a greater value."""
        if not value <= self.value:
            raise InputError(f"{place} is {value}; it is at most {self.value:g}")


@dataclass(frozen=True)
class Matches:
    """A text that the regular expression `pattern` matches as a whole."""

    pattern: str

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON schema has it."""
        return {"pattern": f"^({self.pattern})$"}

    def check(self, value: str, *, place: str) -> None:
        """Raise InputError for another text."""
        if not re.fullmatch(self.pattern, value):
            raise InputError(f"{place} is {value!r}, which is none; it matches {self.pattern}")


BOUNDS = (Least, Above, Most, Matches)
"""What a note of a type can say of its values, beside a text."""


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
        if missing := [name for name in known if name not in values and required(known[name])]:
            raise InputError(f"{place}: {missing[0]!r} is missing")
        return cls(**{name: read(hints[name], value, place=f"{place}, {name!r}") for name, value in values.items()})


def read(hint: Any, value: Any, *, place: str) -> Any:
    """A JSON value as a value of the type. InputError names `place` where it is none."""
    hint, notes = unpacked(hint)
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
        if isinstance(note, BOUNDS):
            note.check(value, place=place)
    return value


def unpacked(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type, without its notes, and these."""
    if get_origin(hint) is not Annotated:
        return hint, ()
    inner, *notes = get_args(hint)
    return inner, tuple(notes)


def required(field: Field[Any]) -> bool:
    """Whether a field has no default."""
    return field.default is MISSING and field.default_factory is MISSING


def _short(value: float) -> float:
    """1 for 1.0."""
    return int(value) if value == int(value) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.as_dict()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
