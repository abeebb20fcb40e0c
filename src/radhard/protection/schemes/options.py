"""Options of a scheme, from the fields of its dataclass: type, choices, bounds, default and help.

A field is annotated as `Annotated[int, Least(0), "what it is for"] = 1`. From that alone come the check of a value, its
text on the command line, its place in a plan's file, and its JSON schema.
"""

import math
from collections.abc import Collection
from dataclasses import MISSING, dataclass, fields
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from radhard.errors import InputError
from radhard.json_record import Above, Least, unpacked
from radhard.protection.cost.shape import Block

Value = str | int | float | None
OptionKind = Literal["choice", "whole number", "number", "block"]


@dataclass(frozen=True, kw_only=True)
class Option:
    """One field. `choices` are all values of a choice; `default` is MISSING where a value must be given."""

    name: str
    kind: OptionKind
    default: Any
    choices: tuple[Value, ...] = ()
    optional: bool = False
    bound: Least | Above | None = None
    help: str = ""

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is MISSING

    def check(self, value: Any) -> None:
        """Raise InputError for a value that the option does not take."""
        if self.kind == "block" or (value is None and self.optional):
            return
        if self.kind == "choice":
            if not any(value == choice and type(value) is type(choice) for choice in self.choices):
                known = ", ".join(map(str, self.choices))
                raise InputError(f"{self.name}={value!r} is not known; choose from {known}")
            return
        if type(value) is not int and (self.kind == "whole number" or type(value) is not float):
            raise InputError(f"{self.name}={value!r} is no {self.kind}; give one")
        if not math.isfinite(value):
            raise InputError(f"{self.name}={value}: give a finite number")
        low = isinstance(self.bound, Least) and value < self.bound.value
        if self.bound is not None and (low or (isinstance(self.bound, Above) and value <= self.bound.value)):
            least = f"from {self.bound.value:g} on" if isinstance(self.bound, Least) else f"above {self.bound.value:g}"
            raise InputError(f"{self.name}={value}: give a {self.kind} {least}")

    def from_text(self, text: str) -> Value:
        """The value that a command line gives. InputError for a text that is none."""
        value: Value = text
        if self.kind == "choice":
            value = next((choice for choice in self.choices if str(choice) == text), text)
        elif text in ("none", "all") and self.optional:
            value = None
        else:
            try:
                value = int(text) if self.kind == "whole number" else float(text)
            except ValueError:
                raise InputError(f"{self.name}={text!r} is no {self.kind}; give one") from None
        self.check(value)
        return value

    def from_json(self, value: Any) -> Any:
        """The value that a file gives. InputError for a value that is none."""
        if self.kind == "block":
            three = isinstance(value, list) and len(value) == 3 and all(type(size) is int for size in value)
            if not three or min(value) < 1:
                raise InputError(f"{self.name} {value!r} is not three whole numbers [m, k, n] from 1 on")
            m, k, n = value
            return Block(m=m, k=k, n=n)
        self.check(value)
        return self.plain(value)

    def plain(self, value: Any) -> Any:
        """As JSON has it: a block as its three sizes, and 1 as 1.0 where numbers are not whole."""
        if isinstance(value, Block):
            return [value.m, value.k, value.n]
        return float(value) if self.kind == "number" and value is not None else value

    def schema(self) -> dict[str, Any]:
        """The JSON schema of its value."""
        if self.kind == "block":
            return {"$ref": "#/$defs/block"}
        found: dict[str, Any] = {"description": self.help} if self.help else {}
        if self.kind == "choice":
            found["enum"] = list(self.choices)
        else:
            name = "integer" if self.kind == "whole number" else "number"
            found["type"] = [name, "null"] if self.optional else name
        if self.bound is not None:
            found |= self.bound.schema
        return found if self.required else {**found, "default": self.default}


def options_of(kind: type, *, besides: Collection[str] = ()) -> tuple[Option, ...]:
    """The options of a dataclass, in the order of its fields, `besides` some.

    TypeError for a field of a type that no option has.
    """
    hints = get_type_hints(kind, include_extras=True)
    chosen = (field for field in fields(kind) if field.name not in besides)
    return tuple(_option(field.name, hints[field.name], field.default) for field in chosen)


def check_options(value: Any) -> None:
    """Raise InputError, naming the option, unless each option of a dataclass's value is one that it takes."""
    for option in options_of(type(value)):
        option.check(getattr(value, option.name))


def _option(name: str, hint: Any, default: Any) -> Option:
    hint, notes = unpacked(hint)
    kinds = {Block: "block", int: "whole number", float: "number"}
    given = [one for one in get_args(hint) if one is not NoneType] if NoneType in get_args(hint) else [hint]
    choices: tuple[Value, ...] = get_args(given[0]) if get_origin(given[0]) is Literal else ()
    if len(given) > 1 or not (choices or given[0] in kinds):
        raise TypeError(f"option {name!r} is {hint}: an option is a Literal, an int, a float or a Block")
    return Option(
        name=name,
        kind="choice" if choices else kinds[given[0]],  # type: ignore[arg-type]
        choices=choices,
        default=default,
        optional=given != [hint],
        bound=next((note for note in notes if isinstance(note, Least | Above)), None),
        help=" ".join(note for note in notes if isinstance(note, str)),
    )
