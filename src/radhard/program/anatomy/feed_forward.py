"""Finds MLPs and gates in the graph: linear layer, activation, linear layer.

Between the two may lie what works place by place: biases, norms, a gate (SwiGLU), and a depthwise convolution. A
convolution of 1 x 1 stands for a linear layer where the second brings back the channels that the first was given. With
a depthwise convolution between two such the whole is an inverted bottleneck of a CNN, unless an attention stands in the
same block. An MLP of means over the image whose result, squashed, scales the channels is a gate
(squeeze-and-excitation).
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass

from torch.fx import Node

from radhard.program.anatomy.flow import Flow, numel, shape

_STATISTICS = frozenset({"mean", "sum", "rsqrt", "sqrt", "reciprocal", "div", "power"})
_PASSED = frozenset({"", "add", "sub", "mul", "div"})
_SQUASHED = frozenset({"sigmoid", "hard_sigmoid", "clamp", "tanh"})
_POOLED = frozenset({"mean", "avg_pool2d", "adaptive_avg_pool2d", "sum"})


@dataclass(frozen=True, kw_only=True, eq=False)
class FeedForward:
    """Products `first` and `last` of an MLP, and what lies `between`; `depthwise`: a convolution among that."""

    first: Node
    last: Node
    between: frozenset[Node]
    convolutional: bool
    depthwise: bool

    def restores(self, flow: Flow) -> bool:
        """Whether it widens and brings back as many channels as it was given."""
        (into, wide), (_, out) = flow.channels(self.first), flow.channels(self.last)
        return into == out < wide


@dataclass(frozen=True, kw_only=True, eq=False)
class Gate:
    """Squeeze-and-excitation: its products, and the multiplication that they gate."""

    products: frozenset[Node]
    scale: Node


def feed_forwards(flow: Flow, *, apart: frozenset[Node]) -> list[FeedForward]:
    """Every MLP; what is of an attention is kept `apart`."""
    found = []
    for first in flow.nodes:
        if flow.pointwise(first) and first not in apart:
            ways, last = onward(flow, first, apart)
            for each in last:
                between = {way for way in ways if flow.depends(each, way)}
                activated = any(flow.activates(way) or _gated(flow, way, first) for way in between)
                if activated and flow.pointwise(each) and each not in apart:
                    found.append(
                        FeedForward(
                            first=first,
                            last=each,
                            between=frozenset(between),
                            convolutional="conv2d" in (flow.operator[first], flow.operator[each]),
                            depthwise=any(flow.depthwise(way) for way in between),
                        )
                    )
    return found


def _gated(flow: Flow, node: Node, first: Node) -> bool:
    """Whether a value is multiplied here by an activation of another product (SwiGLU with two linear layers)."""
    others = [up for up in flow.inputs[node] if up is not first and not flow.depends(up, first)]
    return flow.operator[node] == "mul" and any(
        flow.activates(flow.before(up)) or flow.operator[flow.before(up)] == "mul" for up in others
    )


def _passed(flow: Flow, node: Node) -> bool:
    """Whether it works place by place: arithmetic, an activation, a normalisation, a move."""
    return flow.operator[node] in _PASSED or flow.role[node] != ""


def onward(flow: Flow, first: Node, apart: Set[Node]) -> tuple[set[Node], list[Node]]:
    """What works place by place on the result of a product, and the products that read that."""
    ways: set[Node] = set()
    last: list[Node] = []
    todo = [first]
    while todo:
        node = todo.pop()
        for user in flow.users[node]:
            if user in ways or user in last or user in apart:
                continue
            if flow.is_product(user):
                last.append(user)
            elif (_passed(flow, user) or flow.depthwise(user)) and not _to_stream(flow, user, node, first):
                ways.add(user)
                todo.append(user)
    return ways, last


def _to_stream(flow: Flow, node: Node, way: Node, first: Node) -> bool:
    """Whether something is added here that was there before the first product: the residual stream."""
    if flow.operator[node] not in ("add", "sub"):
        return False
    return any(up is not way and not _place_by_place(flow, up, first) for up in flow.inputs[node])


def _place_by_place(flow: Flow, node: Node, first: Node) -> bool:
    """Whether a value is made of a product's result by nothing else than what works on each place alone."""
    seen: set[Node] = set()
    todo = [node]
    while todo:
        each = todo.pop()
        if each is first or each in seen:
            continue
        seen.add(each)
        if not flow.inputs[each] or not (_passed(flow, each) or flow.operator[each] == "mean"):
            return False
        todo += flow.inputs[each]
    return True


def gates(flow: Flow) -> Iterator[Gate]:
    """Every squeeze-and-excitation: a small map that scales one which it comes from, by way of products."""
    for node in flow.nodes:
        if flow.operator[node] != "mul" or len(flow.inputs[node]) != 2:
            continue
        for gate, scaled in (flow.inputs[node], flow.inputs[node][::-1]):
            if numel(gate) > numel(scaled):
                continue
            products: set[Node] = set()
            squashed, pooled, todo = False, False, [gate]
            seen: set[Node] = set()
            while todo:
                each = todo.pop()
                if each in seen:
                    continue
                seen.add(each)
                squashed |= flow.operator[each] in _SQUASHED and not products
                if flow.is_product(each):
                    products.add(each)
                elif flow.operator[each] in _POOLED:
                    pooled |= flow.depends(each, flow.source(scaled)) or flow.source(scaled) in flow.inputs[each]
                    continue
                elif not _passed(flow, each):
                    continue
                todo += flow.inputs[each]
            if products and squashed and pooled:
                yield Gate(products=frozenset(products), scale=node)


def normalisations(flow: Flow) -> set[Node]:
    """The elementwise parts of norms that are written out: what applies to a value a statistic of itself.

    The weight and bias that follow, one a channel, are of the norm.
    """
    found: set[Node] = set()
    for node in flow.nodes:
        if flow.operator[node] not in ("mul", "div", "add"):
            continue
        if len(flow.inputs[node]) == 2 and (flow.operator[node] != "add" or _subtracts(node)):
            for statistic, value in (flow.inputs[node], flow.inputs[node][::-1]):
                if numel(statistic) < numel(value) == numel(node) and _of_itself(flow, statistic, value):
                    found |= {node, *_parts(flow, statistic)}
        elif flow.before(flow.inputs[node][0]) in found and _a_channel(flow, node):
            found.add(node)
    return found


def _of_itself(flow: Flow, statistic: Node, value: Node) -> bool:
    """Whether a small value is a statistic of another, or of what that is made of, with no product between."""
    parts = _parts(flow, statistic)
    if not any(flow.operator[each] in ("mean", "sum") for each in parts):
        return False
    sources = {up for each in parts for up in flow.inputs[each] if up not in parts}
    mine = {
        value,
        flow.source(value),
        *flow.inputs[value],
        *(up for one in flow.inputs[value] for up in flow.inputs[one]),
    }
    return bool(mine & (sources | parts))


def _parts(flow: Flow, statistic: Node) -> set[Node]:
    """The operations that a statistic is computed by, back to the reduction and what it squares."""
    found: set[Node] = set()
    todo = [(statistic, False)]
    while todo:
        node, reduced = todo.pop()
        operator = flow.operator[node]
        if node in found or operator not in _STATISTICS | {"", "add", "mul", "clamp"}:
            continue
        if reduced and operator not in ("", "mul", "power") and not _subtracts(node):
            continue
        found.add(node)
        if reduced and _subtracts(node):
            continue
        todo += [(up, reduced or operator in ("mean", "sum")) for up in flow.inputs[node]]
    return found


def _subtracts(node: Node) -> bool:
    """Whether it is a difference, which is lowered to an addition."""
    return "sub" in str(node.target)


def _a_channel(flow: Flow, node: Node) -> bool:
    """Whether the constant operand of an elementwise operation is no number: a weight or a bias."""
    return any(isinstance(leaf, Node) and shape(leaf) != () for leaf in node.args if leaf not in flow.inputs)
