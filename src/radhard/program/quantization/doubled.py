"""Runs a prepared graph in float64, so that its observers see the same values on every processor.

Float kernels differ between processors in the last bits of float32. Computed in float64 and then rounded to float32, a
value differs about once in a hundred million: observers find the same scales. So do they on a GPU, on which a large
model is calibrated in seconds.
"""

from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node
from torch.utils._pytree import tree_map


class Doubled(Interpreter):
    """Runs a graph on `device` with every float32 tensor as float64; its observers see float32.

    It moves the graph there. Histograms stay on the CPU, and are shown their values there: which bin a value on an edge
    falls into is a device's own.
    """

    def __init__(self, graph: GraphModule, *, device: torch.device) -> None:
        super().__init__(graph.to(device))
        self._device = device
        for observer in self.submodules.values():
            if hasattr(observer, "histogram"):
                observer.cpu()

    def fetch_args_kwargs_from_env(self, n: Node) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What a node takes; where its graph was exported on another device, on this one."""
        taken: tuple[tuple[Any, ...], dict[str, Any]] = tree_map(
            lambda leaf: self._device if isinstance(leaf, torch.device) else leaf,
            super().fetch_args_kwargs_from_env(n),
        )
        return taken

    def run_node(self, n: Node) -> Any:
        """One node, its inputs doubled; what a graph asserts of the types of its own tensors does not hold here."""
        if n.target is torch.ops.aten._assert_tensor_metadata.default:
            return None
        if n.op == "call_module":
            (x,), _ = self.fetch_args_kwargs_from_env(n)
            observer = self.submodules[n.target]
            seen = x.to(torch.float32) if isinstance(x, Tensor) else x
            observer(seen.cpu() if hasattr(observer, "histogram") and isinstance(seen, Tensor) else seen)
            return x
        out = super().run_node(n)
        return tree_map(_doubled, out)


def _doubled(value: Any) -> Any:
    return value.to(torch.float64) if isinstance(value, Tensor) and value.dtype == torch.float32 else value
