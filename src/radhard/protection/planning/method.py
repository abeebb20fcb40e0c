"""`Method`: how a model is protected, one scheme for its matrix products and ranges for non-linear operators.

Written as text it is the name of a scheme and options behind colons, such as `lb-abft:policy=leave:ranges=none`. Which
names there are, and which options each of them has, the registry of schemes says.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated, Any, Literal

from radhard.errors import InputError
from radhard.json_record import Least
from radhard.machine import Shape
from radhard.program import Program
from radhard.protection.cost.blocks import cubes, optimal_block
from radhard.protection.cost.models import CostModel, Printed, Volume
from radhard.protection.cost.row_cost import boxes, sheets
from radhard.protection.cost.shape import Block
from radhard.protection.planning.bounds import Limits
from radhard.protection.planning.products import Protectable
from radhard.protection.planning.protection import Protection
from radhard.protection.protected import CheckExposure, Scheme
from radhard.protection.schemes.options import Option, Value, options_of
from radhard.protection.schemes.ranges import SOFTMAX, Outside, Ranges, observed_range, paper_range
from radhard.protection.schemes.registry import SchemeEntry, Spelling, Takes, entries
from radhard.words import Words

NONE = "none"
"""A method without a scheme: ranges alone."""

RangeBounds = Literal["none", "observed", "paper"]
_BLOCKS = {"cube": cubes, "box": boxes, "sheet": sheets}
ONCE = ("policy", "blocks", "cost", "repair", "retries", "flips", "vote", "intensity", "batch")
"""Options of all schemes at a time when a method had each of them, and plans named them all."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """The `scheme` of every product, by its name on the command line, and the range of every non-linear operator.

    `options` are those of the scheme, all of them, in their order; those left out get their defaults. Of a scheme with
    blocks the one that costs least is taken. `margin` makes observed ranges wider by this share of their distance.
    """

    scheme: str = "row-abft"
    options: tuple[tuple[str, Value], ...] = ()
    ranges: Annotated[RangeBounds, "Bounds of non-linear operators."] = "observed"
    outside: Annotated[Outside, "Replacement of values outside their range."] = "zero"
    margin: Annotated[float, Least(0), "Observed ranges are widened by this share of their width."] = 0.05
    checks: Annotated[CheckExposure, "Whether faults reach the checks."] = "exposed"
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        known, given = own_options(self.scheme), dict(self.options)
        _refuse_unknown(given, known, scheme=self.scheme)
        for option in COMMON:
            option.check(getattr(self, option.name))
        for option in known:
            given.setdefault(option.name, option.default)
            option.check(given[option.name])
        object.__setattr__(self, "options", tuple((option.name, given[option.name]) for option in known))

    @classmethod
    def of(cls, scheme: str, **options: Any) -> "Method":
        """`Method.of("tmr", vote="word", ranges="none")`: options of the scheme and of the method alike."""
        common = {option.name for option in COMMON} | {"name"}
        own = tuple((name, value) for name, value in options.items() if name not in common)
        return cls(scheme=scheme, options=own, **{name: options[name] for name in common & options.keys()})

    def __getitem__(self, name: str) -> Value:
        """The value of one of the scheme's options. KeyError for one that it does not have."""
        return dict(self.options)[name]

    @property
    def title(self) -> str:
        """What to call it: the text that it was read from, or that of its scheme."""
        return self.name or self.scheme

    @property
    def takes(self) -> Takes:
        """What can be protected by the scheme."""
        return entry_named(self.scheme)[0].takes

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        common = {option.name: option.plain(getattr(self, option.name)) for option in COMMON}
        return {"scheme": self.scheme, **dict(self.options), **common, "name": self.title}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, place: str) -> "Method":
        """The inverse of `as_dict`. InputError names `place` for an option that is none.

        Plans before schemes had options of their own name those of all schemes: what this one has not, they ignored.
        """
        scheme = str(values.get("scheme", NONE))
        try:
            known = {option.name: option for option in (*own_options(scheme), *COMMON)}
            once = {name for name in ONCE if name not in known}
            given = {k: v for k, v in values.items() if k not in ("scheme", "name", *once) and (k, v) != ("blocks", "")}
            _refuse_unknown(given, tuple(known.values()), scheme=scheme)
            read = {name: known[name].from_json(value) for name, value in given.items()}
            return cls.of(scheme, **read, name=str(values.get("name", "")))
        except InputError as error:
            raise InputError(f"{place}: {error}") from error

    def scheme_of(self, shape: Shape, *, ber: float, words: Words) -> Scheme | None:
        """The scheme of a product of this shape at bit error rate `ber`; None for none.

        Raises InputError if no block expects few enough flips.
        """
        if self.scheme == NONE:
            return None
        entry, spelling = entry_named(self.scheme)
        own = {field: self[name] for name, field in _written(entry, spelling).items()}
        if entry.search is not None:
            own["block"] = best_block(self, shape, ber=ber, words=words)  # type: ignore[assignment]
        return entry.kind(**spelling.fixed, **own)

    def schemes_of(self, what: Protectable, *, ber: float) -> dict[str, Scheme]:
        """The schemes of all products at bit error rate `ber`. InputError if there is a scheme and there are none."""
        if self.scheme == NONE:
            return {}
        products = what.products.of(self.takes)
        if not products:
            why = next(iter(what.products.refused.values()), "it has no matrix product")
            if what.products.found:
                why = f"its products are of int8 words, and the scheme takes {self.takes}"
            raise InputError(f"{what.program.name}: no product can be protected by {self.title}: {why}")
        chosen = {name: self.scheme_of(product.shape, ber=ber, words=what.words) for name, product in products.items()}
        return {name: scheme for name, scheme in chosen.items() if scheme is not None}

    def protect(self, what: Protectable, *, ber: float, products: Collection[str] | None = None) -> Protection:
        """The products (default: all) by the scheme, the non-linear sites by their ranges."""
        schemes = self.schemes_of(what, ber=ber)
        chosen = schemes if products is None else {name: schemes[name] for name in products if name in schemes}
        return Protection.of({**chosen, **ranges_of(what.program, what.limits, self)}, checks=self.checks)


COMMON = options_of(Method, besides=("scheme", "options", "name"))
"""Options that every method has."""


def ranges_of(program: Program, limits: Limits, method: Method) -> dict[str, Ranges]:
    """The range of each non-linear site by the method; a softmax's is known.

    Raises InputError, naming the site, where the limits are not finite or "paper" leaves nothing between its bounds.
    """
    if method.ranges == "none":
        return {}
    operators = {site.name: site.operator for site in program.costs}
    found = {}
    for name, (low, high) in limits.items():
        if operators[name] == "softmax":
            found[name] = Ranges(low=SOFTMAX.low, high=SOFTMAX.high, outside=method.outside)
            continue
        try:
            if method.ranges == "paper":
                found[name] = paper_range(low, high, outside=method.outside)
            else:
                found[name] = observed_range(low, high, margin=method.margin, outside=method.outside)
        except InputError as error:
            raise InputError(
                f"site {name!r} yields {low:g} to {high:g}, {method.ranges!r} makes of it a {error}"
            ) from error
    return found


@cache
def best_block(method: Method, shape: Shape, *, ber: float, words: Words) -> Block:
    """The block of `shape` that costs least by the method's model, among those that expect few enough flips."""
    search = entry_named(method.scheme)[0].search
    if search is None:
        raise InputError(f"{method.scheme} has no blocks")
    models: dict[Value, CostModel] = {
        "exact": search.exact(words=words, retries=method["retries"]),
        "volume": Volume(bits=words.product.exposed + words.accumulator.exposed),
        "printed": Printed(),
    }
    flips = method["flips"] if search.limited else math.inf
    return optimal_block(
        shape,
        ber=ber,
        model=models[method["cost"]],
        most_flips=float(flips or 0),
        candidates=_BLOCKS[str(method["blocks"])](shape),
    ).block.clipped(shape)


def methods() -> tuple[str, ...]:
    """What a method's scheme can be: the names on the command line."""
    return (NONE, *(spelling.name for entry in entries() for spelling in entry.spellings))


def entry_named(name: str) -> tuple[SchemeEntry, Spelling]:
    """The scheme that is so written. InputError for none."""
    for entry in entries():
        for spelling in entry.spellings:
            if spelling.name == name:
                return entry, spelling
    raise InputError(f"scheme {name!r} is not known; it is one of {', '.join(methods())}")


def own_options(name: str) -> tuple[Option, ...]:
    """The options of a scheme that is so written, those by which its block is found last."""
    if name == NONE:
        return ()
    entry, spelling = entry_named(name)
    fields = {option.name: option for option in entry.options}
    own = [
        replace(fields[of], name=name, default=spelling.defaults.get(of, fields[of].default))
        for name, of in _written(entry, spelling).items()
    ]
    if entry.search is not None:
        kinds = tuple(_BLOCKS)
        own.append(Option(name="blocks", kind="choice", choices=kinds, default=entry.search.blocks, help=_OF_BLOCKS))
        own.append(Option(name="cost", kind="choice", choices=("exact", "volume", "printed"), default="exact"))
        if entry.search.limited:
            own.append(Option(name="flips", kind="number", default=1.0, bound=Least(0), help=_OF_FLIPS))
    return tuple(own)


_OF_BLOCKS = "Shapes of blocks: equal along every axis, any proportions, or as deep as the product."
_OF_FLIPS = "Largest expected number of flips in a block."


def read_method(text: str) -> Method:
    """`lb-abft:policy=leave` -> Method. InputError names the option, its value, and what it can be."""
    name, *options = text.split(":")
    own = own_options(name)
    known = {option.name: option for option in (*own, *COMMON)}
    values: dict[str, Value] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise InputError(f"scheme {text!r}: {option!r} is no option=value; options are {', '.join(known)}")
        try:
            _refuse_unknown({key: value}, tuple(known.values()), scheme=name)
            if key in values:
                raise InputError(f"{key} is given twice; give it once")
            values[key] = known[key].from_text(value)
        except InputError as error:
            raise InputError(f"scheme {text!r}: {error}") from error
    return Method.of(name, **values, name=text)


def _refuse_unknown(given: Mapping[str, Any], known: tuple[Option, ...], *, scheme: str) -> None:
    names = [option.name for option in known]
    if unknown := next((name for name in given if name not in names), None):
        raise InputError(f"{scheme} has no option {unknown!r}; it has {', '.join(names) or 'none'}")


def _written(entry: SchemeEntry, spelling: Spelling) -> dict[str, str]:
    """How its options are written -> their fields; a block is found, not written."""
    if spelling.called is not None:
        return dict(spelling.called)
    return {o.name: o.name for o in entry.options if o.kind != "block" and o.name not in spelling.fixed}
