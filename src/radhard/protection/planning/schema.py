"""The JSON schema of plan files, generated from the types of a plan and the registry of schemes.

`python -m radhard.protection.planning.schema` prints it; `make schemas` writes it to docs/schema/plan-file.json.
"""

import json
from dataclasses import fields
from typing import Any, get_type_hints

from radhard.json_schema import part_of
from radhard.protection.planning.method import COMMON, ONCE, methods, own_options
from radhard.protection.planning.plan import FORMAT, Plan
from radhard.protection.schemes.options import Option
from radhard.protection.schemes.registry import SchemeEntry, entries

_MAYBE = ("method", "judged", "expected")
_SAYS = {
    "program": "Digest of the program that the plan is for.",
    "ber": "The bit error rate that it was made for.",
    "bound": "What ended it: the target was reached, the overhead was in the way, or all products are protected.",
    "verdict": "Whether at most limits.loss of the answers is lost, by the one-sided limits of the loss on images that "
    "did not choose the plan. Empty: it was not judged.",
    "seed": "Of the faults.",
    "words": "Number formats of products and running sums.",
    "chosen_on": "The images that chose it.",
    "order": "Products in the order in which they are protected.",
    "frontier": "All steps that were measured.",
    "calibration": "The scales that the program was made with, so that it is made again on any machine; null for a "
    "program that has none of ours.",
    "anatomy": "What the user said of the anatomy: patterns of site names, each with a layer, a module category or "
    "both. Left out where nothing was said.",
}
_NUMBER, _WHOLE, _TEXT = {"type": "number"}, {"type": "integer"}, {"type": "string"}


def plan_schema() -> dict[str, Any]:
    """The schema, ready for JSON."""
    parts: dict[str, Any] = {"calibration": _calibration(), "block": _block(), "protection": _protection()}
    parts["scheme"] = {
        "description": "A scheme by its name, and its options; those left out have their defaults.",
        "oneOf": [{"$ref": f"#/$defs/{entry.name}"} for entry in entries()],
    }
    parts |= {entry.name: _scheme(entry) for entry in entries()}
    parts["method"] = {
        "description": "The method that made the plan. Options that its scheme does not have were written by earlier "
        "versions, and mean nothing.",
        "oneOf": [_method(name) for name in methods()],
    }
    hints = get_type_hints(Plan, include_extras=True)
    properties: dict[str, Any] = {
        "radhard_plan": {"description": "The version of this format. Version 1 has no verdict.", "enum": [1, FORMAT]}
    }
    for field in fields(Plan):
        name = field.name
        if name in ("protection", "method", "calibration"):
            found: dict[str, Any] = {"$ref": f"#/$defs/{name}"}
        else:
            found = part_of(hints[name], parts)
        if name in _MAYBE:
            part = found if name == "method" else found["anyOf"][0]
            found = {"anyOf": [part, {"type": "object", "maxProperties": 0}]}
        if name == "calibration":
            found = {"oneOf": [{"type": "null"}, found]}
        properties[name] = {"description": _SAYS[name], **found} if name in _SAYS else found
    properties["ber"] |= {"minimum": 0, "maximum": 1}
    said = {"type": "object", "properties": {"layer": _TEXT, "module": _TEXT}, "minProperties": 1}
    properties["anatomy"]["additionalProperties"] = {**said, "additionalProperties": False}
    since = ["verdict", "judged", "calibration"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A plan of radhard",
        "description": "Which sites of one program are protected and how, what chose it, and what it is expected to "
        "give. Written by `radhard plan`, read by `radhard evaluate --plan`. Rates, factors and overheads are shares, "
        "not percentages.",
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in (*since, "anatomy")],
        "if": {"properties": {"radhard_plan": {"const": FORMAT}}},
        "then": {"required": since},
        "additionalProperties": False,
        "$defs": parts,
    }


def _scheme(entry: SchemeEntry) -> dict[str, Any]:
    return {
        "description": entry.about,
        **_object({"scheme": {"const": entry.name}} | {option.name: option.schema() for option in entry.options}),
        "required": ["scheme", *(option.name for option in entry.options if option.required)],
        **entry.rules,
    }


def _method(name: str) -> dict[str, Any]:
    own = {option.name: _chosen(option) for option in (*own_options(name), *COMMON)}
    once: dict[str, Any] = {option: {} for option in ONCE if option not in own}
    if "blocks" in own:
        own["blocks"]["enum"] = ["", *own["blocks"]["enum"]]  # the scheme's own, in earlier versions
    return {**_object({"scheme": {"const": name}, **own, **once, "name": _TEXT}), "required": ["scheme"]}


def _chosen(option: Option) -> dict[str, Any]:
    return {name: value for name, value in option.schema().items() if name != "default"}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _block() -> dict[str, Any]:
    size = {"type": "integer", "minimum": 1}
    return {"description": "Sizes along m, k and n.", "type": "array", "items": size, "minItems": 3, "maxItems": 3}


def _protection() -> dict[str, Any]:
    sites = {
        "description": "Name of each protected site -> its scheme.",
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/scheme"},
    }
    checks = {"description": "Whether faults reach the checks.", "enum": ["exposed", "immune"]}
    return {**_object({"checks": checks, "sites": sites}), "required": ["sites"]}


def _calibration() -> dict[str, Any]:
    scale = [{**_NUMBER, "exclusiveMinimum": 0}, _WHOLE]
    properties: dict[str, Any] = {
        "radhard_calibration": {"enum": [1, 2]},
        "model": _TEXT,
        "recipe": _TEXT,
        "program": {"description": "Digest of the float program.", **_TEXT},
        "images": {"description": "Digest of the images that calibrated; empty if it is not known.", **_TEXT},
        "count": {"description": "How many images these are.", **_WHOLE, "minimum": 0},
        "scales": {
            "description": "Name of each observed value -> its scale and zero point.",
            "type": "object",
            "additionalProperties": {"type": "array", "prefixItems": scale, "minItems": 2, "maxItems": 2},
        },
        "shifts": {
            "description": "Name of each layer -> what the rounding of its weights adds to each channel on average "
            "(recipe int8).",
            "type": "object",
            "additionalProperties": {"type": "array", "items": _NUMBER},
        },
    }
    return {**_object(properties), "required": [name for name in properties if name != "shifts"]}


def text() -> str:
    """The schema as it is written to a file."""
    return json.dumps(plan_schema(), indent=1) + "\n"


if __name__ == "__main__":
    print(text(), end="")  # noqa: T201
