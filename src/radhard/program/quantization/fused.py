"""Fuses activations into the write-back of the product before them, so that one word is written."""

import math
from dataclasses import replace

import torch
from torch.fx import Node

from radhard.machine import Grid, saturate
from radhard.operators import Affine
from radhard.program.lowering.moves import ALIASES
from radhard.program.quantization.unsigned import clamped

_ATEN = torch.ops.aten
CONVOLUTIONS = {_ATEN.conv2d.default, _ATEN.conv2d.padding}
WITH_WEIGHTS = {_ATEN.linear.default, *CONVOLUTIONS}
_AS_FLOATS = {_ATEN.hardswish.default}  # computed of the accumulators' numbers, which are written as no words


def activation_after(node: Node) -> Node | None:
    """The activation that a convolution or a linear layer feeds alone, if it belongs to the write-back."""
    users = list(node.users)
    while len(users) == 1 and users[0].target in ALIASES:
        users = list(users[0].users)
    if len(users) != 1:
        return None
    return users[0] if users[0].target in _AS_FLOATS or clamped(users[0]) is not None else None


def clamp_after(node: Node) -> Node | None:
    """The clamp that a convolution or a linear layer feeds alone; None for other nodes and other activations."""
    after = activation_after(node) if node.target in WITH_WEIGHTS else None
    return after if after is not None and clamped(after) is not None else None


def narrowed(affine: Affine, activation: Node) -> Grid | None:
    """The words of `affine` that a clamp leaves: saturation at the words of its bounds. None for what is no clamp."""
    bounds = clamped(activation)
    if bounds is None:
        return None
    grid = affine.grid
    low, high = (
        grid_end if math.isinf(bound) else int(saturate(torch.tensor(bound) * affine.factor, grid))
        for bound, grid_end in zip(bounds, (grid.low, grid.high), strict=True)
    )
    return replace(grid, low=low, high=high)
