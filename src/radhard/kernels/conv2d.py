"""torch.ops.radhard.conv2d and .conv2d_checked: convolutions of 8-bit words as products of patches and filters.

`padding` is (top, left, bottom, right), of words `pad`. Each group of channels is a product of its own; the stored
weight of a checked one is [groups (n + spare), k], the groups one after another.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from radhard.kernels.convolution import convolution, implicit_gemm_serves, placed
from radhard.kernels.geometry import Geometry
from radhard.kernels.implicit_gemm import implicit_gemm
from radhard.kernels.library import OnUncorrectable, operator, sound
from radhard.kernels.linear import CheckedRows, checked
from radhard.kernels.operands import SPARE
from radhard.kernels.sums import SummedWeight
from radhard.kernels.write import WriteBack, no_bias, on_host, unscaled, write_checked_planes


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
    place = shape.out_size(x)
    totals: Sequence[Tensor | None] = [None] * groups
    if on_host(x) is not None and dtype != torch.int32 and implicit_gemm_serves():
        total = _with_digits(x, weight, n=len(bias) // groups, geometry=shape)
        back = WriteBack.of(multiplier, grid, dtype)
        out, right = write_checked_planes(total, bias, back, offsets=columns.view(groups, -1), groups=groups)
        if right:
            sound(events, checks=total.shape[0] * groups * total.shape[2])
            words: Tensor = out.unflatten(2, place)
            return words
        totals = [y.permute(0, 2, 1).flatten(0, 1) for y in total.chunk(groups, 1)]
    parts = (y.chunk(groups) for y in (weight, bias, columns, rows, multiplier))
    patches = shape.windows(x).transpose(0, 1).reshape(groups, -1, weight.shape[1])
    products = [
        CheckedRows(
            a=a, stored=SummedWeight(weight=w, bias=b, columns=c, rows=r), back=WriteBack.of(m, grid, dtype), total=t
        )
        for a, w, b, c, r, m, t in zip(patches, *parts, totals, strict=True)
    ]
    outs = checked(products, on_uncorrectable=OnUncorrectable(policy=policy, site=site), events=events)
    return placed(torch.cat(outs, 1) if groups > 1 else outs[0], place)


def _with_digits(x: Tensor, weight: Tensor, *, n: int, geometry: Geometry) -> Tensor:
    """Accumulators without bias of `n` filters a group, and of the digits after them: [b, groups (n + 3), h' w']."""
    k = weight.shape[1]
    wide = weight.view(geometry.groups, -1, k)[:, : n + SPARE].reshape(-1, k)
    return implicit_gemm(x, wide, no_bias(len(wide), x.device), geometry=geometry, back=unscaled(x.device)).flatten(2)
