"""Operators computed in one kernel on a GPU, 8-bit words in and out.

Where one does not serve, the operator's own kernel stands between a pass that reads words and one that writes them.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from radhard.kernels.affine import Affine
from radhard.kernels.on_device import on_device
from radhard.machine import Add, Mul, Operator
from radhard.operators.layer_norm import LayerNorm
from radhard.operators.rms_norm import RmsNorm
from radhard.operators.softmax import Softmax

Inputs = Sequence[Tensor | None]
Reads = Sequence[Affine | None]
FusedWords = tuple[Tensor, Tensor | None] | None
"""What was written and which values were not finite, see `radhard.kernels.cuda.rows`; None where it was not served."""


def in_one_pass(inner: Operator, inputs: Inputs, *, reads: Reads, writes: Affine | None) -> FusedWords:
    """`inner` between words for `reads[i]` (None: a float input) and for `writes`, on the inputs' device."""
    x = inputs[0]
    kernels = None if x is None else on_device(x)
    how = _FUSED.get(type(inner))
    if kernels is None or how is None:
        return None
    found: FusedWords = how(kernels, inner, inputs, reads, writes)
    return found


def _softmax(kernels: Any, inner: Softmax, inputs: Inputs, reads: Reads, write: Affine | None) -> Any:
    (x,) = inputs
    assert x is not None
    return kernels.softmax(x, read=reads[0], write=write) if inner.dim % x.ndim == x.ndim - 1 else None


def _normalised(kernels: Any, inner: LayerNorm | RmsNorm, inputs: Inputs, reads: Reads, write: Affine | None) -> Any:
    x, weight, *bias = inputs
    if any(read is not None for read in reads[1:]):
        return None
    return kernels.normalise(
        x,
        weight,
        bias[0] if bias else None,
        n=math.prod(inner.shape),
        eps=inner.eps,
        centred=isinstance(inner, LayerNorm),
        read=reads[0],
        write=write,
    )


def _added(kernels: Any, inner: Add, inputs: Inputs, reads: Reads, write: Affine | None) -> Any:
    return kernels.pair("add" if inner.sign > 0 else "sub", tuple(inputs), reads=tuple(reads), write=write)


def _multiplied(kernels: Any, inner: Mul, inputs: Inputs, reads: Reads, write: Affine | None) -> Any:
    del inner
    return kernels.pair("mul", tuple(inputs), reads=tuple(reads), write=write)


_FUSED: dict[type[Operator], Callable[..., Any]] = {
    Softmax: _softmax,
    LayerNorm: _normalised,
    RmsNorm: _normalised,
    Add: _added,
    Mul: _multiplied,
}
