"""What can be computed before any image is seen: operations of constants alone, and batch normalisations.

A batch normalisation that follows a convolution becomes part of its weights and bias, before quantisation. Any other
one becomes one multiplication and one addition a channel: `radhard::batch_norm`, an operation of our own.
"""

import operator
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.utils._pytree import tree_flatten, tree_map

_ATEN = torch.ops.aten
_CONVOLUTIONS = {_ATEN.conv2d.default, _ATEN.conv2d.padding}


@torch.library.custom_op("radhard::batch_norm", mutates_args=())
def _batch_norm(x: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    """x [b, c, ...], factor and offset [c, 1, ...] -> x factor + offset."""
    return torch.addcmul(offset, x, factor)


@_batch_norm.register_fake
def _(x: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    del factor, offset
    return torch.empty_like(x)


BATCH_NORM = torch.ops.radhard.batch_norm.default
_NORMS = {_ATEN.batch_norm.default, _ATEN._native_batch_norm_legit_no_training.default}


def fold(graph: GraphModule) -> GraphModule:
    """`graph` itself, changed in place: constants computed, batch normalisations folded."""
    with torch.no_grad():
        fold_constants(graph)
        for node in list(graph.graph.nodes):
            if node.target in _NORMS:
                _fold_norm(graph, node)
        graph.graph.eliminate_dead_code()
        graph.recompile()
    return graph


def fold_constants(graph: GraphModule) -> None:
    """Every operation whose inputs are constants becomes a constant; int8 weights stay as words beside their scale."""
    known: dict[Node, Any] = {}
    for node in list(graph.graph.nodes):
        if node.op == "get_attr":
            known[node] = constant(graph, node)
        elif node.op == "call_function" and _is_constant(node, known):
            args, kwargs = tree_map(
                lambda leaf: known[leaf] if isinstance(leaf, Node) else leaf, (node.args, node.kwargs)
            )
            known[node] = node.target(*args, **kwargs)
            if isinstance(known[node], Tensor) and any(user not in known for user in node.users):
                _replace(graph, node, known[node])
    graph.graph.eliminate_dead_code()


def _is_constant(node: Node, known: dict[Node, Any]) -> bool:
    inputs = [leaf for leaf in tree_flatten((node.args, node.kwargs))[0] if isinstance(leaf, Node)]
    if any(leaf not in known for leaf in inputs) or "_assert" in str(node.target):
        return False
    if "dequantize" in str(node.target) and inputs:
        words = known[inputs[0]]
        return not (isinstance(words, Tensor) and words.dtype in (torch.int8, torch.uint8))
    return inputs != [] or isinstance(node.target, torch._ops.OpOverload)


def constant(graph: GraphModule, node: Node) -> Any:
    """The value of a `get_attr` node."""
    value: Any = graph
    for part in str(node.target).split("."):
        value = getattr(value, part)
    return value.detach() if isinstance(value, Tensor) else value


def _replace(graph: GraphModule, node: Node, value: Tensor) -> Node:
    """Put a constant in the place of `node`."""
    new = _attribute(graph, node, value)
    node.replace_all_uses_with(new)
    return new


def _attribute(graph: GraphModule, before: Node, value: Tensor) -> Node:
    number = sum(1 for name, _ in graph.named_buffers() if name.startswith("folded_"))
    graph.register_buffer(f"folded_{number}", value.detach().clone())
    with graph.graph.inserting_before(before):
        node = graph.graph.get_attr(f"folded_{number}")
    node.meta["val"] = value
    return node


def _fold_norm(graph: GraphModule, node: Node) -> None:
    """Fold one batch normalisation into the convolution before it, or put ours in its place."""
    x, weight, bias, mean, variance = node.args[:5]
    epsilon: float = node.args[-2] if node.target == _ATEN.batch_norm.default else node.args[-1]  # type: ignore[assignment]
    centre, spread = (constant(graph, n).double() for n in (mean, variance))  # type: ignore[arg-type]
    factor = (spread + epsilon).rsqrt()
    if isinstance(weight, Node):
        factor = factor * constant(graph, weight).double()
    offset = -centre * factor
    if isinstance(bias, Node):
        offset = offset + constant(graph, bias).double()
    assert isinstance(x, Node)
    out = _product_before(x)
    if out is not None:
        _into_weights(graph, out, factor=factor, offset=offset)
        new = x
    else:
        shape = [-1] + [1] * (x.meta["val"].ndim - 2)
        channels = [_attribute(graph, node, value.float().view(shape)) for value in (factor, offset)]
        with graph.graph.inserting_before(node):
            new = graph.graph.call_function(BATCH_NORM, (x, *channels))
        new.meta = {**node.meta, "val": x.meta["val"]}
    for user in list(node.users):  # the operation yields a tuple, or the tensor itself
        if user.target is operator.getitem:
            user.replace_all_uses_with(new)
    if node.target == _ATEN.batch_norm.default:
        node.replace_all_uses_with(new)


def _product_before(x: Node) -> Node | None:
    """The convolution whose output the normalisation alone reads, its weights constant; None where there is none."""
    weighted = x.target in _CONVOLUTIONS and isinstance(x.args[1], Node) and x.args[1].op == "get_attr"
    return x if weighted and len(x.users) == 1 else None


def _into_weights(graph: GraphModule, node: Node, *, factor: Tensor, offset: Tensor) -> None:
    """Convolution weights [n, ...] times factor [n], bias [n] times factor plus offset [n], computed in float64."""
    weight: Any = node.args[1]
    bias: Any = node.args[2] if len(node.args) > 2 else None
    value = constant(graph, weight)
    scaled = value.double() * factor.view(-1, *[1] * (value.ndim - 1))
    moved = offset if bias is None else constant(graph, bias).double() * factor + offset
    new = [_attribute(graph, node, tensor.float()) for tensor in (scaled, moved)]
    node.args = (node.args[0], *new, *node.args[3:])
