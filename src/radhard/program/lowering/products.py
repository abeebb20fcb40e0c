"""Matrix products and convolutions."""

from collections.abc import Sequence

import torch
from torch.fx import Node

from radhard import operators
from radhard.program.lowering.registry import Lowered, register

_ATEN = torch.ops.aten


@register(_ATEN.linear.default)
def _linear(x: Node, weight: Node, bias: Node | None = None) -> Lowered:
    return Lowered(operator=operators.Linear(), inputs=(x, weight, bias))


@register(_ATEN.matmul.default, _ATEN.bmm.default, _ATEN.mm.default)
def _matmul(a: Node, b: Node) -> Lowered:
    return Lowered(operator=operators.Gemm(), inputs=(a, b))


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


def pair(values: Sequence[int] | int) -> tuple[int, int]:
    """One number or two -> two."""
    if isinstance(values, int):
        return values, values
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])
