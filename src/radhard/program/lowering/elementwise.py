"""Arithmetic and activations, element by element."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

from radhard import operators
from radhard.errors import CaptureError
from radhard.machine import SPECIALS, Special
from radhard.program.lowering.registry import Argument, Lowered, Lowering, register

_ATEN = torch.ops.aten


@register(_ATEN.add.Tensor, _ATEN.add.Scalar)
def _add(x: Argument, y: Argument, *, alpha: float = 1) -> Lowered:
    return _signed(x, y, alpha, 1)


@register(_ATEN.sub.Tensor, _ATEN.sub.Scalar)
def _sub(x: Argument, y: Argument, *, alpha: float = 1) -> Lowered:
    return _signed(x, y, alpha, -1)


@register(_ATEN.rsub.Scalar, _ATEN.rsub.Tensor)
def _rsub(x: Argument, y: Argument, alpha: float = 1) -> Lowered:
    return _signed(y, x, alpha, -1)


def _signed(x: Argument, y: Argument, alpha: float, sign: int) -> Lowered:
    if alpha != 1:
        raise CaptureError(f"addition with alpha={alpha}: write the product out in the model")
    return Lowered(operator=operators.Add(sign=sign), inputs=(x, y))


@register(_ATEN.mul.Tensor, _ATEN.mul.Scalar)
def _mul(x: Argument, y: Argument) -> Lowered:
    return Lowered(operator=operators.Mul(), inputs=(x, y))


@register(_ATEN.div.Tensor, _ATEN.div.Scalar)
def _div(x: Argument, y: Argument) -> Lowered:
    if not isinstance(y, Node):
        return Lowered(operator=operators.Mul(), inputs=(x, 1.0 / y))
    return Lowered(operator=operators.Div(), inputs=(x, y))


@register(_ATEN.pow.Tensor_Scalar)
def _pow(x: Node, exponent: float) -> Lowered:
    roots: dict[float, Special] = {0.5: "sqrt", -0.5: "rsqrt", -1.0: "reciprocal"}
    if exponent in roots:
        return Lowered(operator=operators.Function(function=roots[exponent]), inputs=(x,))
    if exponent == int(exponent) and 2 <= exponent <= 8:
        return Lowered(operator=operators.Power(exponent=int(exponent)), inputs=(x,))
    if exponent == int(exponent):
        raise CaptureError(f"a power of {exponent}: whole ones are known from 2 to 8, and -1")
    return Lowered(operator=operators.RealPower(exponent=exponent), inputs=(x,))


def _function(name: Special) -> Lowering:
    return lambda x: Lowered(operator=operators.Function(function=name), inputs=(x,))


for _name in SPECIALS:
    register(getattr(_ATEN, _name).default)(_function(_name))


@register(_ATEN.clamp.default, _ATEN.hardtanh.default)
def _clamp(x: Node, low: float | None = None, high: float | None = None) -> Lowered:
    bounds = {"low": -math.inf if low is None else low, "high": math.inf if high is None else high}
    return Lowered(operator=operators.Clamp(**bounds), inputs=(x,))


@register(_ATEN.clamp_min.default)
def _clamp_min(x: Node, low: float) -> Lowered:
    return _clamp(x, low)


@register(_ATEN.clamp_max.default)
def _clamp_max(x: Node, high: float) -> Lowered:
    return _clamp(x, None, high)


@register(_ATEN.relu6.default)
def _relu6(x: Node) -> Lowered:
    return _clamp(x, 0.0, 6.0)


@register(_ATEN.gelu.default)
def _gelu(x: Node, approximate: str = "none") -> Lowered:
    return Lowered(operator=operators.Gelu(form="tanh" if approximate == "tanh" else "none"), inputs=(x,))


def _of_one(operator: Callable[[], Any]) -> Lowering:
    return lambda x: Lowered(operator=operator(), inputs=(x,))


register(_ATEN.sigmoid.default)(_of_one(operators.Sigmoid))
register(_ATEN.silu.default)(_of_one(operators.Silu))
register(_ATEN.hardsigmoid.default)(_of_one(operators.HardSigmoid))
register(_ATEN.hardswish.default)(_of_one(operators.HardSwish))
