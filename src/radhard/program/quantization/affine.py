"""Scales of a quantised graph: 8-bit activations and weights, biases in 32-bit accumulators.

Activations in uint8 stay so: products with int8 weights are words of 16 bits. Weights in uint8 become int8 ones 128
lower, their zero point with them: the same numbers.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from radhard.errors import CaptureError
from radhard.kernels.octets import lowered
from radhard.machine import Grid
from radhard.operators import Affine, affine_of

ScaledInts = tuple[Tensor, Tensor]
"""A weight [n, ...] int8, and the scale of each of its n channels [n] float32."""


def affine_of_words(scale: Any, zero: Any, low: Any, high: Any, dtype: Any, *, place: str) -> Affine:
    """The arguments of a (de)quantisation -> Affine. CaptureError unless they are constants, and the words 8 bits."""
    if dtype not in (torch.int8, torch.uint8) or scale is None or zero is None:
        raise CaptureError(
            f"{place} quantises to {dtype} with scale {scale}, zero point {zero}: constant ones and 8 bits are known; "
            "quantise statically, with radhard.quantize or torchao's PT2E"
        )
    return affine_of(float(scale), Grid(zero=int(zero), low=int(low), high=int(high), dtype=dtype), place=place)


def channel_weight(
    words: Any, scales: Tensor, zeros: Tensor, *, axis: int, place: str
) -> tuple[Tensor, ScaledInts | None]:
    """A constant with a scale for each entry of `axis` -> its values, and its words where the axis is the first."""
    if not isinstance(words, Tensor) or words.dtype != torch.int8 or bool((zeros != 0).any()):
        raise CaptureError(f"{place}: weights per channel must be constant int8 words with zero point 0")
    shape = [-1 if d == axis else 1 for d in range(words.ndim)]
    value = words.to(torch.float32) * scales.to(torch.float32).view(shape)
    return value, (words, scales.to(torch.float32)) if axis == 0 else None


def tensor_weight(words: Tensor, affine: Affine) -> tuple[Tensor, ScaledInts | None]:
    """A constant with one scale -> its values, and its words where they are symmetric."""
    value = (words.to(torch.float32) - affine.grid.zero) * affine.scale
    symmetric = affine.grid.zero == (128 if words.dtype == torch.uint8 else 0)
    if not symmetric or not words.ndim:
        return value, None
    if words.dtype == torch.uint8:
        words = lowered(words)
    return value, (words, torch.full((len(words),), affine.scale))


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerWeight:
    """A weight as an integer product takes it.

    `words` [n, ...] int8; `bias` [n] int32 in accumulators, or None for nothing; `scale` [n] float64: what a 1 in an
    accumulator stands for.
    """

    words: Tensor
    bias: Tensor | None
    scale: Tensor


def stored_weight(words: ScaledInts, bias: Tensor | None, *, reads: Affine, place: str) -> IntegerWeight:
    """A weight and its `bias` [n] float, of a layer that reads words of `reads`.

    The bias is rounded to what a 1 in the accumulator stands for, less the share of the input's zero point:
    sum_t (x_t - zero) w_t = sum_t x_t w_t - zero sum_t w_t. A channel whose accumulator may not hold a large bias and
    its products beside it gets a larger scale: the one at which the bias is 2^30, as in ONNX Runtime. CaptureError for
    a bias that no scale makes fit.
    """
    weight, scale = words[0], words[1].to(torch.float64)
    whole = _whole(weight, bias, unit=scale * reads.scale, zero=reads.grid.zero)
    if bias is not None:
        most = whole.abs() + 255 * weight.flatten(1).to(torch.float64).abs().sum(1)
        wanted = (bias.to(torch.float64).abs() / (2**30 * reads.scale)).to(torch.float32).to(torch.float64)
        larger = torch.where(most >= 2**31, torch.maximum(scale, wanted), scale)
        column = [-1] + [1] * (weight.ndim - 1)
        weight = (weight.to(torch.float64) * (scale / larger).view(column)).round().to(torch.int8)
        scale = larger
        whole = _whole(weight, bias, unit=scale * reads.scale, zero=reads.grid.zero)
    if not bool((whole.abs() < 2**31).all()):
        raise CaptureError(f"{place}: a bias does not fit its int32 accumulator, whatever the scale of its weights")
    nothing = bias is None and not reads.grid.zero
    return IntegerWeight(words=weight, bias=None if nothing else whole.to(torch.int32), scale=scale * reads.scale)


def _whole(weight: Tensor, bias: Tensor | None, *, unit: Tensor, zero: int) -> Tensor:
    """What is added to the accumulators of each channel, [n] float64."""
    whole = -zero * weight.flatten(1).to(torch.float64).sum(1)
    return whole if bias is None else whole + (bias.to(torch.float64) / unit).round()
