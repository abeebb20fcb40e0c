"""`MatrixProduct`: linear layers, convolutions and attention products in one form, per image.

A batch of a linear layer is a product for each image, all with the same weight. A convolution is one for each image
and group of channels, of patches and filters; an attention product one for each image and head. So no check mixes
images, and what is checked for an image does not depend on the batch that it is in.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.kernels.backends import product
from radhard.machine.site import Column, Site


@dataclass(frozen=True, kw_only=True)
class Shape:
    """C = A B with A [m, k] and B [k, n]: m n k multiplications. The paper calls these sizes m, n and p.

    `bias` adds a row [n] in the accumulator. `stored` says that B is a weight, whose sums are made once and kept;
    otherwise they are made at every application, as in attention.
    """

    m: int
    k: int
    n: int
    bias: bool = False
    stored: bool = True

    def __post_init__(self) -> None:
        for name in ("m", "k", "n"):
            if getattr(self, name) < 1:
                raise InputError(f"a matrix product with {name}={getattr(self, name)}: every size is at least 1")

    @property
    def volume(self) -> int:
        """Multiply-accumulates."""
        return self.m * self.k * self.n

    @property
    def terms(self) -> int:
        """Terms of a dot product along k: with a bias it is one more row of B, and A has a column of ones."""
        return self.k + self.bias


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrices:
    """`a` [g, m, k] int8 or uint8 times `b` [h, n, k] int8, each transposed: product x takes b[x % h] -> [g, m, n].

    `left` is a as it lies in memory, of as many words in the same order: the windows of a convolution overlap, and are
    copied where somebody asks for them.

    Product x is number `piece[x]` of `pieces` of the image in slot `slot[x]`. `bias` [h, n] int32; `stored` says that b
    is a weight. `split` gives an output of the operator as [g, m, n], `merge` is its inverse. Of a float product a, b
    and bias are float32 or bfloat16.
    """

    left: Tensor
    sizes: tuple[int, int, int]
    b: Tensor
    bias: Tensor | None
    stored: bool
    slot: Column
    piece: Column
    pieces: int
    split: Callable[[Tensor], Tensor]
    merge: Callable[[Tensor], Tensor]

    @cached_property
    def a(self) -> Tensor:
        """The left factors [g, m, k]."""
        return self.left.reshape(self.sizes)

    @property
    def shape(self) -> Shape:
        """Sizes of one of the products, all of which are alike."""
        (_, m, k), n = self.sizes, self.b.shape[1]
        return Shape(m=m, k=k, n=n, bias=self.bias is not None, stored=self.stored)

    @property
    def every(self) -> Tensor:
        """The numbers of all products [g] int64."""
        return torch.arange(self.sizes[0], device=self.left.device)

    def of_weight(self, values: Tensor, index: Tensor) -> Tensor:
        """Values [h, ...] of b or of its sums -> those that products `index` [f] meet [f, ...]."""
        return values.expand(len(index), *values.shape[1:]) if len(values) == 1 else values[index % len(values)]

    def product(self, first: int, last: int) -> Tensor:
        """The exact product over columns first ... last - 1 of k: [g, m, n] int32, without bias."""
        (g, m, _), (h, n, _) = self.a.shape, self.b.shape
        left = self.a[:, :, first:last].reshape(g // h, h, m, last - first).transpose(0, 1)
        total = product(left.reshape(h, g // h * m, last - first), self.b[:, :, first:last]).to(torch.int32)
        return total.view(h, g // h, m, n).transpose(0, 1).reshape(g, m, n)


def by_image(x: Tensor, site: Site) -> Tensor:
    """x [..., c] with the images on the site's axis, not the last -> [images, rows of each, c]."""
    if site.batch_axis is None:
        return x.reshape(1, -1, x.shape[-1])
    axis, blocks = site.batch_axis, site.blocks
    apart = x.unflatten(axis, (blocks, -1, site.rows_per_image // blocks))
    return torch.flatten(apart.movedim(axis + 1, 0), 1, -2)


def from_images(total: Tensor, shape: list[int], site: Site) -> Tensor:
    """The inverse: [images, rows of each, c] -> `shape`, which ends in c."""
    if site.batch_axis is None:
        return total.reshape(shape)
    axis, blocks, own = site.batch_axis, site.blocks, site.rows_per_image // site.blocks
    assert math.prod(shape) == total.numel()
    apart = total.reshape(total.shape[0], *shape[:axis], blocks, own, *shape[axis + 1 :])
    return apart.movedim(0, axis + 1).reshape(shape).contiguous()
