"""torch.ops.radhard.conv2d and .conv2d_checked: convolutions of 8-bit words as products of patches and filters.

`padding` is (top, left, bottom, right), of words `pad`. Each group of channels is a product of its own; the stored
weight of a checked one is [groups (n + spare), k], the groups one after another.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from radhard.kernels.convolution import convolution, placed
from radhard.kernels.geometry import Geometry
from radhard.kernels.library import OnUncorrectable, operator
from radhard.kernels.linear import CheckedRows, checked
from radhard.kernels.sums import SummedWeight
from radhard.kernels.write import WriteBack


def _like(
    x: Tensor,
    bias: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    dtype: torch.dtype,
) -> Tensor:
    shape = Geometry(size=size, stride=stride, padding=padding, dilation=dilation)
    return x.new_empty([x.shape[0], bias.shape[0], *shape.out_size(x)], dtype=dtype)


@operator(fake=_like)
def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    multiplier: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    pad: int,
    grid: Sequence[int],
    dtype: torch.dtype,
) -> Tensor:
    """`x` [b, c, h, w] of 8 bits, weight [n, k] int8, bias [n] int32, multiplier [n] float32 -> [b, n, h', w']."""
    shape = Geometry(size=size, stride=stride, padding=padding, dilation=dilation, groups=groups, pad=pad)
    return convolution(x, weight, bias, geometry=shape, back=WriteBack.of(multiplier, grid, dtype))


@operator(fake=_like)
def conv2d_checked(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    columns: Tensor,
    rows: Tensor,
    multiplier: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    pad: int,
    grid: Sequence[int],
    dtype: torch.dtype,
    policy: str,
    site: str,
    events: Tensor,
) -> Tensor:
    """As `conv2d` with stored weights, one for each group; every row of every group checked; adds to `events`."""
    shape = Geometry(size=size, stride=stride, padding=padding, dilation=dilation, groups=groups, pad=pad)
    parts = (y.chunk(groups) for y in (weight, bias, columns, rows, multiplier))
    patches = shape.windows(x).transpose(0, 1).reshape(groups, -1, weight.shape[1])
    products = [
        CheckedRows(
            a=a,
            stored=SummedWeight(weight=w, bias=b, columns=c, rows=r),
            back=WriteBack.of(m, grid, dtype),
        )
        for a, w, b, c, r, m in zip(patches, *parts, strict=True)
    ]
    outs = checked(products, on_uncorrectable=OnUncorrectable(policy=policy, site=site), events=events)
    return placed(torch.cat(outs, 1) if groups > 1 else outs[0], shape.out_size(x))
