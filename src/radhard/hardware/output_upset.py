"""An upset of a word of an operator's output: it is wrong once it is written, before anybody reads it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from radhard.hardware.word_upset import WordUpset
from radhard.machine import Operator, Site


@dataclass(frozen=True, kw_only=True)
class OutputUpset(WordUpset):
    """One bit of one word of the output for one image.

    >>> import torch
    >>> from radhard.hardware import OutputUpset, WordArray
    >>> upset = OutputUpset(words=WordArray(dtype=torch.float32, shape=(4, 8, 8)), word=70, bit=31)
    >>> upset.place
    (1, 0, 6)
    """

    def strike(
        self, out: Tensor, operator: Operator, inputs: Sequence[Tensor | None], site: Site, *, images: Tensor
    ) -> None:
        """Flip the bit in `out`, for a batch of the `images` [B] int64, in place.

        Where an operator is executed in stages, only the last of them yields words of the output: the others are left.
        """
        del operator, inputs
        if out.dtype == self.words.dtype and out.ndim == len(self.words.shape):
            slots = np.flatnonzero(images.cpu().numpy() == self.image)
            self.flip(out, site.flat(tuple(out.shape), slots, np.full(len(slots), self.word, np.int64)))
