"""Exact convolutions on the CPU as a product of filters and patches that are gathered in parts, written back in place.

No patches are stored: as many columns as fit in the processor's cache are gathered from the padded image, multiplied
with all filters and written, channels as rows, where the output has them. With strides the image is first taken apart
into its phases, so that neighbouring outputs read neighbouring words.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from radhard.kernels.geometry import Geometry
from radhard.kernels.threads import split
from radhard.kernels.tiled import KINDS, PRODUCTS_AN_ELEMENT, tiles
from radhard.kernels.write import WriteBack

_TAPS_AN_ELEMENT = 4  # of a depthwise filter that take about as long as an element of other work


@dataclass(frozen=True, kw_only=True, eq=False)
class _Source:
    """How a convolution reads an image of these sizes, taken apart into `phases` (down, across).

    `offsets` [2 pairs] int64 lead from an output's base to the words of its filter in the first group; bases of a row
    of outputs are side by side, rows `of_row` words apart, groups `of_group`. `height` by `width` are the outputs of a
    channel, as one row where the words of all lie side by side. `padding` is (left, right, top, bottom).
    """

    channels: int
    offsets: Tensor
    of_group: int
    of_row: int
    height: int
    width: int
    padding: tuple[int, int, int, int]
    phases: tuple[int, int]


@cache
def _source(
    channels: int,
    image: tuple[int, int],
    out: tuple[int, int],
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
) -> _Source:
    """Of one group of `channels`; sizes are (height, width), padding is (top, left, bottom, right)."""
    top, left, bottom, right = padding
    height, width = image[0] + top + bottom, image[1] + left + right
    more = (-height % stride[0], -width % stride[1])
    rows, columns = (height + more[0]) // stride[0], (width + more[1]) // stride[1]
    down, across = (torch.arange(n) * d for n, d in zip(size, dilation, strict=True))
    phase = down[:, None] % stride[0] * stride[1] + across % stride[1]
    place = (phase * rows + down[:, None] // stride[0]) * columns + across // stride[1]
    of_channel = stride[0] * stride[1] * rows * columns
    offsets = (torch.arange(channels)[:, None] * of_channel + place.reshape(-1)).reshape(-1)
    if len(offsets) % 2:
        offsets = torch.cat([offsets, offsets[-1:]])  # whose words meet zeros
    flat = columns == out[1]
    return _Source(
        channels=channels,
        offsets=offsets.contiguous(),
        of_group=channels * of_channel,
        of_row=columns,
        height=1 if flat else out[0],
        width=out[0] * out[1] if flat else out[1],
        padding=(left, right + more[1], top, bottom + more[0]),
        phases=stride,
    )


def implicit_gemm(x: Tensor, weight: Tensor, bias: Tensor, *, geometry: Geometry, back: WriteBack) -> Tensor:
    """`x` [b, g c, h, w] of 8 bits, weight [n, k] int8, bias [n] int32 -> [b, n, h', w'] as `back` writes, contiguous.

    Raises RuntimeError where `tiles` are not to be had.
    """
    loops, (n, k), groups = tiles(), weight.shape, geometry.groups
    if loops is None:
        raise RuntimeError("tiles: no numba, or a processor without AVX2")
    out_size = geometry.out_size(x)
    how, x = _read(x, geometry)
    out = torch.empty(len(x), n, *out_size, dtype=back.dtype, device=x.device)
    words, weight, multiplier = _apart(x, how, pad=geometry.pad), weight.contiguous(), back.of_columns(n)
    source, filters, more, scale = (y.data_ptr() for y in (words, weight, bias, multiplier))
    target, kind, limits, offsets = out.data_ptr(), KINDS[back.dtype], back.grid.limits, how.offsets.data_ptr()
    size, own = words.numel(), n // groups
    plane = how.height * how.width
    if own == 1 and how.channels == 1:
        call = loops.depthwise_unsigned if x.dtype == torch.uint8 else loops.depthwise_signed
        shape = (how.of_group, how.height, how.width, how.of_row, n)
        split(
            len(x) * n,
            plane * k // _TAPS_AN_ELEMENT,
            lambda i, j: call(source, size, offsets, k, filters, *shape, more, scale, *limits, target, kind, i, j),
        )
        return out
    panels, pairs = -(-own // loops.ROWS), len(how.offsets) // 2
    packed = torch.empty(panels, pairs, loops.ROWS, 2, dtype=torch.int16, device=x.device)
    convolve = loops.convolve_unsigned if x.dtype == torch.uint8 else loops.convolve_signed
    for group in range(groups):
        first = group * own
        loops.pack_signed(filters + first * k, own * k, own, k, 0, k, 1, packed.data_ptr(), 0, panels)
        given = (source + group * how.of_group, size - group * how.of_group, offsets, pairs, packed.data_ptr())
        shape = (groups * how.of_group, how.height, how.width, how.of_row, own)
        scaled = (more + 4 * first, scale + 4 * first, *limits)
        written = (target + first * plane * out.itemsize, kind, n * plane)
        split(
            len(x) * plane,
            own * k // PRODUCTS_AN_ELEMENT,
            lambda i, j: convolve(*given, *shape, *scaled, *written, i, j),  # noqa: B023  # called in this turn
        )
    return out


def _read(x: Tensor, geometry: Geometry) -> tuple[_Source, Tensor]:
    """How to read `x` [b, g c, h, w], and x, or that part of it which single words with strides read."""
    size, padding, dilation = tuple(geometry.size), tuple(geometry.padding), tuple(geometry.dilation)
    stride, out = tuple(geometry.stride), geometry.out_size(x)
    if size == (1, 1) and not any(padding) and stride != (1, 1):
        x, stride = x[:, :, :: stride[0], :: stride[1]], (1, 1)
    return _source(x.shape[1] // geometry.groups, tuple(x.shape[2:]), out, size, stride, padding, dilation), x


def _apart(x: Tensor, how: _Source, *, pad: int) -> Tensor:
    """The words of `x`, padded and in phases, as they are to lie."""
    if any(how.padding):
        x = functional.pad(x, how.padding, value=pad)
    if how.phases != (1, 1):
        (b, c, h, w), (down, across) = x.shape, how.phases
        x = x.view(b, c, h // down, down, w // across, across).permute(0, 1, 3, 5, 2, 4)
    return x.contiguous()
