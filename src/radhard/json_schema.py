"""JSON schemas of types: TypedDicts, dataclasses and records, and each value in them.

A type says more of its values as `Annotated[int, Least(0), "images that chose"]`: bounds, a pattern, and what they are.
"""

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from radhard.json_record import BOUNDS, Record, required, unpacked

Schema = dict[str, Any]

_PLAIN: Mapping[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


def schema_of(kind: Any) -> Schema:
    """The schema of a type, with a definition for each type that it refers to. TypeError for a type that has no JSON.

    A TypedDict has exactly its keys; `Annotated[dict[str, Any], Value]` has the fields of the dataclass `Value`, whose
    floats are null where they are not finite; a `Record` lacks what is left out of its JSON.

    >>> schema_of(list[int] | None)
    {'anyOf': [{'type': 'array', 'items': {'type': 'integer'}}, {'type': 'null'}], '$defs': {}}
    """
    definitions: dict[str, Schema] = {}
    return {**part_of(kind, definitions), "$defs": dict(sorted(definitions.items()))}


def part_of(kind: Any, definitions: dict[str, Schema]) -> Schema:
    """The schema of a type within another's; those of the types that it refers to are put into `definitions`."""
    if get_origin(kind) is NotRequired:
        return part_of(get_args(kind)[0], definitions)
    inner, notes = unpacked(kind)
    texts = [note for note in notes if isinstance(note, str)]
    found: Schema = {"description": " ".join(texts)} if texts else {}
    found |= _of_type(next(filter(_has_fields, notes), inner), definitions)
    for note in notes:
        if isinstance(note, BOUNDS):
            found |= note.schema
    return found


def _of_type(kind: Any, definitions: dict[str, Schema]) -> Schema:
    origin, parts = get_origin(kind), get_args(kind)
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if kind is Any or kind is object:
        return {}
    if origin is Literal:
        return {"enum": list(parts)}
    if origin in (Union, UnionType):
        return _any_of([part_of(part, definitions) for part in parts])
    if origin is tuple and parts[-1] is not Ellipsis:
        each = [part_of(part, definitions) for part in parts]
        return {"type": "array", "prefixItems": each, "minItems": len(each), "maxItems": len(each)}
    if origin in (list, tuple, frozenset):
        return {"type": "array", "items": part_of(parts[0], definitions)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": part_of(parts[1], definitions)}
    if _has_fields(kind):
        return _reference(kind, definitions)
    raise TypeError(f"{kind} has no JSON: a record holds TypedDicts, dataclasses, lists, dicts and plain values")


def _any_of(each: list[Schema]) -> Schema:
    """One of several; of plain types one schema, which says all that they say."""
    if all(found.get("type") in _PLAIN.values() for found in each):
        said = {key: value for found in each for key, value in found.items()}
        return {**said, "type": [found["type"] for found in each]}
    return {"anyOf": each}


def _has_fields(kind: Any) -> bool:
    return is_typeddict(kind) or (isinstance(kind, type) and is_dataclass(kind))


def _reference(kind: Any, definitions: dict[str, Schema]) -> Schema:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}  # a type may hold itself
        properties, needed = _properties(kind, definitions)
        definitions[name] = {
            "description": " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split()),
            "type": "object",
            "properties": properties,
            "required": needed,
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def _properties(kind: Any, definitions: dict[str, Schema]) -> tuple[dict[str, Schema], list[str]]:
    """What an object has, and which of it must be there."""
    hints = get_type_hints(kind, include_extras=True)
    if is_typeddict(kind):
        found = {name: part_of(hint, definitions) for name, hint in hints.items()}
        return found, sorted(kind.__required_keys__, key=list(hints).index)
    if issubclass(kind, Record):
        known = fields(kind)
        found = {field.name: part_of(_written(hints[field.name], field.default), definitions) for field in known}
        return found, [field.name for field in known if required(field)]
    named = {field.metadata.get("json", field.name): hints[field.name] for field in fields(kind)}
    return {name: _nullable(part_of(hint, definitions)) for name, hint in named.items()}, list(named)


def _nullable(found: Schema) -> Schema:
    """A float of a dataclass is null where it is not finite."""
    return {**found, "type": ["number", "null"]} if found.get("type") == "number" else found


def _written(hint: Any, default: object) -> Any:
    """The type of what is there: a None that is left out is not."""
    inner, notes = unpacked(hint)
    if default is not None or get_origin(inner) not in (Union, UnionType):
        return hint
    (kind,) = (each for each in get_args(inner) if each is not NoneType)
    return Annotated[(kind, *notes)] if notes else kind
