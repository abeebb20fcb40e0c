"""An upset of a word of an operator's output: it is wrong once it is written, before anybody reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from radhard.hardware.word_upset import WordArray, WordUpset, flip_words
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
        """Flip the bit in `out`, for a batch of the `images` [B] int64, in place."""
        masks = {self.word: 1 << self.bit}
        self.strike_words(out, operator, inputs, site, words=self.words, masks=masks, image=self.image, images=images)

    @staticmethod
    def strike_words(
        out: Tensor,
        operator: Operator,
        inputs: Sequence[Tensor | None],
        site: Site,
        *,
        words: WordArray,
        masks: Mapping[int, int],
        image: int,
        images: Tensor,
    ) -> None:
        """Flip the bits `masks` of `words`, by the number of the word, in `out`, in place.

        Where an operator is executed in stages, only the last of them yields words of the output: the others are left.
        """
        del operator, inputs
        if out.dtype == words.dtype and out.ndim == len(words.shape):
            slots = np.flatnonzero(images.cpu().numpy() == image)
            own = np.tile(np.array(list(masks), np.int64), len(slots))
            flat = site.flat(tuple(out.shape), np.repeat(slots, len(masks)), own)
            flip_words(out, flat, np.tile(np.array(list(masks.values()), np.int64), len(slots)))
