"""Memory faults: a multi-cell upset (MCU) of neighbouring bits in one memory line, before it is read.

All that reads the words later reads them so: the product, checks that are made then, and repairs.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from radhard.errors import InputError
from radhard.hardware.fault import check_mask
from radhard.kernels.octets import OCTETS, as_signed

LINE = 4  # words of 8 bits


@dataclass(frozen=True, kw_only=True)
class MultiCellUpset:
    """The bits `mask` of line `line` flip: words 4 line ... 4 line + 3 in row-major order, the first word lowest."""

    line: int
    mask: int

    def __post_init__(self) -> None:
        check_mask(self.mask, 8 * LINE)

    def apply(self, words: Tensor) -> Tensor:
        """Words [...] of 8 bits -> a copy with the upset in it. InputError for others, or a line that they lack."""
        if words.dtype not in OCTETS:
            raise InputError(f"an upset of {words.dtype} words: lines are of words of 8 bits")
        flat = as_signed(words.flatten().clone())
        hit = [(LINE * self.line + place, self.mask >> 8 * place & 0xFF) for place in range(LINE)]
        hit = [(place, mask) for place, mask in hit if mask]
        if self.line < 0 or hit[-1][0] >= len(flat):
            raise InputError(f"an upset of line {self.line}: {len(flat)} words have {len(flat) // LINE} whole ones")
        for place, mask in hit:
            flat[place] ^= mask - 256 if mask > 127 else mask
        return flat.view(words.dtype).view(words.shape)


def sample_upset(words: Tensor, mask: int, *, seed: int) -> MultiCellUpset:
    """The upset `mask` of a line of `words` [...] that `seed` chooses. InputError if they have no whole line."""
    if words.numel() < LINE:
        raise InputError(f"{words.numel()} words have no line of {LINE}: there is nothing that an upset could hit")
    return MultiCellUpset(line=int(np.random.default_rng(seed).integers(0, words.numel() // LINE)), mask=mask)
