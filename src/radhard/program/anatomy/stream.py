"""Finds the residual stream of a model in the graph: the branches that are added to it.

A residual addition adds to a value what products made of it. The branch between is a unit: an attention, an MLP, the
convolutions of a residual block. Units are put together into blocks: an attention opens one, and what follows it
belongs to it, up to the next attention; without attention the units repeat, and each repetition is a block.
An attention or an MLP that nothing is added to is a unit, too, in a model without residual additions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch.fx import Node

from radhard.program.anatomy.attention import Attention
from radhard.program.anatomy.feed_forward import FeedForward
from radhard.program.anatomy.flow import PRODUCTS, Flow, numel

_SCALES = frozenset({"mul", "div"})


@dataclass(frozen=True, kw_only=True, eq=False)
class StreamUnit:
    """`branch`: what is computed between the stream and its addition, or the whole where nothing is added to it.

    `start` is the stream before; `ends` are the additions, of the stream itself where `identity` says so and not of a
    product of it; `scales` what scales a branch as a whole.
    """

    start: Node | None
    branch: frozenset[Node]
    ends: tuple[Node, ...]
    scales: frozenset[Node]
    attends: bool
    identity: bool = False

    @property
    def nodes(self) -> frozenset[Node]:
        """The branch and the additions."""
        return self.branch | set(self.ends) | self.scales


def units(flow: Flow, attentions: Sequence[Attention], mlps: Sequence[FeedForward]) -> list[StreamUnit]:
    """The units of a graph, in order."""
    apart = {node for attention in attentions for node in attention.inside}
    cores = {node for attention in attentions for node in attention.values}
    found = [unit for node in flow.nodes if node not in apart and (unit := _unit(flow, node, cores)) is not None]
    found = [unit for unit in found if not _holds_several(flow, unit, found) and not _is_part(unit, found)]
    known = {node for unit in found for node in unit.nodes}
    alone = [attention for attention in attentions if not attention.values & known]
    found += [_alone(attention.nodes, attends=True) for attention in alone]
    if not any(unit.ends for unit in found):
        taken = {node for attention in attentions for node in attention.nodes}
        rest = [one for one in mlps if not {one.first, one.last} & taken and not one.convolutional]
        found += [_alone({one.first, one.last, *one.between}, attends=False) for one in rest] if alone else []
    return sorted(found, key=lambda unit: max(flow.number[node] for node in unit.nodes))


def _alone(nodes: Iterable[Node], *, attends: bool) -> StreamUnit:
    return StreamUnit(start=None, branch=frozenset(nodes), ends=(), scales=frozenset(), attends=attends)


def _unit(flow: Flow, node: Node, cores: set[Node]) -> StreamUnit | None:
    """The unit that ends at an addition, if that is a residual one and not part of a longer sum."""
    if not _is_sum(flow, node) or _continues(flow, node):
        return None
    ends, terms = _terms(flow, node)
    for start in _starts(flow, terms):
        rest = [term for term in terms if flow.before(_unscaled(flow, term)) is not start]
        branch: set[Node] = set()
        for term in rest:
            branch |= {term, *flow.between(start, term)} if flow.depends(term, start) else set()
        if any(_mixes(flow, each) for each in branch):
            scales = {each for term in terms for each in _scaling(flow, term, stop=start)}
            scales |= {each for each in branch if _scales_first(flow, each, start)}
            return StreamUnit(
                start=start,
                branch=frozenset(branch - set(ends) - scales),
                ends=tuple(ends),
                scales=frozenset(scales),
                attends=bool(branch & cores),
                identity=any(flow.before(_unscaled(flow, term)) is start for term in terms),
            )
    return None


def _mixes(flow: Flow, node: Node) -> bool:
    """Whether it makes something of channels or places: a product, or a mean over windows."""
    return flow.operator[node] in PRODUCTS | {"avg_pool2d"}


def _scales_first(flow: Flow, node: Node, start: Node) -> bool:
    """Whether it multiplies by a number what enters a branch, behind its norm perhaps."""
    if flow.operator[node] != "mul" or any(isinstance(leaf, Node) and leaf not in flow.inputs for leaf in node.args):
        return False
    if len(flow.inputs[node]) != 1:
        return False
    entered = flow.before(flow.inputs[node][0])
    if flow.normalises(entered):
        entered = flow.before(flow.inputs[entered][0])
    return entered is start


def _is_sum(flow: Flow, node: Node) -> bool:
    read = flow.inputs[node]
    return flow.operator[node] == "add" and len(read) == 2 and {numel(up) for up in read} == {numel(node)}


def _continues(flow: Flow, node: Node) -> bool:
    """Whether a sum is only a term of another one."""
    users = flow.users[node]
    return len(users) == 1 and _is_sum(flow, users[0])


def _terms(flow: Flow, node: Node) -> tuple[list[Node], list[Node]]:
    """The additions of a sum, and what they add."""
    ends, terms = [node], list[Node]()
    for up in flow.inputs[node]:
        if _is_sum(flow, up) and len(flow.users[up]) == 1:
            more, others = _terms(flow, up)
            ends, terms = [*more, *ends], [*terms, *others]
        else:
            terms.append(up)
    return ends, terms


def _starts(flow: Flow, terms: Sequence[Node]) -> list[Node]:
    """What may be the stream before a sum: a term that others come from, or what a shortcut of one product leads to."""
    own = [flow.before(_unscaled(flow, term)) for term in terms]
    found = [one for one in own if any(flow.depends(term, one) for term in terms)]
    if found:
        return sorted(found, key=flow.number.__getitem__)
    for term in terms:
        node = flow.before(term)
        while (flow.normalises(node) or flow.operator[node] == "avg_pool2d") and flow.inputs[node]:
            node = flow.before(flow.inputs[node][0])
        if flow.is_product(node):
            start = flow.before(flow.inputs[node][0])
            while flow.operator[start] in ("avg_pool2d", "relu") and flow.inputs[start]:
                if all(flow.depends(other, start) for other in terms):
                    break
                start = flow.before(flow.inputs[start][0])
            if all(flow.depends(other, start) for other in terms):
                found.append(start)
    return found


def _unscaled(flow: Flow, term: Node) -> Node:
    """A term without the constant that scales it."""
    node = flow.before(term)
    while flow.operator[node] in _SCALES and len(flow.inputs[node]) == 1:
        node = flow.before(flow.inputs[node][0])
    return node


def _scaling(flow: Flow, term: Node, *, stop: Node) -> list[Node]:
    """The multiplications by constants at the end of a term: layer scale, branch scale."""
    found = []
    node = flow.before(term)
    while node is not stop and flow.operator[node] in _SCALES and len(flow.inputs[node]) == 1:
        found.append(node)
        node = flow.before(flow.inputs[node][0])
    return found


def _holds_several(flow: Flow, unit: StreamUnit, found: Sequence[StreamUnit]) -> bool:
    """Whether two or more other units lie one after another on its branch: a skip over whole blocks."""
    inner = [each for each in found if each is not unit and set(each.ends) <= unit.branch]
    return any(flow.depends(b.ends[-1], a.ends[-1]) for a in inner for b in inner if a is not b)


def _is_part(unit: StreamUnit, found: Sequence[StreamUnit]) -> bool:
    """Whether it lies on the branch of another one, which is none that holds several."""
    outer = [each for each in found if each is not unit and set(unit.ends) <= each.branch]
    return any(sum(set(each.ends) <= one.branch for each in found) == 1 for one in outer)


def grouped(flow: Flow, found: Sequence[StreamUnit], paths: Sequence[str]) -> list[list[StreamUnit]]:
    """Units in order, and the module that adds each to the stream -> the blocks that they are put together into.

    A module that adds several is a block, unless it adds all of them.
    """
    adding = [path for path in paths if path and 1 < paths.count(path) < len(paths)]
    if adding:
        by_path: list[list[StreamUnit]] = []
        last = ""
        for unit, path in zip(found, paths, strict=True):
            if by_path and path == last and path in adding:
                by_path[-1].append(unit)
            else:
                by_path.append([unit])
            last = path
        return by_path
    if not any(unit.attends for unit in found):
        return _repeated(flow, found)
    groups: list[list[StreamUnit]] = []
    for unit in found:
        if unit.attends or not groups or not any(each.attends for each in groups[-1]):
            groups.append([unit])
        else:
            groups[-1].append(unit)
    return groups


def _repeated(flow: Flow, found: Sequence[StreamUnit]) -> list[list[StreamUnit]]:
    """Units without attention: the shortest period in which their operations repeat, each a block."""
    signs = [signature(flow, unit) for unit in found]
    for period in range(1, len(signs) // 2 + 1):
        if len(signs) % period == 0 and all(signs[k] == signs[k - period] for k in range(period, len(signs))):
            return [list(found[k : k + period]) for k in range(0, len(found), period)]
    return [[unit] for unit in found]


def signature(flow: Flow, unit: StreamUnit) -> tuple[str, ...]:
    """The operations of a unit, in order, and where its values are laid out otherwise between them (token mixing)."""
    branch = sorted(unit.branch, key=flow.number.__getitem__)
    return tuple(
        flow.operator[node] or "transposed"
        for node in branch
        if flow.operator[node] or (_transposes(node) and flow.before(node) is not unit.start)
    )


def _transposes(node: Node) -> bool:
    return any(name in str(node.target) for name in ("transpose", "permute"))


def additions_to_constants(flow: Flow, attentions: Sequence[Attention]) -> set[Node]:
    """Where the result of an attention is added to learned tokens, one set an image, and what scales it before."""
    made = {node for attention in attentions for node in (attention.outputs or attention.values)}
    found: set[Node] = set()
    for node in flow.nodes:
        if flow.operator[node] == "add" and len(flow.inputs[node]) == 1:
            others = [leaf for leaf in node.args if isinstance(leaf, Node) and leaf not in flow.inputs]
            of_batch = [leaf for leaf in others if leaf.op == "call_function" and numel(leaf) == numel(node)]
            term = flow.inputs[node][0]
            if of_batch and _unscaled(flow, term) in made:
                found |= {node, *_scaling(flow, term, stop=node)}
    return found
