"""Limits of all options: numbers that are too large or not finite, and texts that are too long, are refused."""

import math
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from radhard.cli.study_option import check_against_study
from radhard.errors import InputError

LARGEST = 10**9
"""The largest whole number of an option that counts something."""

LONGEST = 4096
"""Characters of a text: as much as a path can have."""

_LARGEST = {"population": 2**63 - 1, "seed": 2**64 - 1, "data_seed": 2**64 - 1, "trial": 2**32 - 1}
_UNBOUNDED = frozenset({"most_flips"})  # what takes inf
_LISTS = frozenset({"ber", "anatomy"})  # texts that may be longer


class CheckedCommand(TyperCommand):
    """A command that refuses such values before it begins."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. InputError for a value that no option takes."""
        check_against_study(ctx)
        for parameter in self.params:
            values = ctx.params.get(parameter.name)
            for value in values if isinstance(values, list | tuple) else [values]:
                _check(str(parameter.name), max(parameter.opts, key=len), value)
        return super().invoke(ctx)


def _check(name: str, option: str, value: object) -> None:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int):
        most = _LARGEST.get(name, LARGEST)
        if abs(value) > most:
            raise InputError(f"{option} {_short(str(value))}: that is too large; at most {most} is taken")
    elif isinstance(value, float):
        if math.isnan(value) or (math.isinf(value) and name not in _UNBOUNDED):
            raise InputError(f"{option} {value}: give a finite number")
    elif isinstance(value, str | Path):
        value = str(value)
        if not value.strip():
            raise InputError(f"{option} is an empty text: give a value, or leave it out")
        if "\0" in value:
            raise InputError(f"{option} {_short(value)}: it holds a null character, which no name has")
        if len(value) > LONGEST * (100 if name in _LISTS else 1):
            raise InputError(f"{option} {_short(value)}: {len(value):,} characters are too many; check the value")


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:50]} ..."
