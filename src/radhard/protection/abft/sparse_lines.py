"""Sums of the rows or the columns of faulty blocks, and what these must be, as far as both are off."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from radhard.machine.site import Column
from radhard.protection.abft.checks import Change, Checks
from radhard.protection.abft.deltas import Deltas
from radhard.protection.abft.sparse_blocks import SparseBlocks


@dataclass(frozen=True, kw_only=True, eq=False)
class LineSums:
    """The rows or the columns of blocks [f], `count` in each: sums of `width` words against dot products of factors.

    `values` and `factors` read lines [u], flat in [f, count]. `own` is what is added to their sums by words that are
    off, `due` what is added to what they must be.
    """

    name: str
    count: int
    width: int
    values: Callable[[Column], Column]
    factors: Callable[[Column], tuple[Column, Column]]
    own: Change
    due: Change


def residual(checks: Checks, blocks: SparseBlocks, x: LineSums) -> tuple[Tensor, Tensor]:
    """What sums of lines are off by, beyond what they must be, and what this is off by: both [f, lines]."""
    entries = blocks.entries
    actual, wanted = np.zeros((2, len(blocks) * x.count), np.int64)
    struck = checks.struck(
        x.name, "sum", lambda index: (x.values(index),), entries, grid=(x.count, 1, 1), width=x.width
    )
    for index, delta in (x.own, struck):
        np.add.at(actual, index, delta)
    name = f"{x.name}/wanted"
    struck = checks.struck(name, "dot", x.factors, entries, grid=(x.count, 1), width=blocks.terms)
    for index, delta in (x.due, struck):
        np.add.at(wanted, index, delta)

    def both(index: Column) -> tuple[Column, Column]:
        sound = x.values(index).sum(1) - Deltas.of([x.own]).at(index)
        return sound + actual[index], sound + wanted[index]

    residual = actual - wanted
    np.add.at(residual, *checks.struck(f"{x.name}/residual", "minus", both, entries, grid=(x.count,)))
    off, due = (torch.from_numpy(of).view(len(blocks), x.count) for of in (residual, wanted))
    return off, due
