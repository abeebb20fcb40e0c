"""An upset of one word of many: where it is, and words with bits flipped."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.hardware.fault_model import PlaceRecord
from radhard.kernels.bits import bits

Column = np.ndarray[tuple[int], np.dtype[np.int64]]


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

    def place(self, word: int) -> tuple[int, ...]:
        """Where a word is among the others, by its number."""
        return tuple(int(x) for x in np.unravel_index(word, self.shape))


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
        return self.words.place(self.word)

    def record(self) -> PlaceRecord:
        """Word and bit."""
        return {"word": self.word, "bit": self.bit}


def flip_words(words: Tensor, flat: Column, masks: Column) -> None:
    """Flip the bits `masks` [w] int64 of the words at the places `flat` [w] of `words` [...], row by row, in place.

    No place is there twice.
    """
    at = tuple(torch.from_numpy(axis).to(words.device) for axis in np.unravel_index(flat, tuple(words.shape)))
    raw, width = bits(words), 8 * words.element_size()
    signed = np.where(masks >> (width - 1) & 1, masks - (1 << width), masks)
    raw[at] ^= torch.from_numpy(signed).to(device=raw.device, dtype=raw.dtype)
