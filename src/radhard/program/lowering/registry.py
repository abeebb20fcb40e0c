"""Which operator an ATen operation is: a strict registry, one entry an operation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch.fx import Node

from radhard.errors import CaptureError
from radhard.machine import Operator
from radhard.program.lowering.moves import ALIASES, MOVES

Argument = Any  # a Node, a number, or None


@dataclass(frozen=True, kw_only=True)
class Lowered:
    """The operator of a node, and which of the node's arguments are its inputs."""

    operator: Operator
    inputs: Sequence[Argument]
    squeeze: tuple[int, ...] = ()  # axes of size 1 that the node drops and the operator keeps


Lowering = Callable[..., Lowered]
_LOWERINGS: dict[Any, Lowering] = {}


def register(*ops: Any) -> Callable[[Lowering], Lowering]:
    """Register how the ATen operations `ops` lower: `f(*node.args, **node.kwargs) -> Lowered`.

    Tensors come as nodes. Raises ValueError if one of them is registered already.
    """

    def add(lowering: Lowering) -> Lowering:
        for op in ops:
            if is_registered(op):
                raise ValueError(f"{op} is registered already")
            _LOWERINGS[op] = lowering
        return lowering

    return add


def is_registered(op: Any) -> bool:
    """Whether `op` lowers to an operator or moves data."""
    return op in _LOWERINGS or op in MOVES or op in ALIASES


def lowering_of(node: Node, path: str) -> Lowering:
    """How `node` lowers. Raises CaptureError for an operation that is not registered."""
    if node.target not in _LOWERINGS:
        raise CaptureError(
            f"{node.target} in module {path or '(root)'!r} is not registered: nothing is skipped in silence. If it "
            "multiplies or adds, give it an operator with @radhard.program.register(op); if it only moves or compares "
            "data, call radhard.program.register_move(op)"
        )
    return _LOWERINGS[node.target]
