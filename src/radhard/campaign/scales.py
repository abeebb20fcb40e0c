"""Known quantisation scales (from files, plans, a store, or shipped), and which of them a run uses."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from radhard.campaign.contents import contents
from radhard.campaign.store import Store
from radhard.errors import InputError
from radhard.models.loaded import LoadedModel
from radhard.program import Calibration, Program, read_calibration
from radhard.protection import Plan

When = Literal["given", "same model", "same images"]


@dataclass(frozen=True, kw_only=True)
class KnownScales:
    """A `calibration` and the `source` that it is from.

    It is taken "given", whatever happens; or for the "same model", weight for weight; or only where the "same images"
    would calibrate that model, so that it stands for what would be computed here.
    """

    calibration: Calibration
    source: str
    when: When


def given(paths: Sequence[Path]) -> list[KnownScales]:
    """Those of files that the user names."""
    return [KnownScales(calibration=read_calibration(path), source=f"--scales {path}", when="given") for path in paths]


def of_plans(plans: Mapping[str, Plan]) -> list[KnownScales]:
    """Those that plans were made with, by what each plan is called."""
    return [
        KnownScales(calibration=plan.calibration, source=name, when="same model")
        for name, plan in plans.items()
        if plan.calibration is not None
    ]


def of_store(store: Store) -> list[KnownScales]:
    """Those of the programs whose units a store holds, the one with the most units first."""
    units: dict[str, int] = {}
    for one in contents(store):
        units[one.program] = units.get(one.program, 0) + one.units
    found = []
    for digest, text in sorted(store.programs().items(), key=lambda item: -units.get(item[0], 0)):
        values = json.loads(text).get("calibration")
        if values is not None:
            calibration = Calibration.from_dict(values, place=f"store {store.path}, program {digest[:12]}")
            found.append(KnownScales(calibration=calibration, source=f"store {store.path}", when="same images"))
    return found


def shipped(loaded: LoadedModel) -> list[KnownScales]:
    """Those that come with a model."""
    return [KnownScales(calibration=one, source="the model", when="same images") for one in loaded.calibrations]


def chosen(
    known: Sequence[KnownScales], program: Program, *, recipe: str, images: Callable[[], str]
) -> KnownScales | None:
    """The one of `known` that the integer program of a float one takes, or None: it is to be calibrated on `images`.

    These are asked for by their digest, where that matters.

    Raises InputError if files are given, and none is for that program and recipe.
    """
    fitting = [k for k in known if k.calibration.program == program.digest and k.calibration.recipe == recipe]
    files = [k for k in known if k.when == "given"]
    for one in fitting:
        if one.when == "given" or (one.when == "same model" and not files):
            return one
    if len(files) == 1:
        return files[0]  # which `quantize` refuses, and says why
    if files:
        raise InputError(
            f"--scales: none of the {len(files)} files is for {program.name}, its weights and recipe {recipe}: make "
            f"one with `radhard quantize {program.name}`, or leave --scales out"
        )
    same = [k for k in fitting if k.when == "same images" and k.calibration.images]
    digest = images() if same else ""
    return next((k for k in same if k.calibration.images == digest), None)
