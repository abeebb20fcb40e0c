"""The tensors of a program as bytes: each as it lies in memory, at a multiple of 64, so that kernels read it alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ALIGNED = 64
"""Bytes: where torch puts tensors. Float kernels may sum in another order elsewhere."""


@dataclass(frozen=True, kw_only=True)
class TensorLayout:
    """Where a tensor lies among the bytes of all: `offset` in bytes, `shape` and `stride` in elements."""

    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int

    @property
    def span(self) -> int:
        """Elements from the first to the last, those between them that are not the tensor's included."""
        if 0 in self.shape:
            return 0
        return 1 + sum((size - 1) * stride for size, stride in zip(self.shape, self.stride, strict=True))

    def as_list(self) -> list[Any]:
        """Ready for JSON."""
        return [self.dtype, list(self.shape), list(self.stride), self.offset]

    @staticmethod
    def from_list(values: Sequence[Any]) -> "TensorLayout":
        """Inverse of `as_list`."""
        dtype, shape, stride, offset = values
        return TensorLayout(dtype=dtype, shape=tuple(shape), stride=tuple(stride), offset=offset)


class TensorTable:
    """The tensors met so far, each once, and where each will lie."""

    def __init__(self) -> None:
        self.layouts: list[TensorLayout] = []
        self.bytes = 0
        self._tensors: list[Tensor] = []
        self._known: dict[int, int] = {}

    def number(self, tensor: Tensor) -> int:
        """The number of a tensor on the CPU; a new one is added at the end."""
        if id(tensor) not in self._known:
            layout = TensorLayout(
                dtype=str(tensor.dtype).removeprefix("torch."),
                shape=tuple(tensor.shape),
                stride=tuple(tensor.stride()),
                offset=self.bytes,
            )
            self._known[id(tensor)] = len(self.layouts)
            self.layouts.append(layout)
            self._tensors.append(tensor)  # kept, so that no other gets its id
            self.bytes += _aligned(layout.span * tensor.element_size())
        return self._known[id(tensor)]

    def content(self) -> Iterator[memoryview | bytes]:
        """The bytes of all, in order, with zeros up to each multiple of `ALIGNED`."""
        for layout, tensor in zip(self.layouts, self._tensors, strict=True):
            size = layout.span * tensor.element_size()
            if size:
                flat = tensor.detach().as_strided((layout.span,), (1,), tensor.storage_offset())
                yield flat.view(torch.uint8).numpy().data
            yield bytes(_aligned(size) - size)


def tensor_at(content: NDArray[np.uint8], layout: TensorLayout) -> Tensor:
    """Bytes of all [n] -> the tensor that lies there, with a storage of its own. ValueError where it lies outside."""
    dtype = getattr(torch, layout.dtype, None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"{layout.dtype!r} is no type of tensors")
    size = layout.span * dtype.itemsize
    if layout.offset % ALIGNED or not 0 <= layout.offset <= len(content) - size or min(layout.stride, default=0) < 0:
        raise ValueError("a tensor lies outside of the file")
    if not size:
        return torch.empty_strided(layout.shape, layout.stride, dtype=dtype)
    part = torch.from_numpy(content[layout.offset : layout.offset + size]).view(dtype)
    return part.as_strided(layout.shape, layout.stride)


def _aligned(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED
