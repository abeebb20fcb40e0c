"""Digests of the parts of a program, to say in what two programs differ."""

import hashlib
import json
from collections.abc import Mapping
from typing import NotRequired, TypedDict

from radhard.program.anatomy.overrides import NONE
from radhard.program.program import Apply, Program


class Description(TypedDict):
    """Ready for JSON: the recipe, digests of the `structure`, of the float program (`weights`), of the `scales` and of
    the `anatomy`, the user's `overrides` of it, and the `calibration` that an integer program was made with.
    """

    recipe: str
    structure: str
    weights: str
    scales: str
    anatomy: str
    overrides: NotRequired[Mapping[str, object]]
    calibration: Mapping[str, object] | None


def describe(program: Program) -> Description:
    """What a program is made of."""
    calibration = program.calibration
    steps = [
        [step.site.name, step.operator.name, [None if ref is None else ref.number for ref in step.inputs], step.out]
        if isinstance(step, Apply)
        else [step.name, step.out]
        for step in program.steps
    ]
    found: Description = {
        "recipe": program.recipe,
        "structure": _digest([list(program.input_shape), steps]),
        "weights": program.digest if calibration is None else calibration.program,
        "scales": "" if calibration is None else calibration.digest,
        "anatomy": _digest([[site.name, site.layer, site.module] for site in program.sites]),
        "calibration": None if calibration is None else calibration.as_dict(),
    }
    if program.overrides != NONE:
        found["overrides"] = program.overrides.as_dict()
    return found


def difference(one: Description, other: Description) -> str:
    """In what the programs that these describe differ, in words: "its recipe (int8, int8-float)"."""
    found = []
    if one.get("recipe") != other.get("recipe"):
        return f"its recipe ({one.get('recipe')}, here {other.get('recipe')})"
    if one.get("structure") != other.get("structure"):
        found.append("its architecture, or how this version of radhard or torch captures it")
    elif one.get("weights") != other.get("weights"):
        found.append("its weights")
    if one.get("scales") != other.get("scales"):
        found.append(_of_scales(one.get("calibration"), other.get("calibration")))
    if one.get("anatomy") != other.get("anatomy"):
        found.append("its anatomy, the layers and modules of its sites")
    return " and ".join(found) or "how this version of radhard computes it"


def _of_scales(one: object, other: object) -> str:
    formats = [each.get("radhard_calibration") if isinstance(each, Mapping) else None for each in (one, other)]
    if None not in formats and formats[0] != formats[1]:
        return "its recipe: int8 had no words with zero points in the earlier version of radhard that made one of them"
    seen = [each.get("images") if isinstance(each, Mapping) else None for each in (one, other)]
    if seen[0] == seen[1] and seen[0]:
        return "its scales: the same images calibrated both, on processors or libraries that round otherwise"
    return "its scales: other images calibrated it"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
