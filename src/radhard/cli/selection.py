"""From the text of options to what may flip."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from radhard.cli import parse
from radhard.errors import InputError
from radhard.faults import EVERYWHERE, Where
from radhard.machine import Kind
from radhard.words import Words


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The kinds of operations that are exposed, and the sites."""

    kinds: frozenset[Kind]
    where: Where


def selection(params: Mapping[str, Any]) -> Selection:
    """A command's `ctx.params` -> Selection. InputError for an unknown kind and for --except of nothing."""
    kinds = params["kinds"]
    names = parse.kinds(kinds)
    known = get_args(Kind)
    if unknown := sorted(names - set(known)):
        raise InputError(f"--kinds: {unknown[0]!r} is not a kind of operation; choose from {', '.join(known)}")
    if not names:
        raise InputError(f"--kinds {kinds!r} names nothing that could flip; choose from {', '.join(known)}")
    where = Where(
        layers=tuple(params["layer"] or ()),
        modules=tuple(params["module"] or ()),
        operators=tuple(params["operator"] or ()),
        sites=tuple(params["site"] or ()),
    )
    if params["except_"] and where == EVERYWHERE:
        raise InputError(
            "--except without --layer, --module, --operator or --site spares everything: name what it spares"
        )
    return Selection(kinds=cast("frozenset[Kind]", names), where=~where if params["except_"] else where)


def words_of(text: str) -> Words:
    """`product=int16,accumulator=int32` -> Words."""
    return Words.from_dict(parse.fields(text, option="--words"))
