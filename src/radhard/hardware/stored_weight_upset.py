"""An upset of a stored weight: a layer reads the wrong word throughout the inference of one image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.hardware.word_upset import WordUpset
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
        x, weight, *rest = inputs
        if weight is None or tuple(weight.shape) != self.words.shape or weight.dtype != self.words.dtype:
            raise InputError(f"site {site.name!r} reads another weight than the one that is upset")
        wrong = weight.clone(memory_format=torch.contiguous_format)
        self.flip(wrong, np.array([self.word], np.int64))
        units = operator.units((x, wrong, *rest))
        whole, mine = site.image_units(units.grid)
        every = torch.arange(units.count)
        slots = (images == self.image).nonzero().flatten()
        own = every[torch.isin(every % whole // mine, slots)]
        _, column, *_ = units.gather(own)
        assert isinstance(column, Rows)
        hit = own[column.index.cpu() == self.word // (self.words.count // self.words.shape[0])]
        if len(hit):
            units.scatter(out, hit, operator.definition(Plain(), *units.gather(hit)))
