"""What the words of a quantised graph stand for: activations and weights in 8 bits, biases in accumulators.

Words in uint8 become int8 ones 128 lower, their zero point with them: the same numbers, and products of 16 bits.
"""

from typing import Any

import torch
from torch import Tensor

from radhard.errors import CaptureError
from radhard.machine import Grid
from radhard.operators import Affine, affine_of

Words = tuple[Tensor, Tensor]
"""A weight [n, ...] int8, and the scale of each of its n channels [n] float32."""


def affine_of_words(scale: Any, zero: Any, low: Any, high: Any, dtype: Any, *, place: str) -> Affine:
    """The arguments of a (de)quantisation -> Affine. CaptureError unless they are constants, and the words 8 bits."""
    if dtype not in (torch.int8, torch.uint8) or scale is None or zero is None:
        raise CaptureError(
            f"{place} quantises to {dtype} with scale {scale}, zero point {zero}: constant ones and 8 bits are known; "
            "quantise statically, with radhard.quantize or torchao's PT2E"
        )
    down = 128 if dtype == torch.uint8 else 0
    return affine_of(float(scale), Grid(zero=int(zero) - down, low=int(low) - down, high=int(high) - down), place=place)


def channel_weight(words: Any, scales: Tensor, zeros: Tensor, *, axis: int, place: str) -> tuple[Tensor, Words | None]:
    """A constant with a scale for each entry of `axis` -> its values, and its words where the axis is the first."""
    if not isinstance(words, Tensor) or words.dtype != torch.int8 or bool((zeros != 0).any()):
        raise CaptureError(f"{place}: weights per channel must be constant int8 words with zero point 0")
    shape = [-1 if d == axis else 1 for d in range(words.ndim)]
    value = words.to(torch.float32) * scales.to(torch.float32).view(shape)
    return value, (words, scales.to(torch.float32)) if axis == 0 else None


def tensor_weight(words: Tensor, affine: Affine) -> tuple[Tensor, Words | None]:
    """A constant with one scale -> its values, and its words where they are symmetric."""
    if words.dtype == torch.uint8:
        words = (words.to(torch.int16) - 128).to(torch.int8)
    value = (words.to(torch.float32) - affine.grid.zero) * affine.scale
    if affine.grid.zero or not words.ndim:
        return value, None
    return value, (words, torch.full((len(words),), affine.scale))


def accumulator_bias(bias: Tensor | None, words: Tensor, *, per_column: Tensor, zero: int, place: str) -> Tensor | None:
    """`bias` [n] float, weight `words` [n, ...] -> what is added to the accumulators [n] int32, or None for nothing.

    Rounded to units of `per_column` [n] float64, less the share of the input's `zero` point: sum_t (x_t - zero) w_t =
    sum_t x_t w_t - zero sum_t w_t.
    """
    whole = -zero * words.flatten(1).to(torch.float64).sum(1)
    if bias is not None:
        whole = whole + (bias.to(torch.float64) / per_column).round()
    elif not zero:
        return None
    if bool((whole.abs() >= 2**31).any()):
        raise CaptureError(f"{place}: a bias does not fit its int32 accumulator; its weights are all but 0")
    return whole.to(torch.int32)
