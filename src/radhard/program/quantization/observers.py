"""The observers of a prepared graph: reads their ranges, and sets ranges that are known.

Each is named after the value that it observes: by the module that makes it and the operator, `blocks.0.attn.softmax`.
Weights are not observed but read: their scales are exact, and the same on every machine.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node

from radhard.errors import InputError
from radhard.program.capture.fold import constant
from radhard.program.lowering.sites import path_of

Scales = Mapping[str, tuple[float, int]]
PER_CHANNEL = (torch.per_channel_symmetric, torch.per_channel_affine)


def scales_of(graph: GraphModule, *, bits: int | None) -> dict[str, tuple[float, int]]:
    """The scale and zero point that each observer of activations found; scales rounded to `bits` significant ones."""
    found = {}
    for name, observer in _of_activations(graph):
        scale, zero = observer.calculate_qparams()
        found[name] = (_rounded(float(scale), bits=bits), int(zero))
    return found


def give(graph: GraphModule, scales: Scales) -> None:
    """Let every observer of activations have found these scales, and those of weights see the weights.

    Raises InputError if the names are not those of the graph.
    """
    observers = dict(_of_activations(graph))
    if odd := sorted(observers.keys() ^ scales.keys()):
        here = "the model has" if odd[0] in observers else "the calibration has"
        raise InputError(
            f"the calibration is of another model or another version of torch: {len(odd)} of its values differ, {here} "
            f"{odd[0]!r} alone; calibrate again with `radhard quantize`"
        )
    for name, observer in observers.items():
        _fix(observer, *scales[name])
    for node, observer in _observed(graph):
        if node.op == "get_attr" and observer.qscheme in PER_CHANNEL:
            observer(constant(graph, node))


def _of_activations(graph: GraphModule) -> Iterator[tuple[str, Any]]:
    """Name and observer of every value that has one scale, each observer once, in the order of the graph."""
    numbers: Counter[str] = Counter()
    seen: set[int] = set()
    for node, observer in _observed(graph):
        if observer.qscheme in PER_CHANNEL or id(observer) in seen:
            continue
        seen.add(id(observer))
        name = _name(node)
        numbers[name] += 1
        yield name if numbers[name] == 1 else f"{name}#{numbers[name]}", observer


def _observed(graph: GraphModule) -> Iterator[tuple[Node, Any]]:
    """Every observed node with its observer."""
    modules: dict[str, nn.Module] = dict(graph.named_modules())
    for node in graph.graph.nodes:
        if node.op == "call_module" and hasattr(modules[node.target], "calculate_qparams"):
            source = node.args[0]
            while source.op == "call_module" and hasattr(modules[source.target], "calculate_qparams"):
                source = source.args[0]
            yield source, modules[node.target]


def _name(node: Node) -> str:
    if node.op == "placeholder":
        return "images"
    if node.op == "get_attr":
        return str(node.target)
    packet = getattr(node.target, "overloadpacket", node.target)
    return f"{path_of(node)}.{getattr(packet, '__name__', node.name)}".lstrip(".")


def _rounded(scale: float, *, bits: int | None) -> float:
    """The nearest number of `bits` significant bits; `scale` itself for None."""
    if bits is None or not math.isfinite(scale):
        return scale
    fraction, exponent = math.frexp(scale)
    return math.ldexp(round(fraction * 2**bits), exponent - bits)


def _fix(observer: Any, scale: float, zero: int) -> None:
    """Let an observer say that it found `scale` and `zero`."""
    found = torch.tensor([scale], dtype=torch.float32), torch.tensor([zero], dtype=torch.int64)
    observer.calculate_qparams = lambda: found
