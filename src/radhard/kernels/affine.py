"""The scale and zero point of 8-bit words."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.kernels.grid import SYMMETRIC, Grid
from radhard.kernels.octets import every_octet
from radhard.kernels.write import look_up


@dataclass(frozen=True, kw_only=True)
class Affine:
    """How words of 8 bits stand for numbers: number = (word - zero) * scale, `scale` a float32 above 0."""

    scale: float
    grid: Grid = SYMMETRIC

    @property
    def factor(self) -> float:
        """What a number is multiplied by before it is rounded: 1 / scale."""
        return 1.0 / self.scale

    @property
    def table(self) -> Tensor:
        """What each of the 256 words stands for, in the order of octets: [256] float32."""
        return (every_octet(self.grid.dtype).to(torch.float32) - self.grid.zero) * self.scale

    def centred(self, x: Tensor) -> Tensor:
        """Words [...] -> words less the zero point [...] int16; the tensor itself where that is 0, or no words."""
        return x.to(torch.int16) - self.grid.zero if self.grid.zero and not x.is_floating_point() else x

    def read(self, x: Tensor) -> Tensor:
        """Words [...] -> the numbers that they stand for [...] float32, lying in memory as x does."""
        return look_up(x, _table(self, x.device))


FLOATS = Affine(scale=1.0)
"""Stands for float32 that a kernel reads or writes as it is: neither zero point nor scale changes it."""


@lru_cache(maxsize=4096)
def _table(affine: Affine, device: torch.device) -> Tensor:
    """The table of `affine`, taken to `device` once: each copy would wait for it."""
    return affine.table.to(device)


def affine_of(scale: float, grid: Grid, *, place: str) -> Affine:
    """Affine of a scale rounded to float32. InputError names the place if it is not positive and finite."""
    value, scale = scale, float(torch.tensor(scale, dtype=torch.float32))
    if not (math.isfinite(scale) and scale > 0.0):
        raise InputError(
            f"the scale of {place} is {value}: calibrate with images whose activations are finite and not all zero"
        )
    return Affine(scale=scale, grid=grid)
