"""Finds the values of a graph that cannot be negative, for the unsigned 8-bit grid.

Softmax, ReLU and its kin yield such values, and data movement, pooling, sums and products of such values do. It is a
property of the graph, not of the images that calibrate.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.utils._pytree import tree_flatten

from radhard.operators import Clamp
from radhard.operators.aten import lowered
from radhard.program.capture.fold import constant
from radhard.program.lowering.moves import ALIASES, DROPOUT, MOVES, OF_SIZES, words_of
from radhard.program.lowering.sites import path_of

_ATEN = torch.ops.aten
_YIELD = {
    _ATEN.softmax.int,
    _ATEN._softmax.default,
    _ATEN.sigmoid.default,
    _ATEN.hardsigmoid.default,
    _ATEN.exp.default,
    _ATEN.sqrt.default,
    _ATEN.rsqrt.default,
    _ATEN.abs.default,
}
_WITH_NUMBERS = {
    _ATEN.add.Tensor,
    _ATEN.add.Scalar,
    _ATEN.mul.Tensor,
    _ATEN.mul.Scalar,
    _ATEN.div.Tensor,
    _ATEN.div.Scalar,
}
_KEEP = {
    *ALIASES,
    DROPOUT,
    _ATEN.max_pool2d.default,
    _ATEN.adaptive_max_pool2d.default,
    _ATEN.avg_pool2d.default,
    _ATEN.adaptive_avg_pool2d.default,
    _ATEN._adaptive_avg_pool2d.default,
    _ATEN.mean.dim,
    _ATEN.sum.dim_IntList,
    _ATEN.amax.default,
    _ATEN.amin.default,
    _ATEN.max.dim,
    _ATEN.min.dim,
    _ATEN.maximum.default,
    _ATEN.minimum.default,
    _ATEN.where.self,
    *_WITH_NUMBERS,
    *(op for op, rule in MOVES.items() if rule.words != "plain" and op not in OF_SIZES),
}
_CLAMPS = {
    _ATEN.clamp.default,
    _ATEN.clamp_min.default,
    _ATEN.clamp_max.default,
    _ATEN.hardtanh.default,
    _ATEN.relu6.default,
}
_PADS = {_ATEN.pad.default, _ATEN.constant_pad_nd.default}


def never_negative(graph: GraphModule) -> frozenset[Node]:
    """The nodes whose values are at least 0 for all images."""
    found: set[Node] = set()
    for node in graph.graph.nodes:
        if node.op == "get_attr":
            value = constant(graph, node)
            known = isinstance(value, Tensor) and value.is_floating_point() and bool((value >= 0).all())
        else:
            known = node.op == "call_function" and _is_known(node, found)
        if known:
            found.add(node)
    return frozenset(found)


def clamped(node: Node) -> tuple[float, float] | None:
    """The least and the largest number that a ReLU, ReLU6 or clamp yields; None for anything else."""
    if node.target is _ATEN.relu.default:
        return 0.0, math.inf
    if node.target not in _CLAMPS:
        return None
    operator = lowered(node, path_of(node)).operator
    return (operator.low, operator.high) if isinstance(operator, Clamp) else None


def _is_known(node: Node, found: set[Node]) -> bool:
    if node.target in _YIELD:
        return True
    if (bounds := clamped(node)) is not None:
        return bounds[0] >= 0 or (bounds[1] >= 0 and node.args[0] in found)
    if node.target is _ATEN.pow.Tensor_Scalar and node.args[1] in (2, 4, 6, 8):
        return True
    if node.target not in _KEEP or node.kwargs.get("alpha", 1) != 1:
        return False
    if node.target in _PADS and words_of(node.target, node.args, **node.kwargs) == "plain":
        return False  # with another word than that of 0
    leaves = tree_flatten((node.args, node.kwargs))[0]
    inputs = [leaf for leaf in leaves if isinstance(leaf, Node) and _is_numbers(leaf)]
    factors = node.args[1:] if node.target in _WITH_NUMBERS else ()
    return bool(inputs) and all(leaf in found for leaf in inputs) and not any(map(_is_below_0, factors))


def _is_below_0(value: Any) -> bool:
    return isinstance(value, int | float) and value < 0


def _is_numbers(node: Node) -> bool:
    """Whether it yields floats: not sizes, indices or masks."""
    value = node.meta.get("val")
    if isinstance(value, tuple | list):
        value = value[0] if value else None
    return isinstance(value, Tensor) and value.is_floating_point()
