"""Bias correction: removes the mean shift of a layer's outputs that comes from rounding its weights.

A channel's rounded weights add up to a little more or less than the weights themselves. As words after a ReLU are never
negative, that shifts all of the channel's results alike, and in a deep network of thin filters such shifts, not the
noise of rounding, are what moves the answers (Nagel et al., *Data-free quantization through weight equalization and
bias correction*, ICCV 2019). They are measured on the images that calibrate.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from radhard.errors import InputError
from radhard.program.capture.fold import constant
from radhard.program.lowering.sites import path_of
from radhard.program.quantization.doubled import Doubled
from radhard.program.quantization.fused import WITH_WEIGHTS

Shifts = Mapping[str, tuple[float, ...]]
_BITS = 6  # significant bits of a shift: 1 % of it, which is less than what the images leave open


class Shifted(Doubled):
    """Runs a prepared graph in float64, and measures the mean of what the rounding of each weight adds."""

    def __init__(self, graph: GraphModule, *, device: torch.device) -> None:
        super().__init__(graph, device=device)
        self._names = {node: name for name, node in _layers(graph)}
        self._errors = {node: _error(graph, node) for node in self._names}
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def run_node(self, n: Node) -> Any:
        """The node's value; of a layer, what the error of its weights makes of the same input is summed too."""
        if n in self._names:
            (x, _, *rest), kwargs = self.fetch_args_kwargs_from_env(n)
            added = n.target(x, self._errors[n], None, *rest[1:], **{k: v for k, v in kwargs.items() if k != "bias"})  # type: ignore[operator]
            channels = added.movedim(1, -1) if "conv" in str(n.target) else added
            total = channels.flatten(0, -2).to(torch.float64).mean(0) * len(x)
            name = self._names[n]
            self._sums[name] = self._sums.get(name, torch.zeros(())) + total
        return super().run_node(n)

    def observe(self, images: Tensor) -> Any:
        """Run one batch of images [B, ...] -> what the graph gives."""
        self._count += len(images)
        return self.run(images.to(self._device))

    @property
    def shifts(self) -> dict[str, tuple[float, ...]]:
        """Of each layer, the mean shift of each of its channels."""
        return {
            name: tuple(_rounded(value) for value in (total / self._count).tolist())
            for name, total in self._sums.items()
        }


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
        if node.target in WITH_WEIGHTS and _weight(graph, node) is not None:
            name = path_of(node)
            numbers[name] += 1
            yield name if numbers[name] == 1 else f"{name}#{numbers[name]}", node


def _weight(graph: GraphModule, node: Node) -> tuple[Tensor, Any] | None:
    """A layer's weight and its observer; None where the weight is not a constant."""
    observer = node.args[1]
    if not isinstance(observer, Node) or observer.op != "call_module":
        return None
    (source,) = observer.args
    if not isinstance(source, Node) or source.op != "get_attr":
        return None
    return constant(graph, source), graph.get_submodule(str(observer.target))


def _error(graph: GraphModule, node: Node) -> Tensor:
    """What rounding adds to the weight of a layer."""
    found = _weight(graph, node)
    assert found is not None
    weight, observer = found
    observer(weight)
    scale, _ = observer.calculate_qparams()
    column = scale.view(-1, *(1 for _ in weight.shape[1:]))
    words = (weight / column).round().clamp(observer.quant_min, observer.quant_max)
    error: Tensor = words.to(torch.float64) * column.to(torch.float64) - weight.to(torch.float64)
    return error


def _rounded(value: float) -> float:
    fraction, exponent = math.frexp(value)
    return math.ldexp(round(fraction * 2**_BITS), exponent - _BITS)
