"""The user's overrides of the anatomy: patterns of site names -> layer, module category or both."""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from radhard.errors import InputError
from radhard.machine import Site
from radhard.program.anatomy.anatomy import BESIDE, MODULES, Place

AnatomyPatterns = Mapping[str, tuple[str | None, str | None]]
"""Pattern of site names -> (layer, module); None leaves either as it is found."""

_SAID = 'write "PATTERN OF SITES": {"layer": NAME, "module": CATEGORY}, or one of the two'
_NEAR = 0.6  # of 1: how like a site's beginning a pattern is that may mean it


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """Rows of (pattern, layer, module) in the user's order: the first that matches a site's name decides; "": as found.

    Raises InputError for an empty pattern or row, and for a category that is none.
    """

    rows: tuple[tuple[str, str, str], ...] = ()

    def __post_init__(self) -> None:
        for pattern, layer, module in self.rows:
            if not pattern or not (layer or module):
                raise InputError(f"anatomy: pattern {pattern!r} says neither a layer nor a module; {_SAID}")
            if module and module not in MODULES:
                near = max(MODULES, key=lambda known: _alike(module.lower(), known.lower()))
                raise InputError(
                    f"anatomy: {pattern!r} has the module {module!r}, which is none; did you mean {near!r}? They are "
                    f"{', '.join(MODULES)}"
                )

    @staticmethod
    def of(anatomy: "AnatomyPatterns | Overrides | None") -> "Overrides":
        """The mapping as rows."""
        if anatomy is None or isinstance(anatomy, Overrides):
            return anatomy or NONE
        return Overrides(rows=tuple((p, layer or "", module or "") for p, (layer, module) in anatomy.items()))

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Overrides":
        """Inverse of `as_dict`. InputError names the pattern and what was expected."""
        return Overrides(rows=tuple(_row(pattern, said) for pattern, said in values.items()))

    def applied(self, name: str, found: Place) -> Place:
        """`found`, with what the first pattern that matches the site's name says instead."""
        for pattern, layer, module in self.rows:
            if fnmatchcase(name, pattern):
                if layer:
                    found = replace(found, layer=layer, layer_source="override")
                return replace(found, module=module, module_source="override") if module else found
        return found

    def check(self, names: Sequence[str]) -> None:
        """Raise InputError for a pattern that matches none of the sites."""
        for pattern, _, _ in self.rows:
            if not any(fnmatchcase(name, pattern) for name in names):
                plain = pattern.rstrip("*?.")
                closest = sorted(names, key=lambda name: -_alike(plain, name[: len(plain)]))[:3]
                near = ", ".join(repr(name) for name in closest if _alike(plain, name[: len(plain)]) > _NEAR)
                raise InputError(
                    f"anatomy: no site matches {pattern!r}; {f'near it are {near}' if near else 'none is like it'} "
                    "(`radhard inspect MODEL` lists all)"
                )

    def as_dict(self) -> dict[str, dict[str, str]]:
        """As its file has it."""
        return {
            pattern: {key: value for key, value in (("layer", layer), ("module", module)) if value}
            for pattern, layer, module in self.rows
        }


NONE = Overrides()


def read_overrides(path: Path) -> Overrides:
    """Read a .json or .toml file. InputError names the file, the pattern and what was expected."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"anatomy {path} cannot be read: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"anatomy {path} is no text in UTF-8: {error.reason}; write JSON or TOML") from error
    try:
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        kind = "TOML" if path.suffix == ".toml" else "JSON"
        raise InputError(f"anatomy {path} is no {kind}: {str(error).splitlines()[0]}; {_SAID}") from error
    if not isinstance(values, dict):
        raise InputError(f"anatomy {path} holds a {type(values).__name__}, no table of patterns; {_SAID}")
    try:
        return Overrides.from_dict(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def template(sites: Iterable[Site]) -> str:
    """A .toml file that overrides nothing: every site's place, commented out, and what says it; ? marks doubt."""
    lines = ["# Take away the # of what you correct. Patterns match names of sites, the first that matches decides."]
    for site in sites:
        if site.operator not in BESIDE:
            said = f"layer = {json.dumps(site.layer)}, module = {json.dumps(site.module)}"
            doubt = " ?" if site.guessed else ""
            sources = f"{site.layer_source}, {site.module_source}"
            lines.append(f"# {json.dumps(site.name)} = {{ {said} }}  # {sources}{doubt}")
    return "\n".join(lines) + "\n"


def _alike(one: str, other: str) -> float:
    """How like two names are, 0 to 1."""
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _row(pattern: str, said: Any) -> tuple[str, str, str]:
    if isinstance(said, dict) and any(isinstance(value, dict) for value in said.values()):
        raise InputError(f"anatomy: {pattern!r} holds tables: in TOML a pattern with dots stands in quotes; {_SAID}")
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        raise InputError(f"anatomy: {pattern!r} is {said!r}; {_SAID}")
    if unknown := sorted(said.keys() - {"layer", "module"}):
        raise InputError(f"anatomy: {pattern!r} has {unknown[0]!r}; {_SAID}")
    return pattern, said.get("layer", ""), said.get("module", "")


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found
