"""Builds one torch graph of a program's steps: each step a module or a function, values passed by name."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.fx import Graph, GraphModule, Node
from torch.utils._pytree import tree_flatten, tree_map

from radhard.deploy.applied import COMPUTED, Applied
from radhard.deploy.fixed import Fixed
from radhard.deploy.plain import plain_step
from radhard.deploy.protected import protected_step
from radhard.deploy.steps import Making, Moving
from radhard.kernels.library import AlarmPolicy, OnUncorrectable
from radhard.machine import Cost, Load, Site
from radhard.program import Apply, Move, Program, Ref
from radhard.program.program import refs
from radhard.protection import Protection


@dataclass(frozen=True, kw_only=True, eq=False)
class StepGraph:
    """`module`: images [B, ...] -> logits [B, classes]; `events`: protected site -> the buffer where it counts.

    `costs` are the operations of each site, as of the program.
    """

    module: GraphModule
    events: Mapping[str, str]
    costs: Mapping[Site, Cost]


def graph_of(program: Program, protection: Protection, *, policy: AlarmPolicy) -> StepGraph:
    """The graph that computes what `program` does, its sites protected. InputError for a scheme that does not fit."""
    graph, modules, schemes = Graph(), nn.Module(), protection.schemes
    values: dict[int, Any] = {program.input: graph.placeholder("images")}
    events: dict[str, str] = {}
    fixed = Fixed()
    modules.add_module("constants", fixed)

    def value(ref: Ref) -> Any:
        if ref.number not in values:
            fixed.register_buffer(f"constant{ref.number}", program.constants[ref.number].clone())
            values[ref.number] = graph.get_attr(f"constants.constant{ref.number}")
        return values[ref.number]

    for place, step in enumerate(_needed(program)):
        if isinstance(step, Move):
            arguments, options = tree_map(
                lambda leaf: value(leaf) if isinstance(leaf, Ref) else leaf, (step.arguments, dict(step.options))
            )
            values[step.out] = _moved(graph, modules, f"move{place}", step.function, arguments, options)
            continue
        scheme = schemes.get(step.site.name)
        if isinstance(step.operator, Load) and scheme is None:
            (ref,) = step.inputs
            assert ref is not None
            values[step.out] = value(ref)
            continue
        constants = [None if ref is None else program.constants.get(ref.number, COMPUTED) for ref in step.inputs]
        applied = Applied(operator=step.operator, constants=constants, site=step.site)
        given = step.inputs[:1] if applied.stores else step.inputs
        if scheme is None:
            module: nn.Module = plain_step(applied)
        else:
            module = protected_step(
                applied, scheme, on_uncorrectable=OnUncorrectable(policy=policy, site=step.site.name)
            )
        name = f"step{place}_{re.sub(r'[^0-9a-zA-Z]', '_', step.site.name)}"  # so that a loaded module tells its sites
        modules.add_module(name, module)
        values[step.out] = graph.call_module(name, tuple(None if ref is None else value(ref) for ref in given))
        if scheme is not None:
            (counter,) = (own for own, _ in module.named_buffers() if own.split(".")[-1] == "events")
            events[step.site.name] = f"{name}.{counter}"
    graph.output(values[program.output])
    module = GraphModule(modules, graph)
    module.add_module("constants", fixed)  # itself: a graph's module makes plain modules of those it takes apart
    return StepGraph(module=module, events=events, costs=dict(program.costs))


def _needed(program: Program) -> list[Apply | Move]:
    """The steps whose values are read, in order."""
    read, kept = {program.output}, []
    for step in reversed(program.steps):
        if step.out in read:
            kept.append(step)
            read.update(ref.number for ref in refs(step))
    return kept[::-1]


def _moved(
    graph: Graph,
    modules: nn.Module,
    name: str,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    options: dict[str, Any],
) -> Node:
    """A node that calls `function`: itself where a graph can name it, else a module around it.

    A module also where it is told a device: that is the module's own, wherever it is moved.
    """
    if any(isinstance(leaf, torch.device) for leaf in tree_flatten((arguments, options))[0]):
        modules.add_module(name, Making(function))
        return graph.call_module(name, arguments, options)
    named = isinstance(function, torch._ops.OpOverload) or getattr(function, "__module__", "") == "_operator"
    if named:
        return graph.call_function(function, arguments, options)
    modules.add_module(name, Moving(function))
    return graph.call_module(name, arguments, options)
