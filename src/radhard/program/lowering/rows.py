"""What works on whole rows: softmax, normalisations, sums and means."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.fx import Node

from radhard import operators
from radhard.errors import CaptureError
from radhard.program.capture.fold import BATCH_NORM
from radhard.program.lowering.registry import Lowered, register

_ATEN = torch.ops.aten


@register(_ATEN.softmax.int)
def _softmax(x: Node, dim: int, dtype: Any = None) -> Lowered:
    _float32("softmax", dtype)
    return Lowered(operator=operators.Softmax(dim=dim), inputs=(x,))


@register(_ATEN._softmax.default)
def _softmax_plain(x: Node, dim: int, half_to_float: object) -> Lowered:
    del half_to_float
    return Lowered(operator=operators.Softmax(dim=dim), inputs=(x,))


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


@register(_ATEN.rms_norm.default)
def _rms_norm(x: Node, shape: Sequence[int], weight: Node | None = None, eps: float | None = None) -> Lowered:
    smallest = torch.finfo(torch.float32).eps
    operator = operators.RmsNorm(shape=tuple(shape), eps=smallest if eps is None else eps)
    return Lowered(operator=operator, inputs=(x, weight))


@register(_ATEN.group_norm.default)
def _group_norm(
    x: Node,
    groups: int,
    weight: Node | None = None,
    bias: Node | None = None,
    eps: float = 1e-5,
    enable: object = None,
) -> Lowered:
    del enable
    return Lowered(operator=operators.GroupNorm(groups=groups, eps=eps), inputs=(x, weight, bias))


@register(BATCH_NORM)
def _batch_norm(x: Node, factor: Node, offset: Node) -> Lowered:
    return Lowered(operator=operators.BatchNorm(), inputs=(x, factor, offset))


@register(_ATEN.mean.dim)
def _mean(x: Node, dims: Sequence[int] | None, keepdim: object = False, *, dtype: Any = None) -> Lowered:
    _float32("mean", dtype)
    axes = _axes(x, dims)
    return Lowered(operator=operators.Mean(dims=axes), inputs=(x,), squeeze=() if keepdim else axes)


@register(_ATEN.sum.dim_IntList)
def _sum(x: Node, dims: Sequence[int] | None, keepdim: object = False, *, dtype: Any = None) -> Lowered:
    _float32("sum", dtype)
    axes = _axes(x, dims)
    return Lowered(operator=operators.Sum(dims=axes), inputs=(x,), squeeze=() if keepdim else axes)


def _axes(x: Node, dims: Sequence[int] | None) -> tuple[int, ...]:
    """The axes that are meant, counted from 0, in rising order; all where none are named."""
    rank = x.meta["val"].ndim
    return tuple(sorted(d % rank for d in dims)) if dims else tuple(range(rank))


def _float32(what: str, dtype: Any) -> None:
    if dtype not in (None, torch.float32):
        raise CaptureError(f"{what} to {dtype}: operators compute in float32")
