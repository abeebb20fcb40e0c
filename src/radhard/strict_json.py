"""A strict JSON reader for users' files: duplicate keys and numbers that would change their value are refused."""

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

_DIGITS = 20  # of a whole number: as many as 2^64 has


def loads(text: str) -> Any:
    """Read JSON. ValueError for an object that names a thing twice, NaN, infinities, and numbers that no word holds."""
    try:
        return json.loads(
            text,
            object_pairs_hook=_each_once,
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_whole,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, which may not name anything twice: one of two values would be lost unseen."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {_short(text)} is too large")
    return value


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > _DIGITS:
        raise ValueError(f"the number {_short(text)} of {len(text)} digits is too large")
    return int(text)


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:20]} ..."
