"""An upset of a stored weight: a layer reads the wrong word throughout the inference of one image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.hardware.word_upset import WordArray, WordUpset, flip_words
from radhard.machine import Operator, Plain, Rows, Site


@dataclass(frozen=True, kw_only=True)
class StoredWeightUpset(WordUpset):
    """One bit of one word of a layer's weight [n, ...], which all outputs of a column or channel read.

    >>> import torch
    >>> from radhard.hardware import StoredWeightUpset, WordArray
    >>> upset = StoredWeightUpset(words=WordArray(dtype=torch.int8, shape=(8, 3, 3, 3)), word=30, bit=7)
    >>> upset.place
    (1, 0, 1, 0)
    """

    def strike(
        self, out: Tensor, operator: Operator, inputs: Sequence[Tensor | None], site: Site, *, images: Tensor
    ) -> None:
        """Compute what reads the word, for one of the `images` [B] int64, again with the wrong one, in place."""
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
        """Compute again what reads the `words` of which the bits `masks`, by the number of the word, are wrong."""
        x, weight, *rest = inputs
        if weight is None or tuple(weight.shape) != words.shape or weight.dtype != words.dtype:
            raise InputError(f"site {site.name!r} reads another weight than the one that is upset")
        wrong, at = weight.clone(memory_format=torch.contiguous_format), np.array(list(masks), np.int64)
        flip_words(wrong, at, np.array(list(masks.values()), np.int64))
        units = operator.units((x, wrong, *rest))
        whole, mine = site.image_units(units.grid)
        every = torch.arange(units.count)
        slots = (images == image).nonzero().flatten()
        own = every[torch.isin(every % whole // mine, slots)]
        _, column, *_ = units.gather(own)
        assert isinstance(column, Rows)
        read = torch.from_numpy(np.unique(at // (words.count // words.shape[0])))
        hit = own[torch.isin(column.index.cpu(), read)]
        if len(hit):
            units.scatter(out, hit, operator.definition(Plain(), *units.gather(hit)))
