"""Records of kept results as the page reads them: JSON values by name, as the schemas in docs/schema have them."""

from collections.abc import Mapping
from typing import Any

from radhard.campaign.results import KeptResult

_KINDS = ["add", "mul"]
"""The operations that fail unless others are named."""
_SELECTIONS = ("layer", "module", "operator", "site")


def record_of(kept: KeptResult) -> Mapping[str, Any]:
    """What was found; `named` beside it: the model, the recipe, and which operations fail if not all of them do.

    >>> settings = {"layer": ["head"], "kinds": ["mul"]}
    >>> kept = KeptResult(verb="sweep", model="vit", settings=settings, record={"recipe": "int8"}, made="")
    >>> record_of(kept)["named"]
    'vit (int8, faults in mul of layer head alone)'
    """
    recipe = kept.record.get("recipe") or _inside(kept.record, "plan").get("recipe", "")
    return {**kept.record, "named": f"{kept.model} ({', '.join(filter(None, (str(recipe), selection_of(kept))))})"}


def selection_of(kept: KeptResult) -> str:
    """Which operations fail, if the user selected some: `faults in mul of layer head alone`; "" for all."""
    settings = kept.settings
    given = {name: _list(settings.get(name)) for name in _SELECTIONS}
    places = [f"{name} {' or '.join(map(str, patterns))}" for name, patterns in given.items() if patterns]
    kinds = sorted(map(str, _list(settings.get("kinds")))) or _KINDS
    where = f"{'all but ' if settings.get('except') else ''}{', '.join(places)}"
    if (model := settings.get("faults")) is not None:
        return f"one fault an inference, {model}{', of ' * bool(where)}{where}"
    if kinds == _KINDS and not where:
        return ""
    return f"faults in {' of '.join(filter(None, ('' if kinds == _KINDS else ', '.join(kinds), where)))} alone"


def _inside(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
