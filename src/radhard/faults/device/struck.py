"""Recomputes the hit units of float operators on a device with their flips: one kernel launch an application.

They do what `BitFlipInterpreter` does with an operator's definition, which stays the definition: tests hold the two
together. Operators that have no kernel here go the way of their definition.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from radhard.faults.device.struck_proof import right
from radhard.kernels.octets import OCTETS
from radhard.kernels.on_device import on_device
from radhard.machine import Add, Mul, Operator
from radhard.operators import Affine, Quantized
from radhard.operators.gelu import Gelu
from radhard.operators.hard import HardSigmoid, HardSwish
from radhard.operators.layer_norm import LayerNorm
from radhard.operators.pooling import Mean
from radhard.operators.rms_norm import RmsNorm
from radhard.operators.sigmoid import Sigmoid, Silu
from radhard.operators.softmax import Softmax

_ELEMENTS: dict[type[Operator], Callable[[Any], str]] = {
    Add: lambda operator: "add" if operator.sign > 0 else "subtract",
    Gelu: lambda operator: "gelu" if operator.form == "none" else "gelu_tanh",
    **dict.fromkeys((Mul, Sigmoid, Silu, HardSigmoid, HardSwish), lambda operator: operator.name),
}
_ROWS: dict[type[Operator], Callable[[Any], tuple[int, ...]]] = {
    Softmax: lambda operator: (operator.dim,),
    Mean: lambda operator: operator.dims,
    **dict.fromkeys((LayerNorm, RmsNorm), lambda operator: tuple(range(-len(operator.shape), 0))),
}

NAMES = frozenset(kind.name for kind in (*_ELEMENTS, *_ROWS))
"""Operators that are served, if what they read and write is."""


def struck(
    operator: Operator,
    inputs: Sequence[Tensor | None],
    *,
    out: Tensor,
    keys: Tensor,
    images: tuple[int, int],
    non_finite: Tensor,
) -> bool:
    """Writes the units that `keys` [...] int64 hit into `out`, the output of `operator` for `inputs`.

    False: they are not served here, and nothing is done. A key is `unit << 27 | step << 22 | within << 6 | bit`; those
    of a unit stand side by side, ascending, and 2^63 - 1 is none. What flips make non-finite where it is quantised is
    added to `non_finite` [B] int64; `images` are (whole, mine): unit u is of image u % whole // mine. Nothing waits for
    the device.
    """
    kernels = on_device(out)
    if kernels is None or (out.is_cuda and not proven(kernels, out.device)):
        return False
    return _struck(kernels, operator, inputs, out=out, keys=keys, images=images, non_finite=non_finite)


def proven(kernels: Any, device: torch.device) -> bool:
    """Whether the kernels have proved themselves on `device`: tried once."""
    said: bool = kernels.proven("struck", device, lambda: right(partial(_struck, kernels), device))
    return said


def _struck(
    kernels: Any,
    operator: Operator,
    inputs: Sequence[Tensor | None],
    *,
    out: Tensor,
    keys: Tensor,
    images: tuple[int, int],
    non_finite: Tensor,
) -> bool:
    if operator.first_step:
        return False
    words = (
        operator
        if isinstance(operator, Quantized)
        else Quantized(inner=operator, reads=(None,) * len(inputs), writes=None)
    )
    inner, affines, writes = words.inner, words.reads, words.writes
    if out.dtype != (torch.float32 if writes is None else writes.grid.dtype):
        return False
    reads = [_read(kernels, x, affine, out) for x, affine in zip(inputs, affines, strict=True)]
    rest = {
        "write": kernels.Write(out=out) if writes is None else kernels.Write(out=out, affine=writes),
        "keys": keys.reshape(-1),
        "images": images,
        "non_finite": non_finite,
    }
    kind = type(inner)
    if kind in _ELEMENTS and None not in reads:
        kernels.hit_elements(_ELEMENTS[kind](inner), tuple(reads), **rest)
        return True
    if kind not in _ROWS or reads[0] is None:
        return False
    x, *parameters = inputs
    assert x is not None
    dims = tuple(sorted(d % x.ndim for d in _ROWS[kind](inner)))
    n = math.prod(x.shape[d] for d in dims)
    plain = all(
        p is None or (_plain(p, n, out) and affine is None) for p, affine in zip(parameters, affines[1:], strict=True)
    )
    if n > kernels.LONGEST or not plain:
        return False
    kernels.hit_rows(
        inner.name, reads[0], dims=dims, parameters=tuple(parameters), eps=getattr(inner, "eps", 0.0), **rest
    )
    return True


def _read(kernels: Any, x: Tensor | None, affine: Affine | None, out: Tensor) -> Any:
    """What a kernel reads of an input, or None where there is none, or of another kind."""
    if x is None or x.dtype not in (OCTETS if affine is not None else (torch.float32,)):
        return None
    if x.device != out.device:
        x = x.to(out.device)  # a number among the inputs
    return kernels.Read(x=x) if affine is None else kernels.Read(x=x, affine=affine)


def _plain(parameter: Tensor, n: int, out: Tensor) -> bool:
    """Whether a kernel reads a parameter of rows as it lies."""
    right = parameter.dtype == torch.float32 and parameter.device == out.device
    return right and parameter.numel() == n and parameter.is_contiguous()
