"""The strict registry of ATen operations: each operator's file registers the operations that lower to it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch.fx import Node

from radhard.errors import CaptureError
from radhard.machine import Operator

Argument = Any  # a Node, a number, or None


@dataclass(frozen=True, kw_only=True)
class Lowered:
    """The operator of a node, and which of the node's arguments are its inputs."""

    operator: Operator
    inputs: Sequence[Argument]
    squeeze: tuple[int, ...] = ()  # axes of size 1 that the node drops and the operator keeps


Lowering = Callable[..., Lowered]
Declared = TypeVar("Declared", bound=Callable[..., Any])
_KNOWN: dict[Any, Lowering | None] = {}  # None: it moves or compares data, and is no operator
_OURS: set[Any] = set()


def lowers(*ops: Any) -> Callable[[Declared], Declared]:
    """What is below it is what the ATen operations `ops` lower to.

    That is a function `f(*node.args, **node.kwargs) -> Lowered`, to which tensors come as nodes; or the class of an
    operator without fields, whose inputs are all arguments. Raises ValueError if one of `ops` is registered already.
    """

    def add(declared: Declared) -> Declared:
        claim(ops, _of_class(declared) if isinstance(declared, type) else declared)
        return declared

    return add


def claim(ops: Iterable[Any], lowering: Lowering | None) -> None:
    """Register `ops`; without a `lowering` as what only moves data. ValueError if one of them is registered already."""
    for op in ops:
        if op in _KNOWN:
            raise ValueError(f"{op} is registered already")
        _KNOWN[op] = lowering


def claim_ours(*ops: Any) -> None:
    """Mark `ops`, or all that are registered so far, as radhard's own."""
    _OURS.update(ops or _KNOWN)


def registered_by_others() -> bool:
    """Whether somebody has registered an operation that radhard does not know by itself."""
    return len(_KNOWN) > len(_OURS)


def is_registered(op: Any) -> bool:
    """Whether `op` lowers to an operator or moves data."""
    return op in _KNOWN


def lowered(node: Node, path: str = "") -> Lowered:
    """What `node`, in module `path`, lowers to. Raises CaptureError for an operation that is not registered."""
    found = _KNOWN.get(node.target)
    if found is None:
        raise CaptureError(
            f"{node.target} in module {path or '(root)'!r} is not registered: nothing is skipped in silence. If it "
            "multiplies or adds, give it an operator with @radhard.operators.lowers(op); if it only moves or compares "
            "data, call radhard.program.register_move(op)"
        )
    return found(*node.args, **node.kwargs)


def _of_class(operator: Callable[[], Operator]) -> Lowering:
    return lambda *inputs: Lowered(operator=operator(), inputs=inputs)


def pair(values: Sequence[int] | int) -> tuple[int, int]:
    """One number or two -> two."""
    if isinstance(values, int):
        return values, values
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


def in_float32(what: str, dtype: Any) -> None:
    """CaptureError if `what` is asked to compute in another type."""
    if dtype not in (None, torch.float32):
        raise CaptureError(f"{what} to {dtype}: operators compute in float32")
