"""Lowers an exported graph to the steps of a program, in one pass over its nodes.

A value that the graph dequantises stays the words that it is, with its scale beside it, until an operator
reads it; data moves move the words. So an operator between a dequantisation and a quantisation becomes one
`Quantized` operator, and a matrix product between them an integer one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.utils._pytree import tree_flatten, tree_map

from radhard.errors import CaptureError
from radhard.machine import SYMMETRIC, Grid, MatrixProduct, Operator
from radhard.operators import Affine, Identity, Load, Quantized, WriteBack
from radhard.operators.aten import is_registered, lowered
from radhard.program.anatomy.anatomy import Place
from radhard.program.anatomy.overrides import Overrides
from radhard.program.capture.fold import constant
from radhard.program.capture.user_code import place_of_node
from radhard.program.lowering.moves import ALIASES, DROPOUT, MOVES, OF_SIZES, words_of
from radhard.program.lowering.sites import Sites, is_data, path_of
from radhard.program.node import NodeAccount, Role
from radhard.program.program import Apply, Move, Program, Recipe, Ref
from radhard.program.quantization.affine import affine_of_words, channel_weight, stored_weight, tensor_weight
from radhard.program.quantization.fused import clamp_after, narrowed

__all__ = ["lower"]

_OTHER_NUMBERS = {torch.float16, torch.bfloat16, torch.float64, torch.complex32, torch.complex64, torch.complex128}
_QUANTIZE = "quantized_decomposed.quantize_per_tensor."
_DEQUANTIZE = "quantized_decomposed.dequantize_per_tensor."
_COUNTED = (torch.bool, torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)
_DEQUANTIZE_CHANNELS = "quantized_decomposed.dequantize_per_channel.default"


@dataclass(frozen=True, kw_only=True, eq=False)
class _Value:
    """A value while lowering: numbered or constant; `affine` says that it is words that stand for numbers.

    `words` of a constant are the int8 weight that it was dequantised from, with the scale [n] of each channel.
    `sizes` marks what is computed from the sizes of images alone: the same for all of them.
    """

    number: int | None = None
    constant: Any = None
    affine: Affine | None = None
    words: tuple[Tensor, Tensor] | None = None
    sizes: bool = False


def lower(
    graph: GraphModule,
    *,
    name: str,
    recipe: Recipe,
    input_shape: tuple[int, ...],
    overrides: Overrides,
    known: Mapping[str, Place] | None = None,
) -> Program:
    """The program of an exported graph with one input and one output.

    Sites stand where the user's `overrides` say, where they are `known` to by their names, or where they are found to.
    Raises CaptureError for an operation that is not registered, naming it, its module and how to register it, and
    InputError for an override that matches no site.
    """
    lowering = _Lowering(graph, recipe=recipe)
    program = lowering.program(name=name, input_shape=input_shape)
    places = lowering.sites.places(overrides, known=known or {})
    placed = program.with_sites(lambda site: replace(site, **vars(places[site.name])))
    return replace(placed, overrides=overrides)


class _Lowering:
    """The state of one pass: steps so far, and what each node has become."""

    def __init__(self, graph: GraphModule, *, recipe: Recipe) -> None:
        self._graph = graph
        self._recipe: Recipe = recipe
        self._written: dict[Node, tuple[_Value, str]] = {}  # activations in a write-back: the value, the product's site
        self._values: dict[Node, _Value] = {}
        self._steps: list[Apply | Move] = []
        self._accounts: list[NodeAccount] = []
        self._constants: dict[int, Tensor] = {}
        self._count = 0
        self.sites = Sites(graph)

    def program(self, *, name: str, input_shape: tuple[int, ...]) -> Program:
        """Lower every node."""
        inputs = [node for node in self._graph.graph.nodes if node.op == "placeholder"]
        if len(inputs) != 1:
            raise CaptureError(f"the model takes {len(inputs)} inputs; a program takes one, the images")
        self._values[inputs[0]] = _Value(number=self._new())
        output = None
        for node in self._graph.graph.nodes:
            if node.op == "get_attr":
                self._values[node] = _Value(constant=constant(self._graph, node))
            elif node.op == "call_function":
                first = len(self._steps)
                try:
                    self._values[node] = self._call(node)
                except CaptureError as error:
                    raise CaptureError(f"{error}{place_of_node(node)}") from error
                self._accounts.append(self._account(node, self._steps[first:]))
            elif node.op == "output":
                output = self._output(node)
            elif node.op == "call_module" and "guards" not in str(node.target):
                raise CaptureError(f"the exported graph calls module {node.target!r}: export it with torch.export")
        if output is None or output == self._values[inputs[0]].number:
            raise CaptureError("the model returns nothing that depends on its images")
        return Program(
            name=name,
            recipe=self._recipe,
            input_shape=input_shape,
            steps=tuple(self._steps),
            constants=self._constants,
            input=self._values[inputs[0]].number or 0,
            output=output,
            graph=self._graph,
            accounts=tuple(self._accounts),
        )

    def _output(self, node: Node) -> int:
        leaves = [leaf for leaf in tree_flatten(node.args)[0] if isinstance(leaf, Node)]
        if len(leaves) != 1:
            raise CaptureError(
                f"the model returns {len(leaves)} tensors; wrap it in a module that returns the logits alone"
            )
        return self._plain(self._values[leaves[0]], leaves[0]).number  # type: ignore[return-value]

    def _account(self, node: Node, steps: Sequence[Apply | Move]) -> NodeAccount:
        sites = tuple(step.site.name for step in steps if isinstance(step, Apply))
        role: Role = "computes" if sites else "moves" if steps else "stays"
        role = "sizes" if self._values[node].sizes else role
        if node in self._written:
            role, sites = "writes", (self._written[node][1],)
        named = isinstance(node.target, torch._ops.OpOverload | str)
        op = str(node.target) if named else getattr(node.target, "__name__", str(node.target))
        return NodeAccount(op=op, path=path_of(node), role=role, sites=sites)

    def _call(self, node: Node) -> _Value:
        target = str(node.target)
        if node.target in ALIASES:
            return self._values[node.args[0]]  # type: ignore[index]
        if node in self._written:
            return self._written[node][0]
        if node.target is DROPOUT:
            return self._dropout(node)
        moves = MOVES[node.target].function if node.target in MOVES else node.target
        leaves = [self._values[n] for n in tree_flatten((node.args, node.kwargs))[0] if isinstance(n, Node)]
        if any(value.sizes for value in leaves) and all(value.sizes or value.number is None for value in leaves):
            return self._move(node, function=moves, words="plain", sizes=True)
        if target.startswith(_QUANTIZE):
            return self._quantize(node)
        if target.startswith(_DEQUANTIZE):
            return self._dequantize(node)
        if target == _DEQUANTIZE_CHANNELS:
            return self._weight(node)
        if all(value.number is None for value in leaves):
            return self._move(node, function=moves, words="plain", sizes=True)
        if _type(node) == torch.bool and node.target not in MOVES and is_registered(node.target):
            return self._move(node, function=node.target, words="plain")  # a product of booleans is logic
        if node.target in MOVES:
            words = words_of(node.target, node.args, **node.kwargs)
            return self._move(node, function=moves, words=words, sizes=node.target in OF_SIZES)
        return self._operator(node)

    def _dropout(self, node: Node) -> _Value:
        if node.args[2]:
            raise CaptureError(
                f"dropout in module {path_of(node) or '(root)'!r} is in training mode: export the model "
                "after model.eval()"
            )
        return self._values[node.args[0]]  # type: ignore[index]

    def _constants_of(self, arguments: Sequence[Any]) -> list[Any]:
        """Arguments of a node, constants in the place of their nodes; None for what depends on the images."""
        return [self._values[a].constant if isinstance(a, Node) else a for a in arguments]

    def _weight(self, node: Node) -> _Value:
        words, scales, zeros, axis, *_ = self._constants_of(node.args)
        value, kept = channel_weight(words, scales, zeros, axis=axis, place=str(node))
        return _Value(constant=value, words=kept)

    def _dequantize(self, node: Node) -> _Value:
        source, affine = self._values[node.args[0]], self._affine(node)  # type: ignore[index]
        if source.constant is None:
            return replace(source, affine=affine)
        value, kept = tensor_weight(source.constant, affine)
        return _Value(constant=value, words=kept)

    def _quantize(self, node: Node) -> _Value:
        source, affine = self._values[node.args[0]], self._affine(node)  # type: ignore[index]
        if source.affine == affine:
            return replace(source, affine=None)
        inside = Quantized(inner=Identity(), reads=(source.affine,), writes=affine)
        return _Value(number=self._apply(node, inside, [source]))

    def _affine(self, node: Node) -> Affine:
        """What a (de)quantisation's words stand for; its first argument, their source, may not be lowered yet."""
        return affine_of_words(*self._constants_of(node.args[1:6]), place=f"{node} in {path_of(node) or '(root)'!r}")

    def _move(self, node: Node, *, function: Any, words: str, sizes: bool = False) -> _Value:
        nodes = [n for n in tree_flatten((node.args, node.kwargs))[0] if isinstance(n, Node)]
        affines = {self._values[n].affine for n in nodes if is_data(n)}
        affine = next(iter(affines)) if len(affines) == 1 and is_data(node) else None
        keep = (
            affine is not None
            and not sizes
            and all(self._values[n].constant is None for n in nodes if is_data(n))
            and (words == "any" or (words == "zero" and affine.grid.zero == 0))
        )

        def resolve(leaf: Any) -> Any:
            if not isinstance(leaf, Node):
                return leaf
            value = self._values[leaf]
            if is_data(leaf) and not keep and not sizes:
                value = self._plain(value, leaf)
            return (
                value.constant if value.number is None and not isinstance(value.constant, Tensor) else self._ref(value)
            )

        args, kwargs = tree_map(resolve, (node.args, node.kwargs))
        out = self._new()
        self._steps.append(Move(function=function, name=str(node.target), arguments=args, options=kwargs, out=out))
        return _Value(number=out, affine=affine if keep else None, sizes=sizes)

    def _operator(self, node: Node) -> _Value:
        value = node.meta.get("val")
        if isinstance(value, Tensor) and value.dtype in _OTHER_NUMBERS:
            raise CaptureError(
                f"{node.target} in module {path_of(node) or '(root)'!r} computes in "
                f"{str(value.dtype).removeprefix('torch.')}, and operators compute in float32: leave out autocast, "
                ".half(), .double() and the like in forward"
            )
        found = lowered(node, path_of(node))
        inputs = [self._input(argument, node) for argument in found.inputs]
        operator, written, within = found.operator, None, clamp_after(node) if self._recipe == "int8" else None
        writes = self._sole_quantizer(node if within is None else within)
        if isinstance(operator, MatrixProduct):
            grid = None if writes is None or within is None else narrowed(writes, within)
            operator, inputs, written = self._product(node, operator, inputs, writes, grid=grid)
        elif writes is not None or any(x is not None and x.affine is not None for x in inputs):
            reads = tuple(None if x is None else x.affine for x in inputs)
            operator, written = Quantized(inner=operator, reads=reads, writes=writes), writes
        out = self._apply(node, operator, inputs)
        if found.squeeze:
            moved = self._new()
            squeeze = torch.ops.aten.squeeze.dims
            self._steps.append(
                Move(
                    function=squeeze,
                    name=str(squeeze),
                    arguments=(Ref(out), list(found.squeeze)),
                    options={},
                    out=moved,
                )
            )
            out = moved
        value = _Value(number=out, affine=written)
        if within is not None and written is not None:
            self._written[within] = (value, self._steps[-1].site.name)  # type: ignore[union-attr]
        return value

    def _product(
        self,
        node: Node,
        operator: MatrixProduct,
        inputs: list[_Value | None],
        writes: Affine | None,
        *,
        grid: Grid | None,
    ) -> tuple[Operator, list[_Value | None], Affine | None]:
        """An integer product where both operands are words, a float one elsewhere; `grid` narrows what it writes."""
        if not operator.stored:
            inputs = [_as_words(value) for value in inputs]
        x, other = inputs[0], inputs[1]
        assert x is not None
        assert other is not None
        if operator.stored and other.number is not None:
            raise CaptureError(
                f"{node.target} in module {path_of(node) or '(root)'!r} has weights that depend on the images: write "
                "it as a matrix product of activations, torch.matmul"
            )
        scale = other.words[1] if other.words is not None else other.affine and other.affine.scale
        if x.affine is None or scale is None:
            inputs = [value if value is None else self._plain(value, node) for value in inputs]
            loads = 1 if operator.stored else 2
            return operator, self._loaded(node, operator, inputs, loads), None
        words = grid or (SYMMETRIC if writes is None else writes.grid)

        def written(unit: Tensor) -> WriteBack:
            multiplier = (unit if writes is None else unit / writes.scale).to(torch.float32)
            return WriteBack(multiplier=multiplier, dtype=words.dtype if writes else torch.float32, grid=words)

        if not operator.stored:
            if x.affine.grid.zero or (other.affine is not None and other.affine.grid.zero):
                raise CaptureError(
                    f"{node.target} in module {path_of(node) or '(root)'!r} multiplies activations with zero points: "
                    "quantise both operands of such products without one, as radhard.quantize does"
                )
            if other.affine is not None and other.affine.grid.dtype != torch.int8:
                raise CaptureError(
                    f"{node.target} in module {path_of(node) or '(root)'!r} has a right factor of uint8 words: "
                    "quantise it to int8, as radhard.quantize does, so that products are words of 16 bits"
                )
            unit = torch.as_tensor(scale, dtype=torch.float64).reshape(-1) * x.affine.scale
            return operator.written_as(written(unit)), self._loaded(node, operator, inputs, 2), writes
        assert other.words is not None
        given = None if inputs[2] is None else inputs[2].constant
        stored = stored_weight(other.words, given, reads=x.affine, place=path_of(node))
        product = operator.written_as(written(stored.scale), zero=x.affine.grid.zero)
        bias = None if stored.bias is None else _Value(constant=stored.bias)
        return product, [*self._loaded(node, operator, [x], 1), _Value(constant=stored.words), bias], writes

    def _sole_quantizer(self, node: Node) -> Affine | None:
        """To what the only user of `node` quantises it; None if it is used otherwise."""
        users = list(node.users)
        while len(users) == 1 and users[0].target in ALIASES:
            users = list(users[0].users)
        sole = len(users) == 1 and str(users[0].target).startswith(_QUANTIZE)
        return self._affine(users[0]) if sole else None

    def _loaded(self, node: Node, operator: Operator, inputs: list[_Value | None], count: int) -> list[_Value | None]:
        """The first `count` inputs, each read from memory: activations that a matrix product loads."""
        read = [
            value
            if value is None or value.number is None
            else replace(value, number=self._apply(node, Load(), [value], suffix=f"{operator.name}.load"))
            for value in inputs[:count]
        ]
        return [*read, *inputs[count:]]

    def _input(self, argument: Any, node: Node) -> _Value | None:
        """What `node` computes from: where it is of booleans or integers, in the type in which it is computed."""
        dtype = _type(node)
        if not isinstance(argument, Node):
            return None if argument is None else _Value(constant=torch.tensor(argument, dtype=dtype))
        value = self._values[argument]
        found = value.constant.dtype if isinstance(value.constant, Tensor) else _type(argument)
        if value.affine is not None or found == dtype or found not in _COUNTED:
            return value
        if value.constant is not None:
            return _Value(constant=value.constant.to(dtype))
        out, function = self._new(), torch.ops.aten.to.dtype
        self._steps.append(
            Move(function=function, name=str(function), arguments=(self._ref(value), dtype), options={}, out=out)
        )
        return _Value(number=out)

    def _plain(self, value: _Value, node: Node) -> _Value:
        """The value as float32, dequantised if it is words."""
        if value.affine is None:
            return value
        inside = Quantized(inner=Identity(), reads=(value.affine,), writes=None)
        return _Value(number=self._apply(node, inside, [replace(value, affine=None)]))

    def _apply(self, node: Node, operator: Operator, inputs: Sequence[_Value | None], suffix: str | None = None) -> int:
        out = self._new()
        refs = tuple(None if value is None else self._ref(value) for value in inputs)
        site = self.sites.site(node, operator, suffix)
        self._steps.append(Apply(operator=operator, inputs=refs, site=site, out=out))
        return out

    def _ref(self, value: _Value) -> Ref:
        if value.number is not None:
            return Ref(value.number)
        number = self._new()
        self._constants[number] = value.constant
        return Ref(number)

    def _new(self) -> int:
        self._count += 1
        return self._count - 1


def _type(node: Node) -> torch.dtype:
    """The type of what a node yields; float32 where the exporter does not say."""
    value = node.meta.get("val")
    return value.dtype if isinstance(value, Tensor) else torch.float32


def _as_words(value: _Value | None) -> _Value | None:
    """A constant that was dequantised -> its words, as an operand of a product of activations.

    One with a scale for each row stays numbers: a sum over rows is of words that stand for different ones.
    """
    if value is None or value.words is None:
        return value
    words, scales = value.words
    if bool((scales != scales[0]).any()):
        return _Value(constant=value.constant)
    return _Value(constant=words, affine=Affine(scale=float(scales[0])))
