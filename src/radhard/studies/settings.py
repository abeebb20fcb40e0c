"""The options of a run as JSON: the `settings` of the envelope."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

from radhard.errors import InputError
from radhard.program import Overrides
from radhard.words import Words


def settings_of(*options: object, **own: object) -> dict[str, object]:
    """The fields of option values, then a command's `own` arguments, by name -> JSON values.

    Options within options stand beside the others. InputError for a value that has no JSON: ask before the work.
    """
    values: dict[str, object] = {}
    for value in options:
        values |= _flat(value)
    return {name.rstrip("_"): json_of(value, name=name) for name, value in {**values, **own}.items()}


def json_of(value: object, *, name: str) -> object:
    """A value of an option as JSON: paths as text, sets in order, words and overrides as their files have them."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Words | Overrides):
        return value.as_dict()
    if isinstance(value, frozenset | set):
        return sorted(str(each) for each in value)
    if isinstance(value, tuple | list):
        return [json_of(each, name=name) for each in value]
    if isinstance(value, Mapping):
        return {str(key): json_of(each, name=name) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: json_of(getattr(value, field.name), name=name) for field in fields(value)}
    raise InputError(f"{name}: {type(value).__name__} has no JSON")


def _flat(value: object) -> dict[str, object]:
    if not is_dataclass(value) or isinstance(value, type):
        raise InputError(f"options are a {type(value).__name__}: give a value such as RunOptions()")
    own = {field.name: getattr(value, field.name) for field in fields(value)}
    within = [field.name for field in fields(value) if not field.metadata]  # what is no option itself has options
    flat: dict[str, object] = {}
    for name in within:
        flat |= _flat(own[name])
    return flat | {name: each for name, each in own.items() if name not in within}
