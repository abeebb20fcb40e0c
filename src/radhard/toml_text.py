"""Writes TOML: tables of texts, numbers, truths, lists and tables within tables. Python's `tomllib` reads it back."""

import math
import re
from collections.abc import Mapping

from radhard.errors import InputError

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def toml_text(values: Mapping[str, object]) -> str:
    r"""The TOML of a table: plain values first, then a table in brackets for each mapping in it.

    InputError for a value that TOML does not have, such as None.

    >>> print(toml_text({"name": 'a "b"', "model": {"mean": [0.5, 1.0]}}), end="")
    name = "a \"b\""
    <BLANKLINE>
    [model]
    mean = [0.5, 1.0]
    """
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    blocks = ["".join(f"{_key(key)} = {_value(value, at=key)}\n" for key, value in plain.items())] if plain else []
    for key, table in tables.items():
        lines = [f"{_key(inner)} = {_value(value, at=f'{key}.{inner}')}\n" for inner, value in table.items()]
        blocks.append(f"[{_key(key)}]\n{''.join(lines)}")
    return "\n".join(blocks)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: object, *, at: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise InputError(f"{at} is {value}: TOML has no whole number so large")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(each, at=at) for each in value)}]"
    if isinstance(value, Mapping):
        pairs = (f"{_key(str(key))} = {_value(each, at=f'{at}.{key}')}" for key, each in value.items())
        return f"{{{' ' * bool(value)}{', '.join(pairs)}{' ' * bool(value)}}}"
    raise InputError(f"{at} is {value!r}: TOML has no {type(value).__name__}")


def _number(value: float) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    text = repr(value)
    return text if "." in text or "e" in text else f"{text}.0"


def _text(text: str) -> str:
    """A basic string: quotes, backslashes and control characters are escaped."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{text!r} is no text in Unicode, which TOML takes: rename it") from error
    return f'"{"".join(map(_char, text))}"'


def _char(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    return f"\\u{ord(char):04x}" if ord(char) < 32 or ord(char) == 127 else char
