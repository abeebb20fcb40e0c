"""The registry of schemes, by name.

A scheme is a frozen dataclass in a file of this package, under `@scheme("its-name", ...)`; the package imports each of
its files, so that being there is being registered. Of the decorator, of the fields and of the docstring come the name
on the command line and in plans, the options, JSON both ways, the JSON schema, and the row of the table of schemes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from radhard.errors import InputError
from radhard.protection.cost.models import CostModel
from radhard.protection.protected import Scheme
from radhard.protection.schemes.options import Option, options_of

Takes = Literal["int8 products", "float products", "any operator"]
SchemeClass = TypeVar("SchemeClass", bound=type[Scheme])


@dataclass(frozen=True, kw_only=True)
class Search:
    """How a method finds the block of a scheme that has one: the cheapest by `exact`, among cubes or boxes.

    `exact` takes `words` and `retries` and gives a cost model. `limited`: a block may expect few flips, since several
    in one are not all repaired.
    """

    exact: Callable[..., CostModel]
    blocks: Literal["cube", "box"]
    limited: bool


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """How a scheme is written on the command line, with options that the name decides and defaults that differ.

    `called`: names of options as they are written -> those of the fields. Where it is given, there are no others.
    """

    name: str
    fixed: Mapping[str, object] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    called: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class SchemeEntry:
    """A scheme: its class `kind`, what it does (`about`, one line), what it `takes`, and how it is written.

    `rules`: what its JSON schema says beside its options. No `spellings`: a method does not name it.
    """

    name: str
    kind: type[Scheme]
    about: str
    takes: Takes
    options: tuple[Option, ...]
    spellings: tuple[Spelling, ...]
    search: Search | None
    rules: Mapping[str, object]


_ENTRIES: dict[str, SchemeEntry] = {}


def scheme(
    name: str,
    *,
    about: str,
    takes: Takes = "int8 products",
    search: Search | None = None,
    spellings: tuple[Spelling, ...] | None = None,
    rules: Mapping[str, object] | None = None,
) -> Callable[[SchemeClass], SchemeClass]:
    """Registers the frozen dataclass below it under `name`. ValueError for a name that another class has."""

    def register(kind: SchemeClass) -> SchemeClass:
        if name in _ENTRIES:
            raise ValueError(f"two schemes are called {name!r}: {_ENTRIES[name].kind.__name__} and {kind.__name__}")
        _ENTRIES[name] = SchemeEntry(
            name=name,
            kind=kind,
            about=about,
            takes=takes,
            options=options_of(kind),
            spellings=(Spelling(name=name),) if spellings is None else spellings,
            search=search,
            rules=rules or {},
        )
        return kind

    return register


class _Schemes(Mapping[str, type[Scheme]]):
    """Name of each scheme -> its class, in the order of names."""

    def __getitem__(self, name: str) -> type[Scheme]:
        return _ENTRIES[name].kind

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(_ENTRIES))

    def __len__(self) -> int:
        return len(_ENTRIES)


SCHEMES: Mapping[str, type[Scheme]] = _Schemes()


def entries() -> tuple[SchemeEntry, ...]:
    """All schemes, in the order of names."""
    return tuple(_ENTRIES[name] for name in SCHEMES)


def entry_of(scheme: Scheme) -> SchemeEntry:
    """What is registered of a scheme. InputError for a class that is not."""
    for entry in entries():
        if type(scheme) is entry.kind:
            return entry
    raise InputError(f"{type(scheme).__name__} is none of the schemes that a plan can name ({', '.join(SCHEMES)})")


def scheme_name(scheme: Scheme) -> str:
    """The name of a scheme. InputError for one that is not known."""
    return entry_of(scheme).name


def scheme_dict(scheme: Scheme) -> dict[str, Any]:
    """A scheme -> JSON values: its `scheme`, and the options that are not at their default.

    So an option that a later version adds leaves the digests of settings, and with them stores, as they are.
    """
    entry = entry_of(scheme)
    values = ((option, getattr(scheme, option.name)) for option in entry.options)
    changed = {option.name: option.plain(value) for option, value in values if value != option.default}
    return {"scheme": entry.name, **changed}


def scheme_from(values: Mapping[str, Any], *, place: str) -> Scheme:
    """The inverse of `scheme_dict`. InputError names `place` for a scheme or an option that is not known."""
    given = dict(values)
    entry = _ENTRIES.get(name := str(given.pop("scheme", None)))
    if entry is None:
        raise InputError(f"{place}: scheme {name!r} is not known; it is one of {', '.join(SCHEMES)}")
    known = {option.name: option for option in entry.options}
    if unknown := sorted(given.keys() - known.keys()):
        raise InputError(f"{place}: {name} has no option {unknown[0]!r}; it has {', '.join(sorted(known)) or 'none'}")
    if missing := [option.name for option in entry.options if option.required and option.name not in given]:
        raise InputError(f"{place}: {name} lacks {missing[0]!r}; give it")
    try:
        return entry.kind(**{option: known[option].from_json(value) for option, value in given.items()})
    except InputError as error:
        raise InputError(f"{place}: {name} {dict(values)}: {error}") from error
