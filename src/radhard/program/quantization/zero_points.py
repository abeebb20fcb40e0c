"""Finds the values of a graph that get a zero point: outputs of GELU and its kin, and scores of a softmax.

GELU, SiLU and hard swish reach far up and hardly below 0: half a symmetric grid would stand for nothing. The scores of
an attention lie where its queries and keys put them, seldom around 0. The share of the zero point in a product with
stored weights is a constant of each channel, and goes to the bias (`radhard.program.quantization.affine`); in a product
of activations it would be none, so that operands of these have no zero point.
"""

from typing import Any

import torch
from torch.fx import GraphModule, Node

from radhard.program.lowering.moves import ALIASES, DROPOUT, MOVES, OF_SIZES

_ATEN = torch.ops.aten
_KIN = {_ATEN.gelu.default, _ATEN.silu.default, _ATEN.hardswish.default}
_MOVED = {*ALIASES, DROPOUT, *(op for op, rule in MOVES.items() if rule.words == "any" and op not in OF_SIZES)}
_AVERAGED = {_ATEN.mean.dim, _ATEN.avg_pool2d.default, _ATEN.adaptive_avg_pool2d.default}
_SOFTMAX = {_ATEN.softmax.int, _ATEN._softmax.default}
_SHIFTED = {
    _ATEN.add.Tensor,
    _ATEN.add.Scalar,
    _ATEN.sub.Tensor,
    _ATEN.mul.Tensor,
    _ATEN.mul.Scalar,
    _ATEN.div.Tensor,
    _ATEN.div.Scalar,
    _ATEN.where.self,
    _ATEN.masked_fill.Scalar,
    _ATEN.masked_fill.Tensor,
}


def barely_negative(graph: GraphModule) -> frozenset[Node]:
    """The nodes whose values reach slightly below 0: those of GELU, SiLU, hard swish, and these moved or averaged."""
    found: set[Node] = set()
    for node in graph.graph.nodes:
        carried = node.target in _MOVED | _AVERAGED and bool(node.args) and node.args[0] in found
        if node.target in _KIN or carried or _gates_itself(node):
            found.add(node)
    return frozenset(found)


def read_by_softmax(node: Node) -> bool:
    """Whether softmax alone reads a value: as it is, moved, scaled, masked, or with something added."""
    users = [user for user in node.users if user.target not in OF_SIZES]
    return bool(users) and all(
        user.target in _SOFTMAX or (user.target in _MOVED | _SHIFTED and read_by_softmax(user)) for user in users
    )


def _gates_itself(node: Node) -> bool:
    """Whether a node is x * sigmoid(c x), as GELU is approximated in some models."""
    if node.target is not _ATEN.mul.Tensor:
        return False
    return any(_is_gate_of(one, other) for one, other in (node.args, node.args[::-1]))


def _is_gate_of(gate: Any, x: Any) -> bool:
    if not isinstance(gate, Node) or gate.target is not _ATEN.sigmoid.default:
        return False
    inside = gate.args[0]
    if isinstance(inside, Node) and inside.target in {_ATEN.mul.Tensor, _ATEN.mul.Scalar} and x in inside.args:
        return any(isinstance(factor, int | float) and factor > 0 for factor in inside.args)
    return inside is x
