"""Batch normalisation (Ioffe & Szegedy, 2015) in inference: one affine map a channel.

One that follows a convolution is folded into it before (`radhard.program.capture.fold`); this is for the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from radhard.machine import Arithmetic, Elementwise, NoteNonFinite, UnitInput, tensors
from radhard.machine.operator import OperatorRole
from radhard.operators.aten import lowers


@torch.library.custom_op("radhard::batch_norm", mutates_args=())
def _batch_norm(x: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    """x [b, c, ...], factor and offset [c, 1, ...] -> x factor + offset."""
    return torch.addcmul(offset, x, factor)


@_batch_norm.register_fake
def _(x: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    del factor, offset
    return torch.empty_like(x)


BATCH_NORM = torch.ops.radhard.batch_norm.default


@lowers(BATCH_NORM)
@dataclass(frozen=True, kw_only=True)
class BatchNorm(Elementwise):
    """x [b, c, ...], factor and offset [c, 1, ...] float -> x factor + offset, x's shape."""

    name: ClassVar[str] = "batch_norm"
    role: ClassVar[OperatorRole] = "normalisation"

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """One multiplication, one addition."""
        x, factor, offset = tensors(inputs)
        return m.add(m.mul(x, factor), offset)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """Product and sum."""
        del note
        x, factor, offset = tensors(inputs)
        return torch.addcmul(offset, x, factor)
