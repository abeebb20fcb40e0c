"""The site of every application of an operator: its name, from the modules that enclose its node, and its place.

A module that does one kind of operation lends it its name (`blocks.0.attn.qkv`); elsewhere the operator's name
follows the module's (`blocks.0.attn.matmul`). Sites that would share a name are numbered: `blocks.0.add#2`.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from torch.fx import GraphModule, Node

from radhard.machine import Operator, Site
from radhard.program.anatomy import Anatomy, overridden, place
from radhard.program.layers import Layer, Stack, layers
from radhard.program.moves import ALIASES, MOVES
from radhard.program.registry import is_registered, lowering_of

_BESIDE = {"quantize", "dequantize", "requantize", "load"}  # operators that serve the one that they stand beside


class Sites:
    """The sites of a graph; asked for in the order of its steps, as names are numbered."""

    def __init__(self, graph: GraphModule, anatomy: Anatomy) -> None:
        self._anatomy = anatomy
        self._names: Counter[str] = Counter()
        nodes = [node for node in graph.graph.nodes if _computes(node)]
        stacks = {node: stack_of(node) or _stack_of_users(node) for node in nodes}
        self._layers: dict[Node, Layer] = dict(zip(nodes, layers(list(stacks.values())), strict=True))
        self._kinds: defaultdict[str, set[str]] = defaultdict(set)
        for node in nodes:
            self._kinds[path_of(node)].add(node.target.overloadpacket.__name__)
        self._above = {path.rpartition(".")[0] for stack in stacks.values() for path, _ in stack}

    def site(self, node: Node, operator: Operator, suffix: str | None) -> Site:
        """The site of `operator`, applied for `node`; `suffix` names it where the module does not, as in a load."""
        stack = stack_of(node) or _stack_of_users(node)
        name = self._numbered(stack[-1][0] if stack else "", operator.name, suffix)
        known = _nearest(node)
        layer = self._layers.get(known) or Layer(name="stem", kind="stem", guessed=True)
        beside = _operator(known) if operator.name in _BESIDE else operator.name
        where = overridden(name, place(beside, stack, layer=layer), self._anatomy)
        return Site(name=name, operator=operator.name, layer=where.layer, module=where.module, guessed=where.guessed)

    def _numbered(self, path: str, operator: str, suffix: str | None) -> str:
        leaf = path != "" and path not in self._above and len(self._kinds[path]) <= 1
        name = path if leaf and operator not in _BESIDE else f"{path}.{operator}".lstrip(".")
        if suffix is not None and not leaf:
            name = f"{path}.{suffix}".lstrip(".")
        self._names[name] += 1
        return name if self._names[name] == 1 else f"{name}#{self._names[name]}"


def stack_of(node: Node) -> Stack:
    """The modules that enclose a node [(path, class)], outermost first; empty where the exporter kept none."""
    stack: Mapping[str, tuple[str, Any]] = node.meta.get("nn_module_stack") or {}
    return [(path, str(kind)) for path, kind in stack.values() if not path.startswith("_empty_nn_module_stack")]


def path_of(node: Node) -> str:
    """The path of the module that a node stands in; empty for the model itself."""
    stack = stack_of(node)
    return stack[-1][0] if stack else ""


def _stack_of_users(node: Node) -> Stack:
    """The modules that enclose the first user that the exporter knows: of a quantisation, which it does not."""
    users = list(node.users)
    while users:
        if stack := stack_of(users[0]):
            return stack
        users = [*users[1:], *users[0].users]
    return ()


def _computes(node: Node) -> bool:
    """Whether a node becomes an operator, rather than a move of data or words."""
    return is_registered(node.target) and node.target not in MOVES and node.target not in ALIASES


def _nearest(node: Node) -> Node:
    """`node` itself if it computes, else the first of its users that does, else the one that it comes from."""
    users = [node]
    while users:
        if _computes(users[0]):
            return users[0]
        users = [*users[1:], *users[0].users]
    while node.all_input_nodes and not _computes(node):
        node = node.all_input_nodes[0]
    return node


def _operator(node: Node) -> str:
    if not _computes(node):
        return ""
    return lowering_of(node, path_of(node))(*node.args, **node.kwargs).operator.name
