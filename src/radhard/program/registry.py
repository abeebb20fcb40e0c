"""Which operator an ATen operation is: a strict registry, one entry an operation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Node

from radhard import operators
from radhard.errors import CaptureError
from radhard.machine import Operator
from radhard.program.moves import MOVES

Argument = Any  # a Node, a number, or None


@dataclass(frozen=True, kw_only=True)
class Lowered:
    """The operator of a node, and which of the node's arguments are its inputs."""

    operator: Operator
    inputs: Sequence[Argument]
    squeeze: tuple[int, ...] = ()  # axes of size 1 that the node drops and the operator keeps


Lowering = Callable[..., Lowered]
_LOWERINGS: dict[Any, Lowering] = {}


def register(op: Any) -> Callable[[Lowering], Lowering]:
    """Register how the ATen operation `op` lowers: `f(*node.args, **node.kwargs) -> Lowered`.

    Tensors come as nodes. Raises ValueError if `op` is registered already.
    """

    def add(lowering: Lowering) -> Lowering:
        if op in _LOWERINGS or op in MOVES:
            raise ValueError(f"{op} is registered already")
        _LOWERINGS[op] = lowering
        return lowering

    return add


def lowering_of(node: Node, path: str) -> Lowering:
    """How `node` lowers. Raises CaptureError for an operation that is not registered."""
    if node.target not in _LOWERINGS:
        raise CaptureError(
            f"{node.target} in module {path or '(root)'!r} is not registered: nothing is skipped in silence. If it "
            "multiplies or adds, give it an operator with @radhard.program.register(op); if it only moves or compares "
            "data, call radhard.program.register_move(op)"
        )
    return _LOWERINGS[node.target]


_ATEN = torch.ops.aten


@register(_ATEN.linear.default)
def _linear(x: Node, weight: Node, bias: Node | None = None) -> Lowered:
    return Lowered(operator=operators.Linear(), inputs=(x, weight, bias))


@register(_ATEN.matmul.default)
def _matmul(a: Node, b: Node) -> Lowered:
    return Lowered(operator=operators.Gemm(), inputs=(a, b))


register(_ATEN.bmm.default)(_matmul)


@register(_ATEN.conv2d.default)
def _conv2d(
    x: Node,
    weight: Node,
    bias: Node | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Lowered:
    (sy, sx), (py, px), (dy, dx) = (pair(v) for v in (stride, padding, dilation))
    operator = operators.Conv2d(stride=(sy, sx), padding=(py, px, py, px), dilation=(dy, dx), groups=groups)
    return Lowered(operator=operator, inputs=(x, weight, bias))


@register(_ATEN.conv2d.padding)
def _conv2d_same(
    x: Node,
    weight: Node,
    bias: Node | None = None,
    stride: Sequence[int] = (1, 1),
    padding: str = "valid",
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Lowered:
    (sy, sx), (dy, dx) = pair(stride), pair(dilation)
    p, q = weight.meta["val"].shape[2:]
    whole = (dy * (p - 1), dx * (q - 1)) if padding == "same" else (0, 0)
    top, left = whole[0] // 2, whole[1] // 2
    around = (top, left, whole[0] - top, whole[1] - left)
    operator = operators.Conv2d(stride=(sy, sx), padding=around, dilation=(dy, dx), groups=groups)
    return Lowered(operator=operator, inputs=(x, weight, bias))


@register(_ATEN.softmax.int)
def _softmax(x: Node, dim: int, dtype: Any = None) -> Lowered:
    if dtype not in (None, torch.float32):
        raise CaptureError(f"softmax to {dtype}: operators compute in float32")
    return Lowered(operator=operators.Softmax(dim=dim), inputs=(x,))


@register(_ATEN.gelu.default)
def _gelu(x: Node, approximate: str = "none") -> Lowered:
    return Lowered(operator=operators.Gelu(form="tanh" if approximate == "tanh" else "none"), inputs=(x,))


@register(_ATEN.layer_norm.default)
def _layer_norm(
    x: Node,
    shape: Sequence[int],
    weight: Node | None = None,
    bias: Node | None = None,
    eps: float = 1e-5,
    enable: object = None,
) -> Lowered:
    del enable
    return Lowered(operator=operators.LayerNorm(shape=tuple(shape), eps=eps), inputs=(x, weight, bias))


@register(_ATEN.add.Tensor)
def _add(x: Argument, y: Argument, *, alpha: float = 1) -> Lowered:
    return _signed(x, y, alpha, 1)


@register(_ATEN.sub.Tensor)
def _sub(x: Argument, y: Argument, *, alpha: float = 1) -> Lowered:
    return _signed(x, y, alpha, -1)


def _signed(x: Argument, y: Argument, alpha: float, sign: int) -> Lowered:
    if alpha != 1:
        raise CaptureError(f"addition with alpha={alpha}: write the product out in the model")
    return Lowered(operator=operators.Add(sign=sign), inputs=(x, y))


@register(_ATEN.mul.Tensor)
def _mul(x: Argument, y: Argument) -> Lowered:
    return Lowered(operator=operators.Mul(), inputs=(x, y))


@register(_ATEN.div.Tensor)
def _div(x: Argument, y: Argument) -> Lowered:
    if not isinstance(y, Node):
        return Lowered(operator=operators.Mul(), inputs=(x, 1.0 / y))
    return Lowered(operator=operators.Div(), inputs=(x, y))


@register(_ATEN.mean.dim)
def _mean(x: Node, dims: Sequence[int], keepdim: object = False, *, dtype: Any = None) -> Lowered:
    if dtype not in (None, torch.float32):
        raise CaptureError(f"mean to {dtype}: operators compute in float32")
    rank = x.meta["val"].ndim
    positive = tuple(sorted(d % rank for d in dims))
    return Lowered(operator=operators.Mean(dims=positive), inputs=(x,), squeeze=() if keepdim else positive)


@register(_ATEN.adaptive_avg_pool2d.default)
def _adaptive(x: Node, size: Sequence[int]) -> Lowered:
    if tuple(size) != (1, 1):
        raise CaptureError(f"adaptive average pooling to {list(size)}: only a size of 1 x 1 is known")
    return Lowered(operator=operators.Mean(dims=(2, 3)), inputs=(x,))


@register(_ATEN.avg_pool2d.default)
def _avg_pool2d(
    x: Node,
    size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil_mode: object = False,
    count_include_pad: object = True,
    divisor: int | None = None,
) -> Lowered:
    if ceil_mode or divisor is not None or (not count_include_pad and any(pair(padding))):
        raise CaptureError("average pooling with ceil_mode, a divisor or count_include_pad=False is not known")
    operator = operators.AvgPool2d(size=pair(size), stride=pair(stride or size), padding=pair(padding))
    return Lowered(operator=operator, inputs=(x,))


def pair(values: Sequence[int] | int) -> tuple[int, int]:
    """One number or two -> two."""
    if isinstance(values, int):
        return values, values
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])
