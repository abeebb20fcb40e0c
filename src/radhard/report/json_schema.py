"""JSON schemas from types: TypedDicts and dataclasses."""

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

Schema = dict[str, Any]

_PLAIN: Mapping[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


def schema_of(record: Any) -> Schema:
    """The schema of a record's type, with a definition for each type that it refers to.

    A TypedDict has exactly its keys; `Annotated[dict[str, Any], Value]` has the fields of the dataclass `Value`, whose
    floats are null where they are not finite. TypeError for a type that has no JSON.
    """
    definitions: dict[str, Schema] = {}
    return {**_schema(record, definitions), "$defs": dict(sorted(definitions.items()))}


def _schema(kind: Any, definitions: dict[str, Schema]) -> Schema:
    origin, parts = get_origin(kind), get_args(kind)
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if kind is Any or kind is object:
        return {}
    if origin is Annotated:
        return _schema(next(filter(_is_record, parts[1:]), parts[0]), definitions)
    if origin is NotRequired:
        return _schema(parts[0], definitions)
    if origin is Literal:
        return {"enum": list(parts)}
    if origin in (Union, UnionType):
        each = [_schema(part, definitions) for part in parts]
        plain = [found["type"] for found in each if list(found) == ["type"]]
        return {"type": plain} if len(plain) == len(each) else {"anyOf": each}
    if origin in (list, tuple, frozenset):
        return _array(origin, parts, definitions)
    if origin in (dict, Mapping) or getattr(origin, "__name__", "") == "Mapping":
        return {"type": "object", "additionalProperties": _schema(parts[1], definitions)}
    if _is_record(kind):
        return _reference(kind, definitions)
    raise TypeError(f"{kind} has no JSON: a record holds TypedDicts, dataclasses, lists, dicts and plain values")


def _is_record(kind: Any) -> bool:
    return is_typeddict(kind) or is_dataclass(kind)


def _array(origin: Any, parts: tuple[Any, ...], definitions: dict[str, Schema]) -> Schema:
    if origin is tuple and parts[-1] is not Ellipsis:
        each = [_schema(part, definitions) for part in parts]
        return {"type": "array", "prefixItems": each, "minItems": len(each), "maxItems": len(each)}
    return {"type": "array", "items": _schema(parts[0], definitions)}


def _reference(kind: Any, definitions: dict[str, Schema]) -> Schema:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}  # a type may hold itself
        definitions[name] = _object(kind, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _object(kind: Any, definitions: dict[str, Schema]) -> Schema:
    hints = get_type_hints(kind, include_extras=True)
    if is_dataclass(kind):  # a field's "json" is its name there
        hints = {field.metadata.get("json", field.name): hints[field.name] for field in fields(kind)}
    names = list(hints)
    properties = {name: _schema(hints[name], definitions) for name in names}
    if is_dataclass(kind):
        properties = {name: _nullable(found) for name, found in properties.items()}
    first = (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")
    required = sorted(kind.__required_keys__, key=names.index) if is_typeddict(kind) else names
    return {
        "description": first,
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _nullable(found: Schema) -> Schema:
    """A float of a dataclass is null where it is not finite."""
    return {"type": ["number", "null"]} if found == {"type": "number"} else found
