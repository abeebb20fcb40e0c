"""What kernels that recompute hit units share: reading the flips of a unit and applying them to a word.

A flip is a key, int64: `unit << 27 | step << 22 | within << 6 | bit`. The keys of a unit stand side by side, ascending;
NONE stands for no flip, and may stand anywhere else. Floats are float32; one that is NaN is made the quiet NaN without
a sign before a bit of it flips (`radhard.words`).
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from radhard.kernels.affine import FLOATS, Affine

NONE = tl.constexpr((1 << 63) - 1)
UNIT = tl.constexpr(27)
_NAN = tl.constexpr(0x7FC00000)


@dataclass(frozen=True, kw_only=True, eq=False)
class Read:
    """A tensor that a definition reads: float32, or words of 8 bits and what they stand for."""

    x: Tensor
    affine: Affine = FLOATS


@dataclass(frozen=True, kw_only=True, eq=False)
class Write:
    """A tensor that takes results: float32, or words of 8 bits and what they stand for."""

    out: Tensor
    affine: Affine = FLOATS


@lru_cache(maxsize=4096)
def geometry(shape: tuple[int, ...], strides: tuple[tuple[int, ...], ...], device: torch.device) -> Tensor:
    """Sizes of the axes, then the strides of each tensor along them: [axes (1 + tensors)] int64 on the device.

    Kernels read them from there, so that they are compiled for any rank at once.
    """
    return torch.tensor(
        [*shape, *(stride for tensor in strides for stride in tensor)], dtype=torch.int64, device=device
    )


@triton.jit
def struck(value, keys, at, count, most, step, place):  # type: ignore[no-untyped-def]
    """`value` float32, word `place` of this step of a unit's definition -> the same with its flips.

    The unit's flips are `count` keys from `at`, of which there are at most `most`. All of these are of the value's
    shape, or broadcast with it.
    """
    bits = value.to(tl.int32, bitcast=True)
    mask = bits ^ bits
    for j in range(most):
        key = tl.load(keys + at + j, mask=j < count, other=NONE)
        mine = (j < count) & (((key >> 22) & 31) == step) & (((key >> 6) & 0xFFFF) == place)
        mask ^= tl.where(mine, 1 << (key & 31).to(tl.int32), 0)
    bits = tl.where(value == value, bits, _NAN) ^ mask
    return tl.where(mask != 0, bits.to(tl.float32, bitcast=True), value)


@triton.jit
def not_finite(value):  # type: ignore[no-untyped-def]
    """Whether a float32 number is not finite."""
    return (value.to(tl.int32, bitcast=True) & 0x7F800000) == 0x7F800000


@triton.jit  # type: ignore[untyped-decorator]
def number(pointer, mask, zero, scale, WORDS: tl.constexpr):  # type: ignore[no-untyped-def]
    """What lies at `pointer`: a float32, or what a word stands for, and nothing of it hit."""
    value = tl.load(pointer, mask=mask, other=0)
    if WORDS:
        value = (value.to(tl.int32) - zero).to(tl.float32) * scale
    return value
