"""Names the site of each application, from the modules that enclose its node.

A module that does one kind of operation lends it its name (`blocks.0.attn.qkv`); elsewhere the operator's name
follows the module's (`blocks.0.attn.matmul`). Sites that would share a name are numbered: `blocks.0.add#2`.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.utils._pytree import tree_flatten

from radhard.machine import Operator, Site
from radhard.operators.aten import is_registered, lowered
from radhard.program.anatomy.anatomy import BESIDE, Place, place
from radhard.program.anatomy.attention import attentions
from radhard.program.anatomy.claims import Claim, claims
from radhard.program.anatomy.feed_forward import feed_forwards
from radhard.program.anatomy.flow import Flow
from radhard.program.anatomy.layers import STEM, Layer, Stack
from radhard.program.anatomy.model_blocks import layers_of
from radhard.program.anatomy.overrides import Overrides
from radhard.program.anatomy.stream import units
from radhard.program.lowering.moves import ALIASES, MOVES


@dataclass(frozen=True, kw_only=True)
class _Named:
    """A site's node, and the site that it serves, for one that only moves a word between memory and arithmetic."""

    node: Node
    serves: Node | None


class Sites:
    """The sites of a graph; asked for in the order of its steps, as names are numbered."""

    def __init__(self, graph: GraphModule) -> None:
        self._graph = graph
        self._names: Counter[str] = Counter()
        nodes = [node for node in graph.graph.nodes if _computes(node)]
        self._stacks: dict[Node, Stack] = {node: stack_of(node) or _stack_of_users(node) for node in nodes}
        self._kinds: defaultdict[str, set[str]] = defaultdict(set)
        for node in nodes:
            self._kinds[path_of(node)].add(node.target.overloadpacket.__name__)
        self._above = {path.rpartition(".")[0] for stack in self._stacks.values() for path, _ in stack}
        self._known: dict[str, _Named] = {}

    def site(self, node: Node, operator: Operator, suffix: str | None) -> Site:
        """The site of `operator`, applied for `node`; `suffix` names it where the module does not, as in a load."""
        stack = stack_of(node) or _stack_of_users(node)
        name = self._numbered(stack[-1][0] if stack else "", operator.name, suffix)
        self._known[name] = _Named(node=node, serves=_nearest(node) if operator.name in BESIDE else None)
        return Site(name=name, operator=operator.name)

    def places(self, overrides: Overrides, *, known: Mapping[str, Place]) -> dict[str, Place]:
        """The place of every site that was asked for: the user's, the one that is `known`, or what is found.

        A site that serves another stands where that does. InputError for a pattern of the user's that matches none.
        """
        mine = {named.node: name for name, named in self._known.items() if named.serves is None}
        found: dict[str, Place] = {}
        for name, named in self._known.items():
            if named.serves is None:
                found[name] = overrides.applied(name, known.get(name) or self._found(named.node))
        for name, named in self._known.items():
            if named.serves is not None:
                beside = found.get(mine.get(named.serves, "")) or known.get(name) or self._found(named.serves)
                found[name] = overrides.applied(name, beside)
        overrides.check(tuple(found))
        return found

    def _found(self, node: Node) -> Place:
        layer = self._layers.get(node) or Layer(name=STEM.name, kind="stem", source="guess")
        operator = lowered(node, path_of(node)).operator.name if _computes(node) else ""
        return place(operator, self._stacks.get(node, ()), layer=layer, claim=self._claims.get(node, Claim()))

    @cached_property
    def _analysis(self) -> tuple[dict[Node, Layer], dict[Node, Claim]]:
        flow = Flow(self._graph)
        heeded = attentions(flow)
        apart = frozenset(node for attention in heeded for node in attention.nodes)
        mlps = feed_forwards(flow, apart=apart)
        branches = units(flow, heeded, mlps)
        layers = layers_of(flow, self._stacks, branches)
        return layers, claims(flow, layers, attentions=heeded, mlps=mlps, units=branches)

    @property
    def _layers(self) -> dict[Node, Layer]:
        return self._analysis[0]

    @property
    def _claims(self) -> dict[Node, Claim]:
        return self._analysis[1]

    def _numbered(self, path: str, operator: str, suffix: str | None) -> str:
        leaf = path != "" and path not in self._above and len(self._kinds[path]) <= 1
        name = path if leaf and operator not in BESIDE else f"{path}.{operator}".lstrip(".")
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


def is_data(node: Node) -> bool:
    """Whether a node yields tensors, rather than sizes."""
    if node.op != "call_function":
        return True
    if node.target is torch.ops.aten.sym_size.int:
        return False
    value = node.meta.get("val")
    if isinstance(value, Tensor):
        return True
    if isinstance(value, tuple | list):
        return all(isinstance(item, Tensor) for item in value)
    if value is not None:
        return False
    inputs = [n for n in tree_flatten(node.args)[0] if isinstance(n, Node)]
    return not inputs or any(is_data(n) for n in inputs)
