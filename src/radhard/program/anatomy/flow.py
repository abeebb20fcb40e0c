"""The data flow of an exported graph: the nodes that depend on images, with their producers and consumers."""

import operator
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.utils._pytree import tree_flatten

from radhard.machine.operator import OperatorRole
from radhard.operators.aten import is_registered, lowered
from radhard.program.capture.fold import constant
from radhard.program.lowering.moves import ALIASES, MOVES, OF_SIZES

_ATEN = torch.ops.aten
_SELECTIONS = frozenset(
    {
        *(operator.getitem, _ATEN.split.Tensor, _ATEN.split_with_sizes.default, _ATEN.chunk.default),
        *(_ATEN.unbind.int, _ATEN.slice.Tensor, _ATEN.select.int, _ATEN.narrow.default, _ATEN.index_select.default),
    }
)
_LAYOUT = frozenset(
    {
        *(_ATEN.view.default, _ATEN._unsafe_view.default, _ATEN.reshape.default, _ATEN.permute.default),
        *(_ATEN.transpose.int, _ATEN.t.default, _ATEN.flatten.using_ints, _ATEN.unflatten.int),
        *(_ATEN.unsqueeze.default, _ATEN.squeeze.default, _ATEN.squeeze.dim, _ATEN.squeeze.dims, _ATEN.expand.default),
    }
)
_RELU = _ATEN.relu.default

PRODUCTS = frozenset({"linear", "matmul", "conv2d"})
LINEAR = PRODUCTS | {"add", "sub", "mul"}
"""Operators that are linear in each operand; what else computes is of the category NLF."""


class Flow:
    """The nodes of a graph that depend on images, in order, each with those that it reads and that read it.

    What computes has an operator's name and perhaps a role, a move has neither (""); relu, which the registry calls a
    move, is an activation.
    """

    def __init__(self, graph: GraphModule) -> None:
        self.nodes: list[Node] = []
        self.inputs: dict[Node, list[Node]] = {}
        self.users: dict[Node, list[Node]] = {}
        self.operator: dict[Node, str] = {}
        self.role: dict[Node, OperatorRole] = {}
        for node in graph.graph.nodes:
            read = [leaf for leaf in tree_flatten((node.args, node.kwargs))[0] if leaf in self.inputs]
            if node.op == "placeholder" or (node.op == "call_function" and read and node.target not in OF_SIZES):
                self.nodes.append(node)
                self.inputs[node] = list(dict.fromkeys(read))
                self.users[node] = []
                self.operator[node], self.role[node] = _operator(node)
                for each in self.inputs[node]:
                    self.users[each].append(node)
        self.number = {node: number for number, node in enumerate(self.nodes)}

    @cached_property
    def above(self) -> dict[Node, int]:
        """Of every node those that it depends on, as the bits of one number; its own bit is not set."""
        found: dict[Node, int] = {}
        for node in self.nodes:
            found[node] = 0
            for each in self.inputs[node]:
                found[node] |= found[each] | 1 << self.number[each]
        return found

    def depends(self, node: Node, on: Node) -> bool:
        """Whether a node depends on another one."""
        return bool(self.above[node] >> self.number[on] & 1)

    def between(self, first: Node, last: Node) -> set[Node]:
        """The nodes on the ways from one node to another, these two apart."""
        found: set[Node] = set()
        todo = [last]
        while todo:
            for each in self.inputs[todo.pop()]:
                if each is not first and each not in found and self.depends(each, first):
                    found.add(each)
                    todo.append(each)
        return found

    def computes(self, node: Node) -> bool:
        """Whether it is an operation of its own, with a site."""
        return self.operator[node] not in ("", "relu")

    def normalises(self, node: Node) -> bool:
        """Whether it is a normalisation, of whatever kind."""
        return self.role[node] == "normalisation"

    def activates(self, node: Node) -> bool:
        """Whether it is an activation, or an operation that activations are written out with."""
        return self.role[node] == "activation"

    def is_product(self, node: Node) -> bool:
        """Whether it is a product with weights, be it a matrix product, but no depthwise convolution."""
        operator = self.operator[node]
        if operator == "matmul":
            return not self.of_activations(node)
        return operator in PRODUCTS and not self.depthwise(node)

    def of_activations(self, node: Node) -> bool:
        """Whether it is a matrix product of two activations, be it written as a sum of their products."""
        return len(self.factors(node)) == 2

    def factors(self, node: Node) -> list[Node]:
        """The two activations that a matrix product, or a sum of products, multiplies; none where one is constant."""
        if self.operator[node] == "sum":
            node = self.before(self.inputs[node][0])
            wide = self.operator[node] == "mul" and len(self.inputs[node]) == 2
            broadcast = wide and any(numel(up) < numel(node) for up in self.inputs[node])
            return self.inputs[node] if broadcast else []
        if self.operator[node] != "matmul":
            return []
        read = [leaf for leaf in node.args[:2] if isinstance(leaf, Node) and leaf in self.inputs]
        return read if len(read) == 2 else []

    def depthwise(self, node: Node) -> bool:
        """Whether it is a convolution of each channel on its own."""
        if self.operator[node] != "conv2d":
            return False
        groups = dict(enumerate(node.args)).get(6, node.kwargs.get("groups", 1))
        weight = shape(node.args[1])
        return isinstance(groups, int) and groups > 1 and groups >= shape(node.args[0])[1] and weight[1] == 1

    def pointwise(self, node: Node) -> bool:
        """Whether it treats every place alike and alone: a linear layer, or a convolution of 1 x 1."""
        if self.operator[node] == "conv2d":
            return set(shape(node.args[1])[2:]) == {1} and not self.depthwise(node)
        return self.is_product(node)

    def channels(self, node: Node) -> tuple[int, int]:
        """Channels into and out of a product with weights."""
        if self.operator[node] == "conv2d":
            return shape(node.args[0])[1], shape(node)[1]
        return shape(node.args[0])[-1], shape(node)[-1]

    def selects(self, node: Node) -> bool:
        """Whether it is a move that takes a part of a value."""
        return node.target in _SELECTIONS

    def source(self, node: Node) -> Node:
        """What a node is before it was laid out otherwise: the value itself, nothing selected or joined."""
        while (node.target in _LAYOUT or node.target in ALIASES or _words(node)) and self.inputs[node]:
            node = self.inputs[node][0]
        return node

    def before(self, node: Node) -> Node:
        """What a node is before moves of any kind that take one value."""
        while self.operator[node] == "" and len(self.inputs[node]) == 1:
            node = self.inputs[node][0]
        return node

    def after(self, node: Node) -> list[Node]:
        """The first operations that read a node, through moves."""
        found: dict[Node, None] = {}
        todo = list(self.users[node])
        seen = set(todo)
        while todo:
            each = todo.pop()
            if self.operator[each] == "":
                fresh = [user for user in self.users[each] if user not in seen]
                seen |= set(fresh)
                todo += fresh
            else:
                found[each] = None
        return list(found)


def shape(node: Any) -> tuple[int, ...]:
    """The sizes of a node's value, of a batch as the exporter saw it; empty where it is not one tensor."""
    value = _value(node)
    if value is None:
        return ()
    return tuple(size if isinstance(size, int) else _hint(size) for size in value.shape)


def numel(node: Any) -> int:
    """The number of elements of a node's value; 0 where it is not one tensor."""
    if _value(node) is None:
        return 0
    count = 1
    for size in shape(node):
        count *= size
    return count


def _value(node: Any) -> Tensor | None:
    value = node.meta.get("val") if isinstance(node, Node) else None
    if value is None and isinstance(node, Node) and node.op == "get_attr" and node.graph.owning_module is not None:
        value = constant(node.graph.owning_module, node)
    return value if isinstance(value, Tensor) else None


def _hint(size: Any) -> int:
    hint = getattr(size.node, "hint", None)
    return hint if isinstance(hint, int) else 2


def _words(node: Node) -> bool:
    """Whether it only changes what words stand for a value."""
    return "quantized_decomposed" in str(node.target)


def _operator(node: Node) -> tuple[str, OperatorRole]:
    """The name and the role of a node's operator."""
    if node.target is _RELU:
        return "relu", "activation"
    if node.op != "call_function" or not is_registered(node.target) or node.target in MOVES or node.target in ALIASES:
        return "", ""
    operator = lowered(node).operator
    return operator.name, operator.role
