"""Module categories that follow from the graph: attention, MLPs, gates, norms and residuals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch.fx import Node

from radhard.program.anatomy.attention import Attention
from radhard.program.anatomy.feed_forward import FeedForward, gates, normalisations, onward
from radhard.program.anatomy.flow import LINEAR, PRODUCTS, Flow
from radhard.program.anatomy.layers import Layer
from radhard.program.anatomy.stream import StreamUnit, additions_to_constants


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The category that the graph says, if it says one; a name decides against it unless it is `strong`.

    `attends`: the layer holds an attention. `of_activations`: a matrix product of two of these. `shared`: one product
    for an attention and an MLP.
    """

    module: str | None = None
    strong: bool = False
    attends: bool = False
    of_activations: bool = False
    shared: bool = False


def claims(
    flow: Flow,
    layers: Mapping[Node, Layer],
    *,
    attentions: Sequence[Attention],
    mlps: Sequence[FeedForward],
    units: Sequence[StreamUnit],
) -> dict[Node, Claim]:
    """What the graph says of every operation that has a layer."""
    strong: dict[Node, str] = {}
    weak: dict[Node, str] = {}
    for unit in units:
        claimed = strong if unit.identity else weak
        claimed |= dict.fromkeys((*unit.ends, *unit.scales), "Residual")
    for node in additions_to_constants(flow, attentions):
        strong[node] = "Residual"
    attending = {layers[node].name for one in attentions for node in one.values if node in layers}
    branches = [unit.branch for unit in units]
    gated = list(gates(flow))
    of_gates = {node for gate in gated for node in gate.products}
    for mlp in mlps:
        if not {mlp.first, mlp.last} & of_gates and _is_of_a_block(
            flow, mlp, layers, branches=branches, attending=attending
        ):
            strong |= {mlp.first: "FF-LF", mlp.last: "FF-LF"}
            _between(flow, mlp, strong, weak)
    for gate in gated:
        strong |= dict.fromkeys((*gate.products, gate.scale), "FC")
    shared: set[Node] = set()
    for attention in attentions:
        both, last = _shared(flow, attention)
        shared |= both
        strong |= dict.fromkeys(last, "FF-LF")
        for node in attention.nodes:
            if flow.operator[node] in LINEAR:
                (weak if flow.depthwise(node) else strong)[node] = "MHA-LF"
    found = {node: Claim(module=module) for node, module in weak.items()}
    found |= {node: Claim(module=module, strong=True) for node, module in strong.items()}
    written = (node for node in normalisations(flow) if strong.get(node) != "Residual")
    found |= {node: Claim(module="NLF") for node in written}
    return {
        node: replace(
            found.get(node, Claim()),
            attends=layer.name in attending,
            shared=node in shared,
            of_activations=node in flow.inputs and flow.of_activations(node),
        )
        for node, layer in layers.items()
    }


def _is_of_a_block(
    flow: Flow,
    mlp: FeedForward,
    layers: Mapping[Node, Layer],
    *,
    branches: Sequence[frozenset[Node]],
    attending: set[str],
) -> bool:
    """Whether it is an MLP of one block; of convolutions, such as on a branch stands for linear layers."""
    first, last = layers.get(mlp.first), layers.get(mlp.last)
    if first is None or last is None or first.name != last.name or first.kind != "block" or first.source == "guess":
        return False
    if not mlp.convolutional:
        return True
    on_a_branch = any({mlp.first, mlp.last} <= branch for branch in branches)
    return on_a_branch and mlp.restores(flow) and (not mlp.depthwise or first.name in attending)


def _shared(flow: Flow, attention: Attention) -> tuple[set[Node], set[Node]]:
    """The projections that make an MLP's hidden values, too, or take them away, and products that only do that."""
    shared: set[Node] = set()
    last: set[Node] = set()
    meeting = {each for each in attention.inside if flow.operator[each] and _depends(flow, each, attention.values)}
    for node in attention.projections:
        ways, ends = onward(flow, node, meeting)
        for end in ends:
            if any(flow.activates(way) and flow.depends(end, way) for way in ways):
                shared |= {node, end} & attention.nodes
                last |= {end} - attention.nodes
    return shared, last


def _depends(flow: Flow, node: Node, on: Iterable[Node]) -> bool:
    return any(flow.depends(node, each) for each in on)


def _between(flow: Flow, mlp: FeedForward, strong: dict[Node, str], weak: dict[Node, str]) -> None:
    """What is elementwise between the two: a gate and biases are of the MLP, parts of an activation are not linear."""
    curved = any(flow.operator[node] in _CURVES for node in mlp.between)
    for node in mlp.between:
        if flow.operator[node] not in ("add", "sub", "mul"):
            continue
        sources = {flow.source(up) for up in flow.inputs[node]}
        if flow.operator[node] == "mul" and len(flow.inputs[node]) == 2 and not _of_one(flow, node, mlp.first):
            strong[node] = "FF-LF"
        elif len(sources) == 2 or (curved and _by_a_number(flow, node)):
            strong[node] = "NLF"
        else:
            weak[node] = "FF-LF"


_CURVES = frozenset({"erf", "tanh", "sigmoid", "hard_sigmoid", "exp", "power", "relu", "clamp"})


def _by_a_number(flow: Flow, node: Node) -> bool:
    """Whether the operand that depends on no image is a number, and no weight or bias."""
    return not any(isinstance(leaf, Node) and leaf not in flow.inputs for leaf in node.args)


def _of_one(flow: Flow, node: Node, first: Node) -> bool:
    """Whether both operands of a product are made of one and the same value, as in x sigmoid(x), not of two halves."""
    ways = []
    for up in flow.inputs[node]:
        each = flow.source(up)
        while each is not first and len(flow.inputs[each]) == 1 and flow.operator[each] not in PRODUCTS | {""}:
            each = flow.source(flow.inputs[each][0])
        ways.append(each)
    return ways[0] is ways[1] or any(flow.depends(a, b) for a, b in (ways, ways[::-1]))
