"""The bit-flip interpreter on a GPU, without synchronising with the host."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from radhard.faults.device.keys import carry
from radhard.faults.interpreter import BitFlipInterpreter, no_chain, no_sum
from radhard.faults.locate import Column, Hits, StepFlips
from radhard.kernels.chains import chains_of_pairs
from radhard.kernels.octets import OCTETS
from radhard.kernels.on_device import on_device
from radhard.machine import Plain, Rows
from radhard.words import Words, flip_known, word_of


@dataclass(frozen=True, kw_only=True, eq=False)
class StepOnDevice:
    """The flips of one step of a definition, on the host as `flips` and on the device.

    `words` [3, w] int64 are unit, place within it and mask of every word that is hit, `keys` [f] int64 (unit << 27 |
    (2 place) << 6 | bit) every flip.
    """

    flips: StepFlips
    of_words: Column
    words: Tensor
    keys: Tensor


def carried(hits: Hits, device: torch.device) -> dict[int, StepOnDevice]:
    """The flips of every step, in one copy."""
    steps = hits.steps(0, len(hits.units))
    parts, ends = list[Column](), list[Column]()
    for flips in steps.values():
        first = np.flatnonzero(
            np.concatenate([[True], (flips.unit[1:] != flips.unit[:-1]) | (flips.within[1:] != flips.within[:-1])])
        )
        mask = np.add.reduceat(np.int64(1) << flips.bit, first)  # distinct bits of one word: their sum is their XOR
        parts += [flips.unit[first], flips.within[first], mask, flips.unit << 27 | flips.within << 7 | flips.bit]
        ends.append(flips.unit[first])
    if not parts:
        return {}
    pieces = list(carry(np.concatenate(parts), device).split([len(part) for part in parts]))
    return {
        step: StepOnDevice(
            flips=flips,
            of_words=of_words,
            words=torch.stack(pieces[4 * place : 4 * place + 3]),
            keys=pieces[4 * place + 3],
        )
        for place, ((step, flips), of_words) in enumerate(zip(steps.items(), ends, strict=True))
    }


class BitFlipInterpreterOnDevice(BitFlipInterpreter):
    """As `BitFlipInterpreter`, on a stack of units `units` = (first, last) of those that flips hit, others behind."""

    def __init__(
        self, flips: Mapping[int, StepOnDevice], words: Words, *, units: tuple[int, int], first: int = 0
    ) -> None:
        super().__init__({}, words, first=first)
        self._carried = flips
        self._units = units

    def _words(self) -> tuple[Tensor, Tensor, Tensor] | None:
        """The words of the next step that are hit: unit of the stack, place within it, mask [w] int64."""
        found = self._carried.get(self._step)
        self._step += 1
        if found is None:
            return None
        first, last = self._units
        i, j = np.searchsorted(found.of_words, [first, last])
        unit, within, mask = found.words[:, i:j]
        return (unit - first if first else unit, within, mask) if i < j else None

    def _keys(self) -> Tensor | None:
        """The flips of the next two steps as keys of chains."""
        found, first, last = [], *self._units
        for of_sum in range(2):
            step = self._carried.get(self._step + of_sum)
            if step is not None:
                i, j = np.searchsorted(step.flips.unit, [first, last])
                found.append(step.keys[i:j] - (first << 27) + 3 * of_sum * 64)  # time 2 t, or 2 (t - 1) + 3
        self._step += 2
        if not found or not sum(len(keys) for keys in found):
            return None
        return torch.cat(found).sort().values if len(found) > 1 else found[0]

    def _hit(self, values: Tensor) -> Tensor:
        words = self._words()
        if words is None:
            return values
        unit, within, mask = words
        flat = values.reshape(len(values), -1).clone()
        place = unit * flat.shape[1] + within
        flat.view(-1)[place] = flip_known(flat.view(-1)[place], mask, word_of(values.dtype))
        return flat.view(values.shape)

    def gemm(self, a: Rows, b: Rows, bias: Tensor | None, ends: tuple[int, ...] = ()) -> Tensor:
        """All chains as torch multiplies integers, those that are hit by the kernel; in float32 one word at a time."""
        x, y = a.dense(), b.dense()
        kernels = on_device(x)
        if x.dtype in OCTETS:
            out = Plain().gemm(a, b, bias, ends)
            keys = self._keys()
            if keys is not None:
                for place, end in enumerate(ends or (x.shape[1],)):
                    added = None if bias is None or end < x.shape[1] else bias.to(torch.int32)
                    chains = chains_of_pairs(x, y, out[:, place] if ends else out, bias=added, k=end)
                    kernels.flip_chains(chains, keys, product_bits=self._formats.product.bits)
            return out
        if x.dtype != torch.float32:
            raise no_chain(x.dtype)
        products, sums = (self._masks(x, kernels) for _ in range(2))
        found: Tensor = kernels.running_products(x, y, bias, products=products, sums=sums)
        return found

    def sum(self, x: Tensor) -> Tensor:
        """Each row word by word, in float32, int32 or int64."""
        if x.dtype not in (torch.float32, torch.int32, torch.int64):
            raise no_sum(x.dtype)
        kernels = on_device(x)
        rows = x if x.dtype == torch.float32 else x.to(torch.int64)
        total: Tensor = kernels.running_sums(rows, self._masks(x, kernels), bits=word_of(x.dtype).bits)
        return total.to(x.dtype)[:, None]

    def _masks(self, x: Tensor, kernels: Any) -> Any:
        nothing = torch.empty(0, dtype=torch.int64, device=x.device)
        unit, at, mask = self._words() or (nothing, nothing, nothing)
        return kernels.Masks(unit=unit, at=at, mask=mask)
