"""Finds the first non-finite value in a float graph."""

from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

from radhard.program.lowering.sites import path_of


class _NonFiniteError(Exception):
    """What is looked for: the node."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.name)
        self.node = node


class _Watch(Interpreter):
    """Runs a graph up to the first operation whose result is not finite, of finite operands."""

    def run_node(self, n: Node) -> Any:
        """The node's value. Raises _NonFiniteError."""
        value = super().run_node(n)
        if n.op == "call_function" and isinstance(value, Tensor) and value.is_floating_point():
            operands = [self.env[each] for each in n.all_input_nodes if isinstance(self.env.get(each), Tensor)]
            if not value.isfinite().all() and all(bool(x.isfinite().all()) for x in operands):
                raise _NonFiniteError(n)
        return value


def first_non_finite(graph: GraphModule, images: Tensor) -> str | None:
    """The module and the operator that yield the first NaN or infinite values from finite ones; None if none do."""
    try:
        with torch.no_grad():
            _Watch(graph, garbage_collect_values=False).run(images)
    except _NonFiniteError as found:
        return f"{path_of(found.node) or 'the model'} ({getattr(found.node.target, '__name__', found.node.target)})"
    return None
