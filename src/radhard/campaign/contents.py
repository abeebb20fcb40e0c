"""The contents of a store, by program and data, and why a run uses only some of them."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from radhard.campaign.model_under_test import ModelUnderTest
from radhard.campaign.schema import Key
from radhard.campaign.store import Store
from radhard.program.description import Description, describe, difference
from radhard.program.program import recipe_digested


@dataclass(frozen=True, kw_only=True)
class Held:
    """Settings and units of one program on one data set; `pairs` of an image and a trial in them.

    `description` says what the program is made of; None in a store from before there were any. `devices`: where they
    were measured, in order of names.
    """

    model: str
    recipe: str
    program: str
    data: str
    data_digest: str
    settings: int
    units: int
    pairs: int
    description: Description | None = None
    devices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`fashion-vit, int8, program c151132dd6d8, on fashion-mnist/test`."""
        return f"{self.model}, {self.recipe}, program {self.program[:12]}, on {self.data}"


def contents(store: Store) -> tuple[Held, ...]:
    """What a store holds, ordered by model, recipe, program and data."""
    return held(store.settings(), store.keys(), programs=store.programs())


def held(
    settings: Mapping[str, str],
    keys: Iterable[Key],
    *,
    programs: Mapping[str, str],
    made_by: Mapping[Key, str] | None = None,
) -> tuple[Held, ...]:
    """The same of settings and programs by digest, and of the keys of units; `made_by`: what made each, as JSON."""
    devices: dict[tuple[str, ...], set[str]] = {}
    known = {text: _device(text) for text in set((made_by or {}).values())}
    units, pairs, counts = Counter[tuple[str, ...]](), Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    groups = {}
    for digest, text in settings.items():
        values = json.loads(text)
        names = ("model", "recipe", "program", "data", "data_digest")
        values["recipe"] = recipe_digested(str(values.get("recipe", "")))
        groups[digest] = tuple(str(values.get(name, "")) for name in names)
        counts[groups[digest]] += 1
    for key in keys:
        setting, _, start, stop = key
        if setting in groups:
            if made_by is not None:
                devices.setdefault(groups[setting], set()).add(known[made_by[key]])
            units[groups[setting]] += 1
            pairs[groups[setting]] += stop - start
    return tuple(
        Held(
            model=group[0],
            recipe=group[1],
            program=group[2],
            data=group[3],
            data_digest=group[4],
            settings=counts[group],
            units=units[group],
            pairs=pairs[group],
            description=json.loads(programs[group[2]]) if group[2] in programs else None,
            devices=tuple(sorted(devices.get(group, ()))),
        )
        for group in sorted(counts)
    )


def _device(made_by: str) -> str:
    """The device that is named in what made a unit; the CPU where none is, as before there were others."""
    try:
        values = json.loads(made_by)
    except ValueError:
        return "cpu"
    return str(values.get("device", "cpu")) if isinstance(values, Mapping) else "cpu"


def unused(store: Store, model_under_test: ModelUnderTest) -> list[str]:
    """A sentence for each program of the same model and recipe whose units the model under test does not use."""
    found = []
    for one in contents(store):
        program = model_under_test.programs.get(one.recipe)
        if one.model != model_under_test.model or program is None or not one.units:
            continue
        if one.program != program.digest:
            known = one.description
            why = "the store does not say in what" if known is None else difference(known, describe(program))
            found.append(
                f"{store.path} holds {one.units:,} units of {one.name}, which are not used: this run has the program "
                f"{program.digest[:12]}, and the two differ ({why})"
            )
        elif one.data == model_under_test.data.name and one.data_digest != model_under_test.data.digest:
            found.append(
                f"{store.path} holds {one.units:,} units of {one.name}, which are not used: they are of other images "
                f"({one.data_digest[:12]}, here {model_under_test.data.digest[:12]})"
            )
    return found


def mixed_programs(found: Iterable[Held]) -> list[str]:
    """A sentence for each model and recipe of which there are several programs: a run uses one of them."""
    groups: dict[tuple[str, str], dict[str, list[Held]]] = {}
    for one in found:
        groups.setdefault((one.model, one.recipe), {}).setdefault(one.program, []).append(one)
    sentences = []
    for (model, recipe), programs in groups.items():
        if len(programs) < 2:
            continue
        counts = ", ".join(f"{sum(h.units for h in own):,} of {program[:12]}" for program, own in programs.items())
        first, second = (own[0].description for own in list(programs.values())[:2])
        why = "" if first is None or second is None else f": they differ in {difference(first, second)}"
        sentences.append(
            f"{model}, {recipe}: units of {len(programs)} programs ({counts}){why}. A run uses those of one; measure "
            "all shards with the same --scales FILE, which `radhard quantize` makes"
        )
    return sentences
