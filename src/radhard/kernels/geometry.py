"""The geometry of a convolution: which words of the padded input enter each output."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Filters of `size` (height, width) in `groups` of channels.

    `padding` is (top, left, bottom, right), of words `pad`.
    """

    size: Sequence[int]
    stride: Sequence[int] = (1, 1)
    padding: Sequence[int] = (0, 0, 0, 0)
    dilation: Sequence[int] = (1, 1)
    groups: int = 1
    pad: int = 0

    def padded(self, x: Tensor) -> Tensor:
        """`x` [b, c, h, w] with its padding; the tensor itself where there is none."""
        top, left, bottom, right = self.padding
        return functional.pad(x, (left, right, top, bottom), value=self.pad) if any(self.padding) else x

    def out_size(self, x: Tensor) -> tuple[int, int]:
        """(h', w') for `x` [b, c, h, w]."""
        top, left, bottom, right = self.padding
        sizes = (x.shape[2] + top + bottom, x.shape[3] + left + right)
        spans = [d * (s - 1) + 1 for d, s in zip(self.dilation, self.size, strict=True)]
        h, w = ((s - span) // step + 1 for s, span, step in zip(sizes, spans, self.stride, strict=True))
        return h, w

    @property
    def apart(self) -> bool:
        """Whether windows lie side by side and are larger than a word, as a vision transformer's patches: no word is
        read twice.
        """
        alone = self.groups == 1 and tuple(self.dilation) == (1, 1) and not any(self.padding)
        return alone and tuple(self.stride) == tuple(self.size) != (1, 1)

    def patches_apart(self, x: Tensor) -> Tensor:
        """`x` [b, c, h, w] of 8 bits -> a copy of its windows that lie `apart` [b h' w', c p q]."""
        (b, c), (h, w), (p, q), dtype = x.shape[:2], self.out_size(x), self.size, x.dtype
        x = x[:, :, : h * p, : w * q].contiguous()
        if q % 8 == 0 and x.storage_offset() % 8 == 0:  # eight words at a time
            x, q = x.view(torch.int64), q // 8
        rows = x.view(b, c, h, p, w, q).permute(0, 2, 4, 1, 3, 5).reshape(b * h * w, c * p * q)
        return rows.view(dtype)

    def windows(self, x: Tensor) -> Tensor:
        """`x` [b, g c, h, w] -> view [b, g, h', w', c, p, q] of it, padded."""
        (h, w), (p, q) = self.out_size(x), self.size
        x = self.padded(x).contiguous()
        channels = x.shape[1] // self.groups
        b, c, y, z = x.stride()
        return x.as_strided(
            (x.shape[0], self.groups, h, w, channels, p, q),
            (b, channels * c, self.stride[0] * y, self.stride[1] * z, c, self.dilation[0] * y, self.dilation[1] * z),
        )
