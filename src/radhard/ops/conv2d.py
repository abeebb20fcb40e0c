"""torch.ops.radhard.conv2d and .conv2d_checked: convolutions of 8-bit words, as products of patches and filters.

`padding` is (top, left, bottom, right), of words `pad`. Each group of channels is a product of its own; the stored
weight of a checked one is [groups (n + spare), k], the groups one after another.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from radhard.ops import backends
from radhard.ops.library import operator
from radhard.ops.linear import checked, limits
from radhard.ops.octets import exact_terms
from radhard.ops.write import write

_SHAPE = "int[] size, int[] stride, int[] padding, int[] dilation, int groups, int pad"


def _padded(x: Tensor, padding: Sequence[int], pad: int) -> Tensor:
    top, left, bottom, right = padding
    return functional.pad(x, (left, right, top, bottom), value=pad) if any(padding) else x


def _out_size(
    x: Tensor, size: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> tuple[int, int]:
    top, left, bottom, right = padding
    sizes = (x.shape[2] + top + bottom, x.shape[3] + left + right)
    spans = [d * (s - 1) + 1 for d, s in zip(dilation, size, strict=True)]
    h, w = ((s - span) // step + 1 for s, span, step in zip(sizes, spans, stride, strict=True))
    return h, w


def patches(
    x: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    pad: int,
) -> Tensor:
    """`x` [b, g c, h, w] -> [g, b h' w', c p q]: what each output is a product of."""
    (h, w), (p, q) = _out_size(x, size, stride, padding, dilation), size
    x = _padded(x, padding, pad).contiguous()
    c = x.shape[1] // groups
    of_image, of_channel, of_row, of_column = x.stride()
    return x.as_strided(
        (groups, x.shape[0], h, w, c, p, q),
        (
            c * of_channel,
            of_image,
            stride[0] * of_row,
            stride[1] * of_column,
            of_channel,
            dilation[0] * of_row,
            dilation[1] * of_column,
        ),
    ).reshape(groups, x.shape[0] * h * w, c * p * q)


def _fake(
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
    del weight, multiplier, groups, pad, grid
    return x.new_empty([x.shape[0], bias.shape[0], *_out_size(x, size, stride, padding, dilation)], dtype=dtype)


@operator(
    f"conv2d(Tensor x, Tensor weight, Tensor bias, Tensor multiplier, {_SHAPE}, int[] grid, ScalarType dtype) "
    "-> Tensor",
    fake=_fake,
)
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
    k, place = weight.shape[1], _out_size(x, size, stride, padding, dilation)
    if groups > 1 and k <= exact_terms(x.dtype):  # float32 holds all sums, and takes groups side by side
        filters = weight.view(len(weight), -1, *size).to(torch.float32)
        x = _padded(x, padding, pad).to(torch.float32)
        total = functional.conv2d(x, filters, None, list(stride), 0, list(dilation), groups)
        total = total.permute(0, 2, 3, 1).reshape(-1, len(bias))
        return _placed(write(total, bias, multiplier, dtype, grid=limits(grid)), place)
    a = patches(x, size, stride, padding, dilation, groups, pad)
    parts = zip(a, *(y.chunk(groups) for y in (weight, bias, multiplier)), strict=True)
    outs = [write(backends.product(own[None], w[None])[0], b, m, dtype, grid=limits(grid)) for own, w, b, m in parts]
    return _placed(torch.cat(outs, 1) if groups > 1 else outs[0], place)


def _placed(out: Tensor, place: tuple[int, int]) -> Tensor:
    """[b h w, n] -> [b, n, h, w]."""
    return out.view(-1, *place, out.shape[1]).permute(0, 3, 1, 2).contiguous()


def _fake_checked(
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
    del columns, rows, policy, site, events
    return _fake(x, weight, bias, multiplier, size, stride, padding, dilation, groups, pad, grid, dtype)


@operator(
    f"conv2d_checked(Tensor x, Tensor weight, Tensor bias, Tensor columns, Tensor rows, Tensor multiplier, {_SHAPE}, "
    "int[] grid, ScalarType dtype, str policy, str site, Tensor(a!) events) -> Tensor",
    fake=_fake_checked,
)
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
    place = _out_size(x, size, stride, padding, dilation)
    stored = zip(*(y.chunk(groups) for y in (weight, bias, columns, rows, multiplier)), strict=True)
    a = patches(x, size, stride, padding, dilation, groups, pad)
    outs = [
        checked(own, (w, b, c, r), m, grid, dtype, policy=policy, site=site, events=events)
        for own, (w, b, c, r, m) in zip(a, stored, strict=True)
    ]
    return _placed(torch.cat(outs, 1) if groups > 1 else outs[0], place)
