"""Detects side effects of a module's forward: random numbers drawn, buffers changed."""

import torch
from torch.export import ExportedProgram
from torch.fx import Graph, GraphModule, Node
from torch.utils._pytree import tree_flatten

from radhard.errors import CaptureError
from radhard.program.capture.user_code import place_of_node
from radhard.program.lowering.moves import DROPOUT

_COPY = torch.ops.aten.copy_.default
_ASSERTIONS = ("aten._assert_async", "aten._assert_scalar")


def check_autocast(exported: ExportedProgram, *, name: str) -> None:
    """Raise CaptureError for a part of forward that autocast computes in another format, naming the line."""
    for node in exported.graph.nodes:
        if node.target is not torch.ops.higher_order.wrap_with_autocast:
            continue
        device, dtype, enabled, _, part, *_ = node.args
        if enabled and device == "cpu" and dtype != torch.float32:
            inside = getattr(exported.graph_module, part.target).graph.nodes
            place = next((found for one in inside if (found := place_of_node(one))), "")
            raise CaptureError(
                f"{name} computes in {str(dtype).removeprefix('torch.')} under autocast, and operators compute in "
                f"float32: leave out autocast in forward, or give it enabled=False{place}"
            )


def check_random(graph: Graph, *, name: str) -> None:
    """Raise CaptureError for an operation that draws random numbers, naming the line; dropout at rest is none."""
    for node in graph.nodes:
        drawn = isinstance(node.target, torch._ops.OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags
        if drawn and node.target is not DROPOUT:
            raise CaptureError(
                f"{name} draws random numbers ({node.target}{place_of_node(node)}), so that no answer is the model's: "
                "give a forward that draws none in eval mode, such as dropout with training=self.training"
            )


def without_state(exported: ExportedProgram, *, name: str) -> GraphModule:
    """The program's graph without the buffers that it changes and the assertions that it makes of its images.

    CaptureError if its output depends on a buffer that it changes.
    """
    signature = exported.graph_signature
    changed = set((getattr(signature, "buffers_to_mutate", None) or {}).values())
    changed |= set((getattr(signature, "parameters_to_mutate", None) or {}).values())
    if changed:
        placed = {**signature.inputs_to_buffers, **signature.inputs_to_parameters}
        outputs = set(signature.user_outputs)
        for node in exported.graph.nodes:
            if node.op == "placeholder" and placed.get(node.name) in changed and _reaches(node, outputs):
                raise CaptureError(
                    f"{name} changes {placed[node.name]} in forward and reads it for its answer, which so depends on "
                    "the images before: give a forward that changes nothing in eval mode"
                )
    graph: GraphModule = exported.module()
    for node in list(graph.graph.nodes):
        written = node.target is _COPY and not _from_placeholder(node.args[0])
        if not node.users and (written or str(node.target).startswith(_ASSERTIONS)):
            graph.graph.erase_node(node)
    return graph


def _reaches(start: Node, outputs: set[str]) -> bool:
    """Whether an output of the user's depends on what `start` holds."""
    reached, waiting = {start}, [start]
    while waiting:
        node = waiting.pop()
        if node.name in outputs:
            return True
        for user in node.users:
            if user not in reached and user.op != "output":
                reached.add(user)
                waiting.append(user)
    return False


def _from_placeholder(value: object) -> bool:
    return any(isinstance(leaf, Node) and leaf.op == "placeholder" for leaf in tree_flatten(value)[0])
