"""The registry of fault models, by name; how they are written on a command line and in JSON.

A fault model is a frozen dataclass in a file of this package, under `@fault_model("its-name", about=...)`; the package
imports each of its files, so that being there is being registered. As text it is the name and the fields that are not
left out, behind colons: `registers:array=16x16:dataflow=weight`. A field is a choice (a Literal), the sizes of an
array (two whole numbers), a whole number, or the shapes of upset cells (a preset, or the path of a file).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from radhard.errors import InputError
from radhard.hardware.cell_shapes import CellShapes, read_cell_shapes
from radhard.hardware.fault_model import FaultModel

ArraySizes = tuple[int, int]
LATER = {"later": True}
"""Metadata of an option that a later version has added: as text it is left out at its default, as it was then."""
FaultModelClass = TypeVar("FaultModelClass", bound=type[FaultModel])


@dataclass(frozen=True, kw_only=True)
class FaultModelEntry:
    """A fault model: its class `kind`, and what it hits (`about`, one line)."""

    name: str
    kind: type[FaultModel]
    about: str

    @property
    def fields(self) -> dict[str, Any]:
        """The name and type of each of its options."""
        hints = get_type_hints(self.kind)
        return {each.name: hints[each.name] for each in fields(cast("Any", self.kind))}


_ENTRIES: dict[str, FaultModelEntry] = {}


def fault_model(name: str, *, about: str) -> Callable[[FaultModelClass], FaultModelClass]:
    """Registers the frozen dataclass below it. ValueError for a name that another class has."""

    def register(kind: FaultModelClass) -> FaultModelClass:
        if name in _ENTRIES:
            raise ValueError(f"two fault models are called {name!r}: {_ENTRIES[name].kind.__name__}, {kind.__name__}")
        _ENTRIES[name] = FaultModelEntry(name=name, kind=kind, about=about)
        return kind

    return register


def fault_models() -> tuple[FaultModelEntry, ...]:
    """All fault models, in the order of names."""
    return tuple(_ENTRIES[name] for name in sorted(_ENTRIES))


def read_fault_model(text: str) -> FaultModel:
    """`registers:array=16x16:dataflow=weight` -> the fault model. InputError names the part, and what it can be.

    >>> from radhard.hardware import read_fault_model
    >>> read_fault_model("registers:array=8x4").array
    (8, 4)
    """
    name, *options = text.split(":")
    entry = _ENTRIES.get(name)
    if entry is None:
        raise InputError(
            f"--faults {text}: fault model {name!r} is not known; it is one of {', '.join(sorted(_ENTRIES))}"
        )
    known, values = entry.fields, dict[str, Any]()
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise InputError(f"--faults {text}: {option!r} is no option=value; options are {', '.join(known)}")
        if key not in known:
            raise InputError(f"--faults {text}: {name} has no option {key!r}; it has {', '.join(known)}")
        if key in values:
            raise InputError(f"--faults {text}: {key} is given twice; give it once")
        values[key] = _read(value, known[key], option=f"--faults {text}: {key}")
    try:
        return entry.kind(**values)
    except InputError as error:
        raise InputError(f"--faults {text}: {error.on_command_line}") from error


def fault_model_of(given: str | FaultModel) -> FaultModel:
    """A value, or its text. InputError for a text that is none, and for a value that no file registers."""
    found = read_fault_model(given) if isinstance(given, str) else given
    _entry_of(found)
    return found


def fault_model_text(model: FaultModel) -> str:
    """The inverse of `read_fault_model`, every option written out that is not `LATER` and at its default.

    >>> import radhard as rh
    >>> from radhard.hardware import fault_model_text
    >>> fault_model_text(rh.RegisterUpsets())
    'registers:array=16x16:dataflow=output'
    """
    entry = _entry_of(model)
    shown = [
        f"{each.name}={_written(getattr(model, each.name))}"
        for each in fields(cast("Any", model))
        if "later" not in each.metadata or getattr(model, each.name) != each.default
    ]
    return ":".join([entry.name, *shown])


def fault_model_dict(model: FaultModel) -> dict[str, Any]:
    """A fault model -> JSON values: its `name`, and the options that are not at their default.

    So an option that a later version adds leaves the digests of settings, and with them stores, as they are.
    """
    entry, found = _entry_of(model), dict[str, Any]()
    for each in fields(cast("Any", model)):
        value = getattr(model, each.name)
        if value != each.default:
            plain = list(value) if isinstance(value, tuple) else value
            found[each.name] = plain.content if isinstance(plain, CellShapes) else plain
    return {"name": entry.name, **found}


def _entry_of(model: FaultModel) -> FaultModelEntry:
    for entry in _ENTRIES.values():
        if type(model) is entry.kind:
            return entry
    known = ", ".join(f"{entry.name} ({entry.kind.__name__})" for entry in fault_models())
    raise InputError(f"fault model {model!r} is not registered; there are {known}")


def _read(text: str, hint: Any, *, option: str) -> Any:
    if get_origin(hint) is Literal:
        if text not in get_args(hint):
            raise InputError(f"{option}={text!r} is not known; choose from {', '.join(get_args(hint))}")
        return text
    if hint is CellShapes:
        try:
            return read_cell_shapes(text)
        except InputError as error:
            raise InputError(f"{option.rpartition(': ')[0]}: {error.on_command_line}") from error
    if hint is int:
        if not (text.isascii() and text.isdecimal() and len(text) < 19):
            raise InputError(f"{option}={text!r} is no whole number from 0 on")
        return int(text)
    if hint == ArraySizes:
        rows, times, columns = text.partition("x")
        if not times or not all(size.isascii() and size.isdecimal() and len(size) < 10 for size in (rows, columns)):
            raise InputError(f"{option}={text!r} is no size; write rows x columns, such as 16x16")
        return int(rows), int(columns)
    raise TypeError(f"{option}: an option is a Literal, two sizes, a whole number or shapes, not {hint}")


def _written(value: Any) -> str:
    if isinstance(value, CellShapes):
        return value.name
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
