"""Folds constants: operations without an image input, and batch normalisations.

A batch normalisation that follows a convolution becomes part of its weights and bias, before quantisation. Any other
one becomes one multiplication and one addition a channel: `radhard::batch_norm`, an operation of our own.
"""

import operator
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.utils._pytree import tree_flatten, tree_map

from radhard.operators.batch_norm import BATCH_NORM

_ATEN = torch.ops.aten
_CONVOLUTIONS = {_ATEN.conv2d.default, _ATEN.conv2d.padding}


_NORM_OF_IMAGES = _ATEN._native_batch_norm_legit.no_stats
_NORM = _ATEN._native_batch_norm_legit_no_training.default


def fold(graph: GraphModule) -> GraphModule:
    """`graph` itself, changed in place: constants computed, batch normalisations folded."""
    with torch.no_grad():
        fold_constants(graph)
        for node in list(graph.graph.nodes):
            if node.target is _NORM:
                _fold_norm(graph, node)
            elif node.target is _NORM_OF_IMAGES:
                _norm_of_images(graph, node)
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
    for node, value in known.items():
        if node.op != "get_attr" and isinstance(value, Tensor) and any(user not in known for user in node.users):
            node.replace_all_uses_with(_attribute(graph, node, value))
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


def _attribute(graph: GraphModule, before: Node, value: Tensor) -> Node:
    number = sum(1 for name, _ in graph.named_buffers() if name.startswith("folded_"))
    graph.register_buffer(f"folded_{number}", value.detach().clone())
    with graph.graph.inserting_before(before):
        node = graph.graph.get_attr(f"folded_{number}")
    node.meta["val"] = value
    return node


def _fold_norm(graph: GraphModule, node: Node) -> None:
    """Fold one batch normalisation into the convolution before it, or put ours in its place."""
    x, weight, bias, mean, variance, _, epsilon = node.args
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
    _take_place(node, new)


def _norm_of_images(graph: GraphModule, node: Node) -> None:
    """Instance normalisation, exported as a batch of one image with all channels of all images: one row a channel.

    Left as it is, hence refused by name, where it is of several images, which then depend on each other.
    """
    x, weight, bias, _, _, epsilon = node.args
    assert isinstance(x, Node)
    shape = x.meta["val"].shape
    if shape[0] != 1:
        return
    channels = [1, -1, *(1 for _ in shape[2:])]

    def call(op: Any, *arguments: Any, like: Tensor) -> Node:
        with graph.graph.inserting_before(node):
            added = graph.graph.call_function(op, arguments)
        added.meta = {**node.meta, "val": like}
        return added

    value = x.meta["val"]
    new = call(_ATEN.layer_norm.default, x, list(shape[2:]), None, None, epsilon, like=value)
    for op, parameter in ((_ATEN.mul.Tensor, weight), (_ATEN.add.Tensor, bias)):
        if isinstance(parameter, Node):
            each = call(_ATEN.view.default, parameter, channels, like=parameter.meta["val"].view(channels))
            new = call(op, new, each, like=value)
    _take_place(node, new)


def _take_place(node: Node, new: Node) -> None:
    """Use `new` where the first of what `node` yields is used."""
    for user in list(node.users):
        if user.target is operator.getitem:
            user.replace_all_uses_with(new)


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
