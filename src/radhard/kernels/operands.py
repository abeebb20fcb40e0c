"""The operands of each operator in `torch.ops.radhard`, in one table, and the check of a call against it.

Kernels read operands by their addresses. What lies there must be what they take it for, so each call is looked at
first: the type, the device, the shape, and, where a loop reads the tensor as it lies in memory, that it is contiguous.
The same check runs on fake and meta tensors, so `torch.export` and `torch.compile` refuse what a call would refuse.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.kernels.events import EVENTS
from radhard.kernels.octets import OCTETS

SPARE = 3  # columns beside a product's own: the digits of what each row adds up to
POLICIES = ("raise", "warn", "recompute")
Sizes = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Size:
    """A size that follows from others, which `text` says, with what `allowed` tells of it."""

    text: str
    allowed: Callable[[Sizes, Any], bool]


@dataclass(frozen=True, kw_only=True)
class Operand:
    """A tensor of one of `types` (none: any). `shape`: a name is a size, the same wherever it stands; "..." any axes.

    `dense`: it is read by its address as it lies, so it must be contiguous. Other operands may have any strides.
    """

    types: tuple[torch.dtype, ...]
    shape: tuple[str | int | Size, ...]
    dense: bool = False


@dataclass(frozen=True, kw_only=True)
class OneOf:
    """An argument that is one of `values`."""

    values: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """An argument that is a list of so many numbers."""

    count: int


Entry = Operand | OneOf | Numbers

LEFT = OCTETS  # words of the left factor of a product
RIGHT = (torch.int8,)  # words of the right factor
WORDS = OCTETS  # words that a table is asked for
ANY = ("...",)

_STORED = Operand(types=RIGHT, shape=("n", "k"), dense=True)
_BIAS = Operand(types=(torch.int32,), shape=("n",), dense=True)
_MULTIPLIER = Operand(types=(torch.float32,), shape=("n",), dense=True)
_EVENTS = Operand(types=(torch.int64,), shape=(len(EVENTS),), dense=True)
_WRITTEN = OneOf(values=(*OCTETS, torch.float32, torch.int32))
_WORD = OneOf(values=(*OCTETS, None))
_GRID, _PAIR, _PADDING = Numbers(count=3), Numbers(count=2), Numbers(count=4)
_POLICY, _OUTSIDE = OneOf(values=POLICIES), OneOf(values=("zero", "clamp"))

_PER_FILTER = Size(
    text="channels / groups x height x width of a filter",
    allowed=lambda s, size: not s["c"] % s["groups"] and size == s["c"] // s["groups"] * s["size"],
)
_GEOMETRY: dict[str, Entry] = {"size": _PAIR, "stride": _PAIR, "padding": _PADDING, "dilation": _PAIR}
_CONVOLVED = Operand(types=LEFT, shape=("b", "c", "h", "w"))
_FACTORS: dict[str, Entry] = {
    "a": Operand(types=LEFT, shape=("...", "m", "k")),
    "b": Operand(types=RIGHT, shape=("...", "k", "n")),
    "multiplier": Operand(
        types=(torch.float32,),
        shape=(Size(text="1 or n", allowed=lambda s, size: size == 1 or size == s["n"]),),
        dense=True,
    ),
}
_WITHIN: dict[str, Entry] = {"outside": _OUTSIDE, "events": _EVENTS}
_TABLE = Operand(types=(*OCTETS, torch.float32), shape=(256,), dense=True)
_COPY = Operand(types=(), shape=ANY)


def _with_spare(sizes: Sizes, size: Any) -> bool:
    groups = sizes.get("groups", 1)
    return not size % groups and size // groups >= sizes["n"] // groups + SPARE


_CHECKED: dict[str, Entry] = {"policy": _POLICY, "events": _EVENTS}
_WIDE = Size(text="n and at least 3 more for each group", allowed=_with_spare)

_TERMS = Size(text="k + 1", allowed=lambda s, size: size == s["k"] + 1)
_GROUPS = Size(text="groups", allowed=lambda s, size: size == s["groups"])
_OF_GROUPS = Size(text="k + 1 for each group", allowed=lambda s, size: size == s["groups"] * (s["k"] + 1))
_BLOCKS: dict[str, Entry] = {
    "block": _GRID,
    "recovery": OneOf(values=("leave", "intersect", "row", "block", "weighted")),
    "width": OneOf(values=(32, 64)),
}

OPERANDS: dict[str, dict[str, Entry]] = {
    "linear": {
        "x": Operand(types=LEFT, shape=("...", "k")),
        "weight": _STORED,
        "bias": _BIAS,
        "multiplier": _MULTIPLIER,
        "grid": _GRID,
        "dtype": _WRITTEN,
    },
    "linear_checked": {
        "x": Operand(types=LEFT, shape=("...", "k")),
        "bias": _BIAS,
        "weight": Operand(types=RIGHT, shape=(_WIDE, "k"), dense=True),
        "columns": Operand(
            types=(torch.int64,), shape=(Size(text="k + 1", allowed=lambda s, size: size == s["k"] + 1),), dense=True
        ),
        "rows": Operand(types=(torch.int64,), shape=("n",), dense=True),
        "multiplier": _MULTIPLIER,
        "grid": _GRID,
        "dtype": _WRITTEN,
        **_CHECKED,
    },
    "conv2d": {
        **_GEOMETRY,
        "x": _CONVOLVED,
        "weight": Operand(types=RIGHT, shape=("n", _PER_FILTER), dense=True),
        "bias": _BIAS,
        "multiplier": _MULTIPLIER,
        "grid": _GRID,
        "dtype": _WRITTEN,
    },
    "conv2d_checked": {
        **_GEOMETRY,
        "x": _CONVOLVED,
        "bias": _BIAS,
        "weight": Operand(types=RIGHT, shape=(_WIDE, _PER_FILTER), dense=True),
        "columns": Operand(
            types=(torch.int64,),
            shape=(
                Size(
                    text="channels x height x width of a filter, and 1 more for each group",
                    allowed=lambda s, size: size == s["c"] * s["size"] + s["groups"],
                ),
            ),
            dense=True,
        ),
        "rows": Operand(types=(torch.int64,), shape=("n",), dense=True),
        "multiplier": _MULTIPLIER,
        "grid": _GRID,
        "dtype": _WRITTEN,
        **_CHECKED,
    },
    "matmul": {**_FACTORS, "grid": _GRID, "dtype": _WRITTEN},
    "matmul_checked": {**_FACTORS, "grid": _GRID, "dtype": _WRITTEN, **_CHECKED},
    "blocks_checked": {
        "a": Operand(types=LEFT, shape=("g", "m", "k")),
        "bias": _BIAS,
        "weight": Operand(types=RIGHT, shape=(_WIDE, "k"), dense=True),
        "columns": Operand(types=(torch.int64,), shape=(_OF_GROUPS,), dense=True),
        "rows": Operand(types=(torch.int64,), shape=("n",), dense=True),
        "sums": Operand(types=(torch.int64,), shape=(_GROUPS, "j", _TERMS)),
        "weighted": Operand(types=(torch.int64,), shape=ANY),
        "multiplier": _MULTIPLIER,
        **_BLOCKS,
        "grid": _GRID,
        "dtype": _WRITTEN,
        **_CHECKED,
    },
    "matmul_blocks_checked": {**_FACTORS, **_BLOCKS, "grid": _GRID, "dtype": _WRITTEN, **_CHECKED},
    "patches": {**_GEOMETRY, "x": _CONVOLVED},
    "look_up": {"x": Operand(types=WORDS, shape=ANY), "table": _TABLE},
    "look_up_within": {
        "x": Operand(types=WORDS, shape=ANY),
        "table": _TABLE,
        "flagged": Operand(types=(torch.bool,), shape=(256,), dense=True),
        "clear": _PAIR,
        "bounds": _PAIR,
        "instead": _GRID,
        "events": _EVENTS,
    },
    "write_back": {
        "total": Operand(types=(torch.int32,), shape=("...", "n")),
        "multiplier": _FACTORS["multiplier"],
        "grid": _GRID,
        "dtype": _WRITTEN,
    },
    "quantize": {"x": Operand(types=(torch.float32,), shape=ANY), "grid": _GRID, "dtype": _WORD},
    "quantize_within": {"x": Operand(types=(torch.float32,), shape=ANY), "grid": _GRID, "dtype": _WORD, **_WITHIN},
    "within": {"x": Operand(types=(torch.float32, *OCTETS, torch.int32, torch.int64), shape=ANY), **_WITHIN},
    "reread": {"x": _COPY},
    "vote": {"a": _COPY, "b": _COPY, "c": _COPY, "by": OneOf(values=("word", "bitwise", None)), **_CHECKED},
}
"""Of each operator its arguments that must be something, in the order in which their sizes are known."""

_SERVED = 4096  # calls of an operator, alike in all that is looked at, that are remembered
_ALIKE = {"vote": ("a", "b", "c")}  # operands of one shape and type


class Check(Protocol):
    """Raises InputError for a call that an operator cannot serve; `open_sizes` says that some may be symbols."""

    def __call__(self, given: Sequence[Any], *, open_sizes: bool) -> None:
        """`given`: all arguments of the call, in order."""
        ...


def checker(name: str, arguments: Sequence[str]) -> Check:
    """The check of calls of operator `name`; `arguments` are those of its schema.

    The error is one line: the operator, the operand, what it is and what it must be.
    """
    table = OPERANDS[name]
    places = [(arguments.index(own), own, entry) for own, entry in table.items()]
    tensors = [(place, entry.dense) for place, _, entry in places if isinstance(entry, Operand)]
    others = [place for place, _, entry in places if not isinstance(entry, Operand)]
    first, groups = tensors[0][0], arguments.index("groups") if "groups" in arguments else None
    if groups is not None:
        others.append(groups)
    alike = [arguments.index(own) for own in _ALIKE.get(name, ())]
    served: set[Any] = set()  # types and shapes, and the other arguments, that were found right

    def check(given: Sequence[Any], *, open_sizes: bool) -> None:
        if open_sizes:  # of fake tensors, which cannot be told from others by a key
            look(given)
            return
        device = given[first].device
        parts: list[Any] = [tuple(v) if isinstance(v := given[place], list) else v for place in others]
        for place, dense in tensors:
            x = given[place]
            if x.device != device or (dense and not x.is_contiguous()):
                look(given)
            parts += (x.dtype, x.shape)
        key = tuple(parts)
        if key not in served:
            look(given)
            if len(served) < _SERVED:
                served.add(key)

    def look(given: Sequence[Any]) -> None:
        sizes: Sizes = {}
        if groups is not None:
            sizes["groups"] = given[groups]
            if given[groups] < 1:
                _refuse(name, "groups", f"is {given[groups]}", "it must be 1 or more")
        device = given[first].device
        for place, own, entry in places:
            value = given[place]
            if not isinstance(entry, Operand):
                _check_value(name, own, value, entry, sizes)
                continue
            if entry.types and value.dtype not in entry.types:
                _refuse_type(name, own, value, entry)
            if value.device != device:
                _refuse(name, own, f"is on {value.device}", f"{arguments[first]} is on {device}, and all must be")
            if entry.shape is not ANY:
                _check_shape(name, own, value, entry, sizes)
            if entry.dense and not value.is_contiguous():
                _refuse(name, own, f"has strides {list(value.stride())}", "it must be contiguous")
        for place in alike[1:]:
            _check_alike(name, arguments[place], given[place], given[alike[0]])

    return check


def _check_value(name: str, own: str, value: Any, entry: OneOf | Numbers, sizes: Sizes) -> None:
    if isinstance(entry, OneOf):
        if value not in entry.values:
            _refuse(name, own, f"is {value!r}", f"it must be {' or '.join(map(str, entry.values))}")
        return
    if len(value) != entry.count:
        _refuse(name, own, f"is {list(value)}", f"it must be {entry.count} numbers")
    sizes[own] = math.prod(value)


def _check_shape(name: str, own: str, value: Tensor, entry: Operand, sizes: Sizes) -> None:
    wanted, shape = entry.shape, value.shape
    if wanted[0] == "...":
        wanted = wanted[1:]
        fits = len(shape) >= len(wanted)
        shape = shape[len(shape) - len(wanted) :]
    else:
        fits = len(shape) == len(wanted)
    if fits:
        for want, size in zip(wanted, shape, strict=True):
            if isinstance(want, Size):
                fits = _possible(want.allowed(sizes, size))
            elif isinstance(want, str):
                fits = _possible(sizes.setdefault(want, size) == size)
            else:
                fits = _possible(size == want)
            if not fits:
                break
    if not fits:
        text = ", ".join(_text(want, sizes) for want in entry.shape)
        _refuse(name, own, f"has shape {list(value.shape)}", f"it must be [{text}]")


def _possible(equal: Any) -> bool:
    """Whether sizes may be equal: those that an export leaves open may be."""
    if isinstance(equal, bool):
        return equal
    from torch.fx.experimental.symbolic_shapes import guard_or_true

    return bool(guard_or_true(equal))


def _text(want: str | int | Size, sizes: Sizes) -> str:
    if isinstance(want, Size):
        return want.text
    return f"{want} = {sizes[want]}" if want in sizes else str(want)


def _check_alike(name: str, own: str, value: Tensor, first: Tensor) -> None:
    if value.dtype != first.dtype or value.ndim != first.ndim:
        _refuse(name, own, f"is {value.dtype} {list(value.shape)}", f"it must be {first.dtype} {list(first.shape)}")
    for size, other in zip(value.shape, first.shape, strict=True):
        if not _possible(size == other):
            _refuse(name, own, f"has shape {list(value.shape)}", f"it must be {list(first.shape)}")


def _refuse_type(name: str, own: str, value: Tensor, entry: Operand) -> NoReturn:
    _refuse(
        name,
        own,
        f"is {value.dtype}",
        f"it must be {' or '.join(map(str, entry.types))}: a deployed module keeps the types of its tensors, so take "
        "back .half(), .bfloat16(), .double() or .to(dtype), and give it images in float32",
    )


def _refuse(name: str, own: str, found: str, wanted: str) -> NoReturn:
    raise InputError(f"torch.ops.radhard.{name}: {own} {found}; {wanted}")
