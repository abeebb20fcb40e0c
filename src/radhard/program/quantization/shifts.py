"""Bias correction: removes the mean shift of a layer's outputs that rounding of weights and activations causes.

A channel's rounded weights add up to a little more or less than the weights themselves, and rounded and saturated words
of activations to a little more or less than their numbers. As words after a ReLU or a GELU lie on one side of 0, that
shifts all of the channel's results alike, and in a deep network such shifts, not the noise of rounding, are what moves
the answers (Nagel et al., *Data-free quantization through weight equalization and bias correction*, ICCV 2019).

They are measured on images that calibrate, layer after layer: a shift is the mean of what the quantised graph yields,
whose earlier layers are corrected already, less the mean of what the float graph yields. All is computed in float64,
and words are rounded from float32, so that a value in the middle between two words becomes the same on every processor.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from radhard.errors import InputError
from radhard.program.capture.fold import constant
from radhard.program.lowering.sites import path_of
from radhard.program.quantization.doubled import Doubled
from radhard.program.quantization.fused import CONVOLUTIONS, WITH_WEIGHTS
from radhard.program.quantization.observers import PER_CHANNEL, Scales, give

Shifts = Mapping[str, tuple[float, ...]]
MEASURED = 128
"""How many images shifts are measured on, at most: the first that calibrate. All of their values lie in memory."""
_BITS = 6  # significant bits of a shift: 1 % of it, which is less than what the images leave open
_LEAST = 2.0**-20  # of what a channel yields: a smaller shift moves no word, and would be of float64's rounding


def measured(
    graph: GraphModule, scales: Scales, batches: Sequence[Tensor], *, device: torch.device
) -> dict[str, tuple[float, ...]]:
    """The shifts of the channels of each layer of a prepared graph with these `scales`, on `batches` of [B, ...]."""
    give(graph, scales)
    layers = {node: name for name, node in _layers(graph)}
    exact = _Float(graph, layers, device=device)
    for images in batches:
        exact.run(images.to(device))
    rounded, found = _Rounded(graph, device=device), dict[str, tuple[float, ...]]()
    values: list[dict[Node, Any]] = [{} for _ in batches]
    for node in graph.graph.nodes:
        for images, known in zip(batches, values, strict=True):
            rounded.step(node, known, images.to(device))
        if node in layers:
            mean = _Mean()
            for known in values:
                mean.add(_channels(node, known[node]))
            found[layers[node]] = shifts = mean.shifts_from(exact.means[layers[node]])
            for known in values:
                _channels(node, known[node]).sub_(torch.tensor(shifts, dtype=torch.float64, device=device))
    graph.cpu()
    return found


class _Mean:
    """The mean of each channel over batches of a layer's results, and the mean of their magnitudes."""

    def __init__(self) -> None:
        self._sum, self._magnitude, self._rows = torch.zeros(()), torch.zeros(()), 0

    def add(self, results: Tensor) -> None:
        """Add results [..., channels] float64."""
        rows = results.flatten(0, -2)
        self._sum = self._sum.to(rows.device) + rows.sum(0)
        self._magnitude = self._magnitude.to(rows.device) + rows.abs().sum(0)
        self._rows += len(rows)

    def shifts_from(self, exact: "_Mean") -> tuple[float, ...]:
        """What each channel's mean is more than that of `exact`, rounded; 0 where that is next to nothing."""
        differences = self._sum / self._rows - exact._sum / exact._rows
        nothing = differences.abs() <= _LEAST * exact._magnitude / exact._rows
        return tuple(_rounded(value) for value in differences.masked_fill(nothing, 0.0).tolist())


class _Float(Doubled):
    """Runs a prepared graph in float64, past its observers, and keeps the mean of what each layer yields."""

    def __init__(self, graph: GraphModule, layers: Mapping[Node, str], *, device: torch.device) -> None:
        super().__init__(graph, device=device)
        self._layers = layers
        self.means = {name: _Mean() for name in layers.values()}

    def run_node(self, n: Node) -> Any:
        """The node's value."""
        if n.op == "call_module":
            return self.fetch_args_kwargs_from_env(n)[0][0]
        out = super().run_node(n)
        if n in self._layers:
            self.means[self._layers[n]].add(_channels(n, out))
        return out


class _Rounded(Doubled):
    """Runs a prepared graph in float64, node by node, each observer as a rounding to the words of its grid."""

    def step(self, node: Node, known: dict[Node, Any], images: Tensor) -> None:
        """Add the value of `node` to those that are `known` of one batch, and drop those that nothing else reads."""
        self.env = known
        if node.op == "placeholder":
            known[node] = images.to(torch.float64)
        elif node.op != "output":
            known[node] = self.run_node(node)
        for last in self.user_to_last_uses.get(node, ()):
            del known[last]

    def run_node(self, n: Node) -> Any:
        """The node's value."""
        if n.op != "call_module":
            return super().run_node(n)
        (x, *_), _ = self.fetch_args_kwargs_from_env(n)
        observer: Any = self.submodules[n.target]
        return _nearest(observer, x) if hasattr(observer, "calculate_qparams") else x


def _nearest(observer: Any, x: Tensor) -> Tensor:
    """Numbers -> those that the nearest words of the observer's grid stand for, float64."""
    scale, zero = (found.to(x.device) for found in observer.calculate_qparams())
    if observer.qscheme in PER_CHANNEL:
        scale, zero = (found.view(-1, *(1 for _ in x.shape[1:])) for found in (scale, zero))
    words = (x / scale.to(torch.float64)).to(torch.float32).round() + zero
    words = words.clamp(observer.quant_min, observer.quant_max) - zero
    numbers: Tensor = words.to(torch.float64) * scale.to(torch.float64)
    return numbers


def _channels(node: Node, results: Tensor) -> Tensor:
    """Results of a layer with their channels last: a view."""
    return results.movedim(-3, -1) if node.target in CONVOLUTIONS else results


def correct(graph: GraphModule, shifts: Shifts) -> None:
    """Take the shifts from the biases of the layers, in place. InputError if they are those of another graph."""
    nodes = dict(_layers(graph))
    if odd := sorted(nodes.keys() ^ shifts.keys()):
        raise InputError(
            f"the calibration is of another model: {len(odd)} of its layers differ, {odd[0]!r} among them; calibrate "
            "again with `radhard quantize`"
        )
    for number, (name, node) in enumerate(nodes.items()):
        found = torch.tensor(shifts[name], dtype=torch.float64)
        given = node.args[2] if len(node.args) > 2 else node.kwargs.get("bias")
        bias = constant(graph, given) if isinstance(given, Node) else torch.zeros(len(found))
        if len(found) != len(bias):
            raise InputError(f"the calibration has {len(found)} shifts of {name!r}, which has {len(bias)} channels")
        graph.register_buffer(f"corrected_{number}", (bias.to(torch.float64) - found).to(torch.float32))
        with graph.graph.inserting_before(node):
            new = graph.graph.get_attr(f"corrected_{number}")
        new.meta["val"] = bias
        node.args = (*node.args[:2], new, *node.args[3:])
        node.kwargs = {key: value for key, value in node.kwargs.items() if key != "bias"}
    graph.recompile()


def _layers(graph: GraphModule) -> Iterator[tuple[str, Node]]:
    """Every layer whose weights are rounded channel by channel, named by its module; those of one module numbered."""
    numbers: Counter[str] = Counter()
    for node in graph.graph.nodes:
        if node.target in WITH_WEIGHTS and _is_observed_constant(node.args[1]):
            name = path_of(node)
            numbers[name] += 1
            yield name if numbers[name] == 1 else f"{name}#{numbers[name]}", node


def _is_observed_constant(weight: Any) -> bool:
    if not isinstance(weight, Node) or weight.op != "call_module":
        return False
    (source,) = weight.args
    return isinstance(source, Node) and source.op == "get_attr"


def _rounded(value: float) -> float:
    fraction, exponent = math.frexp(value)
    return math.ldexp(round(fraction * 2**_BITS), exponent - _BITS)
