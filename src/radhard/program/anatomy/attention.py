"""Finds attention in the graph: two products of activations with a softmax between them.

The first is QK^T, the second AV. Between them only what keeps scores scores is passed: scales, biases and masks, the
mixing of heads before or after the softmax (talking heads, re-attention). The products that Q, K and V come from are
the projections, through views, splits, scales, rotations and norms; the product that takes AV's result away is the
output projection. What lies within is of the attention, and so is a convolution that queries, keys or values alone go
through.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from torch.fx import Node

from radhard.program.anatomy.flow import Flow, numel, shape

_ALONG = frozenset({"", "relu", "add", "sub", "mul", "div", "clamp", "tanh"})
_MOST_HEADS = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Attention:
    """`scores` (QK^T, several where they are added), `softmax`, `values` (AV) and `inside`: all from Q, K, V on.

    `projections` make Q, K and V or take part in between; `outputs` take the result away; `shrinking` are products that
    queries, keys or values alone pass before their projection.
    """

    scores: frozenset[Node]
    softmax: Node
    values: frozenset[Node]
    inside: frozenset[Node]
    projections: frozenset[Node]
    outputs: frozenset[Node]
    shrinking: frozenset[Node] = field(default_factory=frozenset)

    @property
    def nodes(self) -> frozenset[Node]:
        """All of its operations."""
        return self.inside | self.projections | self.outputs | self.shrinking


def attentions(flow: Flow) -> list[Attention]:
    """Every attention of a graph, in order."""
    return [found for softmax in flow.nodes if _is_softmax(flow, softmax) for found in _around(flow, softmax)]


def _is_softmax(flow: Flow, node: Node) -> bool:
    """Whether it is a softmax: the operator, or an exponential that is divided by a sum of itself."""
    if flow.operator[node] == "softmax":
        return True
    if flow.operator[node] != "exp":
        return False
    if any(flow.operator[up] == "log" for up in _near(flow, node)):
        return True  # of logarithms, from a log-softmax
    divided = [each for each in _onward(flow, node) if flow.operator[each] in ("div", "mul")]
    return any(flow.operator[up] == "sum" and flow.depends(up, node) for each in divided for up in _near(flow, each))


def _near(flow: Flow, node: Node) -> set[Node]:
    """What a node reads, three operations back."""
    found, edge = set(), {node}
    for _ in range(6):
        edge = {up for each in edge for up in flow.inputs[each]}
        found |= edge
    return found


def _onward(flow: Flow, node: Node) -> Iterator[Node]:
    for each in flow.after(node):
        yield each
        yield from flow.after(each)


def _around(flow: Flow, softmax: Node) -> Iterator[Attention]:
    """The attention of a softmax, if it stands between two products of activations."""
    before, scores, tokens = _scores(flow, softmax)
    after, values = _values(flow, softmax, tokens) if scores else (set(), set())
    if not values:
        return
    core = {softmax} | before | after | scores | values
    operands = [
        *(_reads(flow, scores, index) for index in (0, 1)),
        [up for each in values for up in flow.inputs[each] if up not in core],
    ]
    inside, projections, tags = _within(flow, core, operands)
    ways, outputs = _outputs(flow, values, inside | projections)
    more, others, _ = _within(flow, inside | ways, [])
    projections |= others - outputs
    every = frozenset(number for number, read in enumerate(operands) if read)
    yield Attention(
        scores=frozenset(scores),
        softmax=softmax,
        values=frozenset(values),
        inside=frozenset(more),
        projections=frozenset(projections),
        outputs=frozenset(outputs),
        shrinking=frozenset(_shrinking(flow, more, projections, tags, every=every)),
    )


def _reads(flow: Flow, products: Iterable[Node], index: int) -> list[Node]:
    """The activations that products read as their first or second operand."""
    read = ((flow.factors(each) or each.args)[index] for each in products)
    return [each for each in read if isinstance(each, Node) and each in flow.inputs]


def _scores(flow: Flow, softmax: Node) -> tuple[set[Node], set[Node], tuple[int, ...]]:
    """What lies between QK^T and a softmax, QK^T itself, and its two axes of tokens (sizes)."""
    passed: set[Node] = set()
    mixing: list[Node] = []
    found: set[Node] = set()
    todo = list(flow.inputs[softmax])
    while todo:
        node = todo.pop()
        if node in passed or node in found:
            continue
        if flow.of_activations(node):
            found.add(node)
        elif flow.operator[node] in _ALONG or flow.normalises(node) or flow.operator[node] == "amax":
            passed.add(node)
            todo += [up for up in flow.inputs[node] if flow.operator[node] == "" or numel(up) == numel(node)]
        elif _square(flow, node):
            passed.add(node)
            mixing.append(node)
            todo.append(flow.inputs[node][0])
        elif flow.operator[node] == "matmul":
            found.add(node)  # of constant queries or keys, if they are scores at all
    scores = {each for each in found if flow.of_activations(each)}
    if not scores:
        scores = {each for each in found if _of_constant_queries(flow, each, softmax)}
    tokens = next((shape(each)[-2:] for each in flow.nodes if each in scores), ())
    if any(not _mixes_heads(flow, each, tokens) for each in mixing):
        return set(), set(), ()
    return (
        {each for each in passed if any(flow.depends(each, one) for one in scores)},
        found if scores else set(),
        tokens,
    )


def _of_constant_queries(flow: Flow, node: Node, softmax: Node) -> bool:
    """Whether a product of an activation and a constant is of learned queries: keys are the second operand."""
    constant = node.args[0] not in flow.inputs
    return constant and shape(node)[-1] in shape(softmax)


def _values(flow: Flow, softmax: Node, tokens: tuple[int, ...]) -> tuple[set[Node], set[Node]]:
    """What lies between a softmax and AV, and AV itself."""
    passed: set[Node] = set()
    found: set[Node] = set()
    todo = [(user, softmax) for user in flow.users[softmax]]
    while todo:
        node, up = todo.pop()
        if node in passed or node in found:
            continue
        same = numel(node) == numel(up)
        if flow.of_activations(node):
            found.add(node)
            continue
        sums = [each for each in flow.after(node) if flow.operator[each] == "sum" and flow.of_activations(each)]
        if flow.operator[node] == "mul" and len(flow.inputs[node]) == 2 and sums:
            found |= set(sums)
            continue
        if (
            flow.operator[node] == ""
            or (same and (flow.normalises(node) or flow.operator[node] in _ALONG))
            or (_square(flow, node) and _mixes_heads(flow, node, tokens))
        ):
            passed.add(node)
        elif flow.operator[node] == "sum" and flow.operator[softmax] == "exp":
            continue  # of the softmax itself
        else:
            continue
        todo += [(user, node) for user in flow.users[node]]
    return {each for each in passed if any(flow.depends(one, each) for one in found)}, found


def _square(flow: Flow, node: Node) -> bool:
    """Whether it is a product with weights that may mix heads: as many out as in, place by place."""
    if not flow.pointwise(node) or numel(node) != numel(flow.inputs[node][0]):
        return False
    heads, out = flow.channels(node)
    return heads == out <= _MOST_HEADS


def _mixes_heads(flow: Flow, node: Node, tokens: tuple[int, ...]) -> bool:
    """Whether what it reads are scores [..., heads, N, M] in some order of axes."""
    if len(tokens) < 2:
        return False
    heads, _ = flow.channels(node)
    read = shape(flow.inputs[node][0])
    return len(read) >= 3 and numel(node) % (heads * tokens[0] * tokens[1]) == 0 and _has(read, tokens, heads)


def _has(read: tuple[int, ...], tokens: tuple[int, ...], heads: int) -> bool:
    """Whether the axes but the heads' hold both axes of tokens, one by one or folded."""
    rest = list(read)
    rest.remove(heads)
    if all(rest.count(size) >= tokens.count(size) for size in tokens):
        return True
    return any(size % (tokens[0] * tokens[1]) == 0 for size in rest)


def _within(
    flow: Flow, core: set[Node], operands: list[list[Node]]
) -> tuple[set[Node], set[Node], dict[Node, frozenset[int]]]:
    """All that leads to `core` and to nothing else, back to products; these; and for which operands each serves."""
    inside, products = set(core), set()
    tags: dict[Node, frozenset[int]] = {}
    for number, read in enumerate(operands):
        for node in read:
            tags[node] = tags.get(node, frozenset()) | {number}
    for node in reversed(flow.nodes):
        users = [user for user in flow.users[node] if user in inside]
        if node in inside or not users:
            continue
        served = frozenset[int]().union(*(tags.get(user, frozenset()) for user in users if user not in core))
        tags[node] = tags.get(node, frozenset()) | served
        if flow.is_product(node) or node.op == "placeholder":
            products |= {node} if flow.is_product(node) else set()
        elif all(user in inside or flow.selects(user) for user in flow.users[node]):
            inside.add(node)
    return inside, products, tags


def _outputs(flow: Flow, values: set[Node], known: set[Node]) -> tuple[set[Node], set[Node]]:
    """What lies between AV and the products that take its result away, and these."""
    ways: set[Node] = set()
    found: set[Node] = set()
    todo = list(values)
    while todo:
        node = todo.pop()
        ways.add(node)
        for user in flow.users[node]:
            if flow.is_product(user):
                found.add(user)
            elif user not in ways and not flow.of_activations(user) and not _leaves(flow, user, node, known):
                todo.append(user)
    return {each for each in ways if any(flow.depends(one, each) for one in found)}, found


def _leaves(flow: Flow, node: Node, way: Node, known: set[Node]) -> bool:
    """Whether the result of an attention is added to something else than its own there: to the residual stream."""
    if flow.operator[node] in ("softmax", "mean", "sum", "avg_pool2d"):
        return True
    others = [up for up in flow.inputs[node] if up is not way]
    if not others or flow.operator[node] not in ("add", "sub", ""):
        return False
    return not all(up in known or any(flow.depends(up, one) for one in known) for up in others)


def _shrinking(
    flow: Flow, inside: set[Node], projections: set[Node], tags: dict[Node, frozenset[int]], *, every: frozenset[int]
) -> set[Node]:
    """The convolutions that queries, keys or values alone pass before their projection."""
    own = inside | projections
    served = {node: tags.get(node, frozenset()) for node in projections}
    within: set[Node] = set()
    found: set[Node] = set()
    for node in reversed(flow.nodes):
        users = flow.users[node]
        if node in own or not users or not any(user in projections or user in within for user in users):
            continue
        serves = frozenset[int]().union(*(served.get(user, every) for user in users))
        if not all(user in own or user in within for user in users) or not serves < every:
            continue
        served[node] = serves
        if flow.is_product(node) or flow.depthwise(node):
            found.add(node)
        if not flow.is_product(node):
            within.add(node)
    return found
