"""Schemes by name: what a plan's file says of a site, and the scheme that it means."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from radhard.errors import InputError
from radhard.protection.cost.shape import Block
from radhard.protection.protected import Scheme
from radhard.protection.schemes.float_abft import FloatAbft
from radhard.protection.schemes.huang_abraham import HuangAbraham
from radhard.protection.schemes.intensity_guided import IntensityGuided
from radhard.protection.schemes.lb_abft import LbAbft
from radhard.protection.schemes.ranges import Ranges
from radhard.protection.schemes.row_abft import RowAbft
from radhard.protection.schemes.standard_abft import StandardAbft
from radhard.protection.schemes.tmr import Tmr

SCHEMES: Mapping[str, type[Scheme]] = {
    "lb-abft": LbAbft,
    "row-abft": RowAbft,
    "standard-abft": StandardAbft,
    "huang-abraham": HuangAbraham,
    "intensity-guided": IntensityGuided,
    "float-abft": FloatAbft,
    "tmr": Tmr,
    "ranges": Ranges,
}


def scheme_name(scheme: Scheme) -> str:
    """The name of a scheme's kind. InputError for one that is not known."""
    for name, kind in SCHEMES.items():
        if type(scheme) is kind:
            return name
    raise InputError(f"{type(scheme).__name__} is none of the schemes that a plan can name ({', '.join(SCHEMES)})")


def scheme_dict(scheme: Scheme) -> dict[str, Any]:
    """A scheme -> JSON values: its `scheme`, and the options that are not at their default.

    So an option that a later version adds leaves the digests of settings, and with them stores, as they are.
    """
    found: dict[str, Any] = {"scheme": scheme_name(scheme)}
    hints = get_type_hints(type(scheme))
    for field in fields(scheme):  # type: ignore[arg-type]
        value = getattr(scheme, field.name)
        if hints[field.name] in (float, float | None) and value is not None:
            value = float(value)  # so that 1 and 1.0, which are equal, are one text
        if value != field.default:
            found[field.name] = [value.m, value.k, value.n] if isinstance(value, Block) else value
    return found


def scheme_from(values: Mapping[str, Any], *, place: str) -> Scheme:
    """The inverse of `scheme_dict`. InputError names `place` for a scheme or an option that is not known."""
    options = dict(values)
    kind = SCHEMES.get(name := str(options.pop("scheme", None)))
    if kind is None:
        raise InputError(f"{place}: scheme {name!r} is not known; it is one of {', '.join(SCHEMES)}")
    hints = get_type_hints(kind)
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(options.keys() - known):
        raise InputError(f"{place}: {name} has no option {unknown[0]!r}; it has {', '.join(sorted(known)) or 'none'}")
    read = {option: _read(value, hints[option], place=f"{place}: {option}") for option, value in options.items()}
    try:
        return kind(**read)
    except (TypeError, InputError) as error:
        raise InputError(f"{place}: {name} {values}: {error}") from error


def _read(value: Any, kind: Any, *, place: str) -> Any:
    """A JSON value as an option's type; which words an option can be its scheme knows."""
    if kind is Block:
        if not (isinstance(value, list) and len(value) == 3 and all(type(size) is int and size > 0 for size in value)):
            raise InputError(f"{place} {value!r} is not three whole numbers [m, k, n] from 1 on")
        m, k, n = value
        return Block(m=m, k=k, n=n)
    if kind is int and type(value) is not int:
        raise InputError(f"{place}={value!r} is no whole number")
    if kind in (float, float | None) and not (value is None and kind is not float):
        if type(value) not in (int, float):
            raise InputError(f"{place}={value!r} is no number")
        return float(value)
    return value
