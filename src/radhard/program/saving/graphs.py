"""What an exported graph says, as a text: two graphs with one text are quantised alike."""

import hashlib
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.utils._pytree import tree_map

from radhard.program.capture.fold import constant
from radhard.program.lowering.sites import path_of
from radhard.program.saving.errors import UnsavableError


def graph_text(graph: GraphModule) -> str:
    """A line for each node: its operation, arguments, module, shape, and the bytes of a constant.

    UnsavableError for a graph with an operation or a constant that has no text.
    """
    return "\n".join(_line(graph, node) for node in graph.graph.nodes)


def _line(graph: GraphModule, node: Node) -> str:
    target = node.target
    if not isinstance(target, str | torch._ops.OpOverload) and not hasattr(target, "__qualname__"):
        raise UnsavableError(f"the exported graph calls {target}")
    name = target if isinstance(target, str) else getattr(target, "__qualname__", str(target))
    if isinstance(target, torch._ops.OpOverload):
        name = str(target)
    known = _content(constant(graph, node)) if node.op == "get_attr" else ""
    arguments = tree_map(_argument, (node.args, dict(node.kwargs)))
    value = tree_map(_shape, node.meta.get("val"))
    return f"{node.op} {node.name} {name} {arguments} {path_of(node)} {value} {known}"


def _argument(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _content(value)
    if isinstance(value, float):
        return value.hex()
    return f"%{value.name}" if isinstance(value, Node) else value


def _shape(value: Any) -> Any:
    """A tensor's type, sizes and strides; a size that follows the batch is written as *."""
    if isinstance(value, Tensor):
        sizes = [size if isinstance(size, int) else "*" for size in value.shape]
        return f"{value.dtype}{sizes}"
    return type(value).__name__ if isinstance(value, torch.SymInt) else value


def _content(value: Any) -> str:
    if not isinstance(value, Tensor):
        raise UnsavableError(f"the exported graph holds a {type(value).__name__}")
    content = value.detach().contiguous().flatten().view(torch.uint8).numpy().data
    return f"{value.dtype}{list(value.shape)}{hashlib.sha256(content).hexdigest()}"
