"""An upset of one word of many: where it is, and the same words with one bit of it flipped."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.hardware.fault_model import PlaceRecord
from radhard.kernels.bits import bits


@dataclass(frozen=True, kw_only=True)
class WordArray:
    """Words of `dtype` of the `shape`, counted row by row.

    >>> import torch
    >>> from radhard.hardware import WordArray
    >>> WordArray(dtype=torch.float32, shape=(4, 8, 8)).width
    32
    """

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """Words."""
        return math.prod(self.shape)

    @property
    def width(self) -> int:
        """Bits of a word."""
        return 8 * self.dtype.itemsize


@dataclass(frozen=True, kw_only=True)
class WordUpset:
    """Bit `bit` of word `word` of `words` flips in the inference of `image`; bit 0 is the least significant."""

    words: WordArray
    word: int
    bit: int
    image: int = 0

    def __post_init__(self) -> None:
        for name, value, limit in (("word", self.word, self.words.count), ("bit", self.bit, self.words.width)):
            if not 0 <= value < limit:
                shape = " x ".join(map(str, self.words.shape))
                raise InputError(
                    f"{name} {value}: there are {shape} words of {self.words.width} bits; {name}s are counted from 0 "
                    f"to {limit - 1}"
                )

    @property
    def place(self) -> tuple[int, ...]:
        """Where the word is among the others."""
        return tuple(int(x) for x in np.unravel_index(self.word, self.words.shape))

    def record(self) -> PlaceRecord:
        """Word and bit."""
        return {"word": self.word, "bit": self.bit}

    def flip(self, words: Tensor, flat: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        """Flip the bit in the words at the places `flat` [w] int64 of `words` [...], counted row by row, in place."""
        at = tuple(torch.from_numpy(axis).to(words.device) for axis in np.unravel_index(flat, tuple(words.shape)))
        raw, one = bits(words), 1 << self.bit
        raw[at] ^= one - (1 << self.words.width) if self.bit == self.words.width - 1 else one
