"""Running a prepared graph in float64, so that what its observers see is the same on every processor.

Float kernels differ between processors in the last bits of float32. Computed in float64 and then rounded to float32, a
value differs about once in a hundred million: observers find the same scales.
"""

from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node
from torch.utils._pytree import tree_map


class Doubled(Interpreter):
    """Runs a graph with every float32 tensor as float64; its observers see float32."""

    def __init__(self, graph: GraphModule) -> None:
        super().__init__(graph)

    def run_node(self, n: Node) -> Any:
        """One node, its inputs doubled; what a graph asserts of the types of its own tensors does not hold here."""
        if n.target is torch.ops.aten._assert_tensor_metadata.default:
            return None
        if n.op == "call_module":
            (x,), _ = self.fetch_args_kwargs_from_env(n)
            self.submodules[n.target](x.to(torch.float32) if isinstance(x, Tensor) else x)
            return x
        out = super().run_node(n)
        return tree_map(_doubled, out)


def _doubled(value: Any) -> Any:
    return value.to(torch.float64) if isinstance(value, Tensor) and value.dtype == torch.float32 else value
