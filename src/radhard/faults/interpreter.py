"""The bit-flip interpreter: computes the definition of an operator on hit units, with flips in its words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radhard.errors import InputError
from radhard.faults.chains import float_chains, float_sums, int_chains, int_sums
from radhard.faults.locate import Column, StepFlips
from radhard.kernels.octets import OCTETS
from radhard.kernels.threads import split
from radhard.machine import Grid, Plain, Rows, Special, apply_special
from radhard.words import Words, flip_mask, word_of

_PER_ELEMENT = 16  # products that take about as long as an element of other work
_NONE = StepFlips(unit=np.empty(0, np.int64), within=np.empty(0, np.int64), bit=np.empty(0, np.int64))


class BitFlipInterpreter(Plain):
    """Interprets a definition on units [u, ...] with the flips of its steps, numbered in order from `first`."""

    def __init__(self, flips: Mapping[int, StepFlips], words: Words, *, first: int = 0) -> None:
        self._flips = flips
        self._formats = words
        self._step = first
        self.non_finite: Tensor | None = None  # where the definition quantised what is not finite

    def _next(self) -> StepFlips:
        self._step += 1
        return self._flips.get(self._step - 1, _NONE)

    def _hit(self, values: Tensor) -> Tensor:
        """Words [u, ...] that nobody else holds, with the flips of the next step in them."""
        flips = self._next()
        if not len(flips.unit):
            return values
        word = word_of(values.dtype)
        flat = values.reshape(len(values), -1)
        place = flips.unit * flat.shape[1] + flips.within  # ascending
        first = np.flatnonzero(np.concatenate([[True], place[1:] != place[:-1]]))
        mask = np.add.reduceat(np.int64(1) << flips.bit, first)  # distinct bits of one word: their sum is their XOR
        hit = torch.from_numpy(place[first])
        flat.view(-1)[hit] = flip_mask(flat.view(-1)[hit], torch.from_numpy(mask), word)
        return flat.view(values.shape)

    def gemm(self, a: Rows, b: Rows, bias: Tensor | None, ends: tuple[int, ...] = ()) -> Tensor:
        """Each hit chain word by word."""
        products, sums = (_columns(self._next()) for _ in range(2))
        rows = (*a.arrays, *b.arrays)
        kind = a.matrix.dtype
        if kind in OCTETS:
            given = np.empty(0, np.int64) if bias is None else _array(bias.to(torch.int64))
            stops = np.array(ends or (a.matrix.shape[1],), np.int64)
            total = np.empty((len(a.index), len(stops)), np.int64)
            bits = (self._formats.product.bits, self._formats.accumulator.bits)
            chosen = (*rows, given, stops, products, sums, bits)
            split(len(total), 1 + a.matrix.shape[1] // _PER_ELEMENT, lambda i, j: int_chains(*chosen, i, j, total))
            found = torch.from_numpy(total).to(self._formats.accumulator.dtype)
            return found if ends else found[:, 0]
        if kind != torch.float32:
            raise no_chain(kind)
        added = np.empty(0, np.float32) if bias is None else _array(bias)
        out = np.empty(len(a.index), np.float32)
        split(len(out), a.matrix.shape[1], lambda i, j: float_chains(*rows, added, products, sums, i, j, out))
        return torch.from_numpy(out)

    def sum(self, x: Tensor) -> Tensor:
        """Each row word by word, in float32, int32 or int64."""
        if x.dtype in (torch.int32, torch.int64):
            total = np.empty(len(x), np.int64)
            int_sums(_array(x.to(torch.int64)), _columns(self._next()), word_of(x.dtype).bits, total)
            return torch.from_numpy(total).to(x.dtype)[:, None]
        if x.dtype != torch.float32:
            raise no_sum(x.dtype)
        out = np.empty(len(x), np.float32)
        float_sums(_array(x), _columns(self._next()), out)
        return torch.from_numpy(out)[:, None]

    def mul(self, x: Tensor, y: Tensor | float) -> Tensor:
        """Products, hit."""
        return self._hit(x * y)

    def add(self, x: Tensor, y: Tensor | float) -> Tensor:
        """Sums, hit."""
        return self._hit(x + y)

    def load(self, x: Tensor) -> Tensor:
        """Words, hit."""
        return self._hit(x.clone())

    def special(self, function: Special, x: Tensor) -> Tensor:
        """Function values, hit."""
        return self._hit(apply_special(function, x))

    def scale(self, x: Tensor, factor: Tensor | float) -> Tensor:
        """Scaled values, hit."""
        return self._hit(x * factor)

    def quantize(self, x: Tensor, grid: Grid) -> Tensor:
        """Rounded and saturated; where it is not finite is kept."""
        self.non_finite = ~x.isfinite()
        return super().quantize(x, grid)


def no_chain(dtype: torch.dtype) -> InputError:
    """What a product of other words is refused with."""
    return InputError(f"a matrix product of {dtype} words: chains are of words of 8 bits or float32")


def no_sum(dtype: torch.dtype) -> InputError:
    """What a sum of other words is refused with."""
    return InputError(f"a running sum of {dtype} words: sums are float32, int32 or int64")


def _array(x: Tensor) -> NDArray[Any]:
    return x.contiguous().numpy()


def _columns(flips: StepFlips) -> tuple[Column, Column, Column]:
    return flips.unit, flips.within, flips.bit
