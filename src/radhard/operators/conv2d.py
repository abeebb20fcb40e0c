"""Two-dimensional convolution: a matrix product of patches and filters for every group.

x [b, g c, h, w], weight [g n, c, p, q]: output (i, j) of group g is a chain over k = c p q products in the
order (channel, row, column) of the filter. Padding is words that stand for zero, read and multiplied like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.fx import Node
from torch.nn import functional

from radhard.errors import InputError
from radhard.kernels.chains import Chains, Window
from radhard.kernels.convolution import convolution
from radhard.kernels.geometry import Geometry
from radhard.kernels.octets import OCTETS
from radhard.machine import NoteNonFinite, Rows, Site, UnitInput, Units, WriteBack
from radhard.machine.gemm import MatrixProduct, operands
from radhard.machine.matrices import Matrices, by_image
from radhard.machine.operator import unravel
from radhard.operators.aten import Lowered, lowers, pair

_ATEN = torch.ops.aten


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv2d(MatrixProduct):
    """x [b, c, h, w], weight [n, c / groups, p, q], bias [n] or None -> [b, n, h', w'].

    `padding` is (top, left, bottom, right), of words `pad`; with a `write_back`, 8 bits x int8 with an int32 bias.
    """

    name: ClassVar[str] = "conv2d"
    stored: ClassVar[bool] = True
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    pad: int = 0
    write_back: WriteBack | None = None

    def _geometry(self, weight: Tensor) -> Geometry:
        return Geometry(
            size=(weight.shape[2], weight.shape[3]),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            pad=self.pad,
        )

    def settings(self, right: Tensor) -> tuple[Any, ...]:
        """Size, stride, padding, dilation, groups, pad, for filters `right` [n, c / groups, p, q]."""
        stride, padding, dilation = (list(x) for x in (self.stride, self.padding, self.dilation))
        return list(right.shape[2:]), stride, padding, dilation, self.groups, self.pad

    def written_as(self, write_back: WriteBack | None, *, zero: int = 0) -> Self:
        """The same of words of 8 bits, padded with `zero`, the word that stands for 0."""
        return replace(self, write_back=write_back, pad=zero)

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """[b, n, h', w'] of the type that is written back."""
        x, weight = operands(inputs)
        dtype = self.dtype(x)
        size = self._geometry(weight).out_size(x)
        return torch.empty(x.shape[0], weight.shape[0], *size, dtype=dtype, device=x.device)

    def multipliers(self, inputs: Sequence[Tensor | None], index: Tensor) -> Tensor | None:
        """Those of the filters, group after group."""
        x, weight = operands(inputs)
        n, (h, w) = weight.shape[0] // self.groups, self._geometry(weight).out_size(x)
        return self.multiplier(index // (n * h * w) % self.groups * n + index % n)

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """One output's chain, in the order (image, group, position, filter)."""
        x, weight = operands(inputs)
        bias = inputs[2]
        h, w = self._geometry(weight).out_size(x)
        n = weight.shape[0] // self.groups
        grid = (x.shape[0], self.groups, h * w, n)
        filters = weight.flatten(1)

        def gather(index: Tensor) -> tuple[UnitInput, ...]:
            image, group, position, j = unravel(index, grid)
            patches = self._geometry(weight).windows(x)[image, group, position // w, position % w].flatten(1)
            column = group * n + j
            return (
                Rows(patches, torch.arange(len(index), device=x.device)),
                Rows(filters, column),
                None if bias is None else bias[column],
                self.multiplier(column),
            )

        def scatter(out: Tensor, index: Tensor, values: Tensor) -> None:
            image, group, position, j = unravel(index, grid)
            out[image, group * n + j, position // w, position % w] = values

        return Units(grid, gather, scatter)

    def chains(self, inputs: Sequence[Tensor | None], out: Tensor) -> tuple[Chains, ...]:
        """Those of its outputs, which read windows of the image."""
        x, weight = operands(inputs)
        if x.dtype not in OCTETS:
            return ()
        filters, (image, channel, row, column) = weight.flatten(1), x.stride()
        n = weight.shape[0] // self.groups
        to = out.stride()
        found = Chains(
            grid=(x.shape[0], self.groups, *self._geometry(weight).out_size(x), n),
            k=filters.shape[1],
            a=x,
            of_a=(image, weight.shape[1] * channel, row, column),
            a_step=channel,
            b=filters,
            of_b=(0, n * filters.stride(0), filters.stride(0)),
            b_step=filters.stride(1),
            out=out,
            to=(to[0], n * to[1], to[2], to[3], to[1]),
            column=(0, n, 1),
            bias=inputs[2],
            back=self.write_back,
            window=Window(
                size=(weight.shape[2], weight.shape[3]),
                image=(x.shape[2], x.shape[3]),
                step=self.stride,
                dilation=self.dilation,
                before=self.padding[:2],
                pad=self.pad,
            ),
        )
        return (found,)

    def matrices(self, inputs: Sequence[Tensor | None], site: Site) -> Matrices:
        """A product for each image and group of channels, of patches and filters."""
        x, weight = operands(inputs)
        if site.batch_axis not in (None, 0):
            raise InputError(f"site {site.name!r}: a convolution's images are on axis {site.batch_axis}, not on axis 0")
        patches = self._geometry(weight).windows(x)
        samples, groups, h, w = patches.shape[:4]
        n = weight.shape[0] // groups
        owner = by_image(torch.arange(samples, device="cpu")[:, None], site)[..., 0]  # [images, samples of each]
        own = owner.shape[1]
        slot, row = np.empty(samples, np.int64), np.empty(samples, np.int64)
        slot[owner.numpy()] = np.arange(len(owner))[:, None]
        row[owner.numpy()] = np.arange(own)

        def merge(total: Tensor) -> Tensor:
            apart = total.reshape(samples, groups, h * w, n).transpose(2, 3)
            return apart.reshape(samples, groups * n, h, w)

        return Matrices(
            left=patches,
            sizes=(samples * groups, h * w, weight[0].numel()),
            b=weight.reshape(groups, n, -1),
            bias=None if inputs[2] is None else inputs[2].view(groups, n),
            stored=True,
            slot=np.repeat(slot, groups),
            piece=(row[:, None] * groups + np.arange(groups)).reshape(-1),
            pieces=own * groups,
            split=lambda out: out.reshape(samples, groups, n, h * w).transpose(2, 3).reshape(-1, h * w, n),
            merge=merge,
        )

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's convolution, or the exact integer one and one pass to write it back."""
        del note
        x, weight = operands(inputs)
        shape, bias = self._geometry(weight), inputs[2]
        if x.dtype not in OCTETS:
            return functional.conv2d(shape.padded(x), weight, bias, self.stride, 0, self.dilation, self.groups)
        bias = None if bias is None else bias.to(torch.int32)
        return convolution(x, weight.flatten(1), bias, geometry=shape, back=self.write_back)


@lowers(_ATEN.conv2d.default)
def _conv2d(
    x: Node,
    weight: Node,
    bias: Node | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Lowered:
    (sy, sx), (py, px), (dy, dx) = (pair(v) for v in (stride, padding, dilation))
    operator = Conv2d(stride=(sy, sx), padding=(py, px, py, px), dilation=(dy, dx), groups=groups)
    return Lowered(operator=operator, inputs=(x, weight, bias))


@lowers(_ATEN.conv2d.padding)
def _conv2d_same(
    x: Node,
    weight: Node,
    bias: Node | None = None,
    stride: Sequence[int] = (1, 1),
    padding: str = "valid",
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Lowered:
    (sy, sx), (dy, dx) = pair(stride), pair(dilation)
    p, q = weight.meta["val"].shape[2:]
    whole = (dy * (p - 1), dx * (q - 1)) if padding == "same" else (0, 0)
    top, left = whole[0] // 2, whole[1] // 2
    around = (top, left, whole[0] - top, whole[1] - left)
    operator = Conv2d(stride=(sy, sx), padding=around, dilation=(dy, dx), groups=groups)
    return Lowered(operator=operator, inputs=(x, weight, bias))
