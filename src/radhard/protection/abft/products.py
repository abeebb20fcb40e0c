"""Linear layers, convolutions and attention products in one form: matrix products, each of one image.

A batch of a linear layer is a product for each image, all with the same weight. A convolution is one for each image
and group of channels, of patches and filters; an attention product one for each image and head. So no check mixes
images, and what is checked for an image does not depend on the batch that it is in.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.kernels.backends import product
from radhard.kernels.octets import OCTETS
from radhard.machine import Gemm, Operator, Site
from radhard.machine.gemm import WriteBack, operands
from radhard.machine.site import Column
from radhard.operators import Conv2d, Linear
from radhard.protection.cost.shape import Shape


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrices:
    """`a` [g, m, k] int8 or uint8 times `b` [h, n, k] int8, each transposed: product x takes b[x % h] -> [g, m, n].

    Product x is number `piece[x]` of `pieces` of the image in slot `slot[x]`. `bias` [h, n] int32; `stored` says that b
    is a weight. `split` gives an output of the operator as [g, m, n], `merge` is its inverse. Of a float product a, b
    and bias are float32 or bfloat16.
    """

    a: Tensor
    b: Tensor
    bias: Tensor | None
    stored: bool
    slot: Column
    piece: Column
    pieces: int
    split: Callable[[Tensor], Tensor]
    merge: Callable[[Tensor], Tensor]

    @property
    def shape(self) -> Shape:
        """Sizes of one of the products, all of which are alike."""
        (_, m, k), n = self.a.shape, self.b.shape[1]
        return Shape(m=m, k=k, n=n, bias=self.bias is not None, stored=self.stored)

    @property
    def every(self) -> Tensor:
        """The numbers of all products [g] int64."""
        return torch.arange(len(self.a), device=self.a.device)

    def of_weight(self, values: Tensor, index: Tensor) -> Tensor:
        """Values [h, ...] of b or of its sums -> those that products `index` [f] meet [f, ...]."""
        return values.expand(len(index), *values.shape[1:]) if len(values) == 1 else values[index % len(values)]

    def product(self, first: int, last: int) -> Tensor:
        """The exact product over columns first ... last - 1 of k: [g, m, n] int32, without bias."""
        (g, m, _), (h, n, _) = self.a.shape, self.b.shape
        left = self.a[:, :, first:last].reshape(g // h, h, m, last - first).transpose(0, 1)
        total = product(left.reshape(h, g // h * m, last - first), self.b[:, :, first:last]).to(torch.int32)
        return total.view(h, g // h, m, n).transpose(0, 1).reshape(g, m, n)


def matrices(operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Matrices:
    """The products of one application. InputError for an operator that is none, or whose words are not of 8 bits."""
    found = _laid_out(operator, inputs, site)
    if found.a.dtype not in OCTETS:
        raise InputError(
            f"site {site.name!r}: {operator.name} computes in {found.a.dtype}; checksums are exact for words of 8 "
            "bits only: quantise the program, or protect the site by float-abft or by TMR"
        )
    return found


def float_matrices(operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Matrices:
    """The same of a float product. InputError for words that are neither float32 nor bfloat16."""
    found = _laid_out(operator, inputs, site)
    if found.a.dtype not in (torch.float32, torch.bfloat16):
        raise InputError(
            f"site {site.name!r}: {operator.name} computes in {found.a.dtype}; bounds of rounding errors are known of "
            "float32 and bfloat16 words: protect int8 words by row-abft or lb-abft, others by TMR"
        )
    return found


@singledispatch
def _laid_out(operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Matrices:
    """The products of one application, of any words."""
    del inputs
    raise InputError(
        f"site {site.name!r}: {operator.name!r} is no matrix product; protect it by ranges or by TMR, or take it out "
        "of the plan"
    )


@_laid_out.register
def _linear(operator: Linear, inputs: Sequence[Tensor | None], site: Site) -> Matrices:
    del operator  # all of it is in its inputs
    x, weight = operands(inputs)
    bias, n = inputs[2], weight.shape[0]
    a = _by_image(x, site)
    shape = list(x.shape[:-1])
    return Matrices(
        a=a,
        b=weight[None],
        bias=None if bias is None else bias[None],
        stored=True,
        slot=np.arange(len(a)),
        piece=np.zeros(len(a), np.int64),
        pieces=1,
        split=lambda out: _by_image(out, site),
        merge=lambda total: _from_images(total, [*shape, n], site),
    )


@_laid_out.register
def _gemm(operator: Gemm, inputs: Sequence[Tensor | None], site: Site) -> Matrices:
    del operator
    a, b = operands(inputs)
    groups = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if site.batch_axis is not None and site.batch_axis >= len(groups):
        raise InputError(
            f"site {site.name!r}: the images are rows or columns of one product, not products of their own; take it "
            "out of the plan"
        )
    (m, k), n = a.shape[-2:], b.shape[-1]
    left, right = (_by_image(x.expand(*groups, *x.shape[-2:]).flatten(-2), site) for x in (a, b.mT))
    images, pieces = left.shape[:2]
    return Matrices(
        a=left.reshape(-1, m, k),
        b=right.reshape(-1, n, k),
        bias=None,
        stored=False,
        slot=np.repeat(np.arange(images), pieces),
        piece=np.tile(np.arange(pieces), images),
        pieces=pieces,
        split=lambda out: _by_image(out.flatten(-2), site).reshape(-1, m, n),
        merge=lambda total: _from_images(total.reshape(images, pieces, -1), [*groups, m * n], site).unflatten(
            -1, (m, n)
        ),
    )


@_laid_out.register
def _conv2d(operator: Conv2d, inputs: Sequence[Tensor | None], site: Site) -> Matrices:
    x, weight = operands(inputs)
    if site.batch_axis not in (None, 0):
        raise InputError(f"site {site.name!r}: a convolution's images are on axis {site.batch_axis}, not on axis 0")
    patches = operator.patches(x, weight)
    samples, groups, h, w = patches.shape[:4]
    n = weight.shape[0] // groups
    owner = _by_image(torch.arange(samples, device="cpu")[:, None], site)[..., 0]  # [images, samples of each]
    own = owner.shape[1]
    slot, row = np.empty(samples, np.int64), np.empty(samples, np.int64)
    slot[owner.numpy()] = np.arange(len(owner))[:, None]
    row[owner.numpy()] = np.arange(own)
    return Matrices(
        a=patches.reshape(samples * groups, h * w, -1),
        b=weight.reshape(groups, n, -1),
        bias=None if inputs[2] is None else inputs[2].view(groups, n),
        stored=True,
        slot=np.repeat(slot, groups),
        piece=(row[:, None] * groups + np.arange(groups)).reshape(-1),
        pieces=own * groups,
        split=lambda out: out.reshape(samples, groups, n, h * w).transpose(2, 3).reshape(-1, h * w, n),
        merge=lambda total: total.reshape(samples, groups, h * w, n).transpose(2, 3).reshape(samples, groups * n, h, w),
    )


def written(operator: Operator) -> WriteBack | None:
    """How a matrix product writes its accumulators back; None leaves them."""
    assert isinstance(operator, Linear | Gemm | Conv2d)
    return operator.write_back


def _by_image(x: Tensor, site: Site) -> Tensor:
    """x [..., c] with the images on the site's axis, not the last -> [images, rows of each, c]."""
    if site.batch_axis is None:
        return x.reshape(1, -1, x.shape[-1])
    axis, blocks = site.batch_axis, site.blocks
    apart = x.unflatten(axis, (blocks, -1, site.rows_per_image // blocks))
    return torch.flatten(apart.movedim(axis + 1, 0), 1, -2)


def _from_images(total: Tensor, shape: list[int], site: Site) -> Tensor:
    """The inverse: [images, rows of each, c] -> `shape`, which ends in c."""
    if site.batch_axis is None:
        return total.reshape(shape)
    axis, blocks, own = site.batch_axis, site.blocks, site.rows_per_image // site.blocks
    assert math.prod(shape) == total.numel()
    apart = total.reshape(len(total), *shape[:axis], blocks, own, *shape[axis + 1 :])
    return apart.movedim(0, axis + 1).reshape(shape).contiguous()
