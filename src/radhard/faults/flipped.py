"""The arithmetic of a text with flips in it: on a stack of hit units, every word that a flip hits is changed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radhard.errors import InputError
from radhard.faults.chains import float_chains, float_sums, int_chains
from radhard.faults.locate import Column, StepFlips, sort_columns
from radhard.machine import Plain, Rows, Special, apply_special
from radhard.machine.threads import split
from radhard.words import Word, Words, flip_mask, word_of

_NONE = StepFlips(unit=np.empty(0, np.int64), within=np.empty(0, np.int64), bit=np.empty(0, np.int64))


class Flipped(Plain):
    """Reads a text on units [u, ...] with the flips of each of its steps (numbered in the text's order)."""

    def __init__(self, flips: Mapping[int, StepFlips], words: Words) -> None:
        self._flips = flips
        self._words = words
        self._step = 0
        self.strange: Tensor | None = None  # where the text quantised what is not finite

    def _next(self) -> StepFlips:
        self._step += 1
        return self._flips.get(self._step - 1, _NONE)

    def _hit(self, values: Tensor) -> Tensor:
        """Words [u, ...] with the flips of the next step in them."""
        flips = self._next()
        if not len(flips.unit):
            return values
        word = word_of(values.dtype)
        flat = values.reshape(len(values), -1).clone()
        place = flips.unit * flat.shape[1] + flips.within  # ascending
        first = np.flatnonzero(np.concatenate([[True], place[1:] != place[:-1]]))
        mask = np.add.reduceat(np.int64(1) << flips.bit, first)  # distinct bits of one word: their sum is their XOR
        hit = torch.from_numpy(place[first])
        flat.view(-1)[hit] = flip_mask(flat.view(-1)[hit], torch.from_numpy(mask), word)
        return flat.view(values.shape)

    def gemm(self, a: Rows, b: Rows, bias: Tensor | None) -> Tensor:
        """Each hit chain word by word."""
        products, sums = self._next(), self._next()
        merged = _merge(products, sums)
        first = np.searchsorted(merged.unit, np.arange(len(a.index) + 1)).astype(np.int64)
        x, y = a.matrix.contiguous().numpy(), b.matrix.contiguous().numpy()
        rows = (x, a.index.numpy(), y, b.index.numpy())
        if a.matrix.dtype == torch.int8:
            masks = _masks(merged, self._words.product, self._words.accumulator)
            given = np.empty(0, np.int64) if bias is None else bias.to(torch.int64).numpy()
            total = np.empty(len(a.index), np.int64)

            def run_int(i: int, j: int) -> None:
                flips = (first[i : j + 1], merged.at, merged.is_add, masks)
                here = given[i:j] if len(given) else given
                chosen = (rows[0], rows[1][i:j], rows[2], rows[3][i:j])
                int_chains(*chosen, here, *flips, self._words.accumulator.bits, total[i:j])

            split(len(a.index), x.shape[1], run_int)
            return torch.from_numpy(total).to(self._words.accumulator.dtype)
        if a.matrix.dtype != torch.float32:
            raise InputError(f"a matrix product of {a.matrix.dtype} words: chains are int8 or float32")
        word = word_of(torch.float32)
        masks = _masks(merged, word, word)
        given_float = np.empty(0, np.float32) if bias is None else bias.contiguous().numpy()
        out = np.empty(len(a.index), np.float32)

        def run(i: int, j: int) -> None:
            flips = (first[i : j + 1], merged.at, merged.is_add, masks)
            here = given_float[i:j] if len(given_float) else given_float
            float_chains(rows[0], rows[1][i:j], rows[2], rows[3][i:j], here, *flips, out[i:j])

        split(len(a.index), x.shape[1], run)
        return torch.from_numpy(out)

    def sum(self, x: Tensor) -> Tensor:
        """Each row word by word, in float32."""
        flips = self._next()
        if x.dtype != torch.float32:
            raise InputError(f"a running sum of {x.dtype} words: sums are float32")
        out = np.empty(len(x), np.float32)
        first = np.searchsorted(flips.unit, np.arange(len(x) + 1)).astype(np.int64)
        mask = _signed(np.int64(1) << flips.bit, 32)
        float_sums(x.contiguous().numpy(), first, flips.within + 1, mask, out)
        return torch.from_numpy(out)[:, None]

    def mul(self, x: Tensor, y: Tensor | float) -> Tensor:
        """Products, hit."""
        return self._hit(x * y)

    def add(self, x: Tensor, y: Tensor | float) -> Tensor:
        """Sums, hit."""
        return self._hit(x + y)

    def load(self, x: Tensor) -> Tensor:
        """Words, hit."""
        return self._hit(x)

    def special(self, function: Special, x: Tensor) -> Tensor:
        """Function values, hit."""
        return self._hit(apply_special(function, x))

    def scale(self, x: Tensor, factor: Tensor | float) -> Tensor:
        """Scaled values, hit."""
        return self._hit(x * factor)

    def quantize(self, x: Tensor) -> Tensor:
        """Rounded and saturated; where it is not finite is kept."""
        self.strange = ~x.isfinite()
        return super().quantize(x)


@dataclass(frozen=True, kw_only=True, eq=False)
class _ChainFlips:
    unit: Column
    at: Column
    is_add: NDArray[np.bool_]
    bit: Column


def _merge(products: StepFlips, sums: StepFlips) -> _ChainFlips:
    """Flips of products (t) and of running sums (t - 1) as one list, ordered by chain, t, products first."""
    unit = np.concatenate([products.unit, sums.unit])
    at = np.concatenate([products.within, sums.within + 1])
    is_add = np.repeat(np.array([0, 1], dtype=np.int64), [len(products.unit), len(sums.unit)])
    bit = np.concatenate([products.bit, sums.bit])
    unit, at, added, bit = sort_columns(unit, at, is_add, bit)
    return _ChainFlips(unit=unit, at=at, is_add=added.astype(bool), bit=bit)


def _masks(flips: _ChainFlips, product: Word, accumulator: Word) -> Column:
    """The mask of each flip, sign-extended from its own word."""
    bits = np.where(flips.is_add, accumulator.bits, product.bits)
    return _signed(np.int64(1) << flips.bit, bits)


def _signed(mask: Column, bits: Column | int) -> Column:
    shift = np.asarray(64 - np.asarray(bits), dtype=np.int64)
    signed: Column = (mask << shift) >> shift
    return signed
