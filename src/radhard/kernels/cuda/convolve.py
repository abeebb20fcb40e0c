"""Selects and proves the convolution kernel and its tile sizes on a device."""

import math

import torch
import triton
from torch import Tensor
from torch.nn import functional

from radhard.kernels.cuda.convolution import chained, gathered
from radhard.kernels.cuda.launch import on
from radhard.kernels.cuda.proof import proven
from radhard.kernels.geometry import Geometry
from radhard.kernels.grid import SYMMETRIC
from radhard.kernels.octets import OCTETS
from radhard.kernels.on_device import interpreted
from radhard.kernels.write import WriteBack

NARROW = 16
"""Channels of a group from which on a product of patches pays."""
TILES = {64: (128, 64, 32, 8), 128: (64, 128, 64, 8)}
"""By the most filters of a group: (M, N, K, warps)."""
_STAGES = 3
_PLANE = 2048  # outputs of a program of narrow groups
_WORDS = {torch.int32: "accumulators", torch.float32: "floats", **dict.fromkeys(OCTETS, "words")}


def convolved(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, geometry: Geometry, back: WriteBack | None
) -> Tensor | None:
    """See `radhard.kernels.convolution`; None where the kernels are not proved, or do not count so far."""
    narrow = geometry.groups > 1 and x.shape[1] // geometry.groups < NARROW
    places = math.prod(geometry.out_size(x))
    if max(_extent(x), x.shape[0] * len(weight) * places, weight.numel()) >= 1 << 31:
        return None
    name = "chains of narrow groups" if narrow else "products of patches"
    if not interpreted() and not proven(name, x.device, lambda: _right(x.device, narrow=narrow)):
        return None
    return _launched(x, weight, bias, geometry, back, narrow=narrow)


def _launched(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    back: WriteBack | None,
    *,
    narrow: bool,
) -> Tensor:
    dtype, multiplier, grid = (
        (torch.int32, None, SYMMETRIC) if back is None else (back.dtype, back.multiplier, back.grid)
    )
    (size, k), groups, place = weight.shape, geometry.groups, geometry.out_size(x)
    n, places = size // groups, math.prod(place)
    out = torch.empty(x.shape[0], size, *place, dtype=dtype, device=x.device)
    if not out.numel():
        return out
    weight = weight.contiguous()
    numbers = (*geometry.size, *geometry.stride, *geometry.dilation, *geometry.padding[:2], geometry.pad)
    each = 0 if multiplier is None or multiplier.numel() == 1 else 1
    flags: dict[str, object] = {
        "PADDED": any(geometry.padding),
        "BIASED": bias is not None,
        "WRITTEN": _WORDS[dtype],
    }
    if narrow:
        m = min(max(16, triton.next_power_of_2(places)), _PLANE)
        kernel, outputs = chained, x.shape[0] * size
        programs = (triton.cdiv(outputs, _PLANE // m), triton.cdiv(places, m))
        flags |= {"M": m, "N": _PLANE // m, "num_warps": 4}
    else:
        m, wide, deep, warps = TILES[64 if n <= 64 else 128]
        kernel, outputs = gathered, x.shape[0] * places
        programs = (triton.cdiv(outputs, m) * triton.cdiv(n, wide), groups)
        flags |= {"LOWERED": x.dtype == torch.uint8, "M": m, "N": wide, "K": deep}
        flags |= {"num_warps": warps, "num_stages": _STAGES}
    with on(x):
        kernel[programs](
            *(x, weight, x if bias is None else bias, x if multiplier is None else multiplier, out),
            *(k, outputs, n, x.shape[1] // groups, places, place[1], *x.shape[2:], *numbers, *x.stride()),
            *(groups, each, *grid.limits),
            **flags,
        )
    return out


def _extent(x: Tensor) -> int:
    """Words from the first of `x` to the last in memory."""
    return 1 + sum((size - 1) * stride for size, stride in zip(x.shape, x.stride(), strict=True))


def _right(device: torch.device, *, narrow: bool) -> bool:
    """Whether a kernel equals float64, whose sums are exact: full-range and extreme words, odd shapes, paddings."""
    draw = torch.Generator().manual_seed(0x5EED)
    for dtype, low, high in ((torch.int8, -128, 128), (torch.uint8, 0, 256), (torch.uint8, 255, 256)):
        for b, c, n, h, w, geometry in _ODD[narrow]:
            x = torch.randint(low, high, (b, c, h, w), dtype=torch.int16, generator=draw).to(dtype)
            k = c // geometry.groups * math.prod(geometry.size)
            weight = torch.randint(-128, 128, (n, k), dtype=torch.int8, generator=draw)
            if low == 255:
                weight[::2] = -128
            bias = torch.randint(-(2**30), 2**30, (n,), dtype=torch.int32, generator=draw)
            filters = weight.view(n, -1, *geometry.size).double()
            padded = geometry.padded(x).double()
            total = functional.conv2d(
                padded, filters, None, list(geometry.stride), 0, list(geometry.dilation), geometry.groups
            )
            expected = (total + bias.view(-1, 1, 1)).to(torch.int64).to(torch.int32)
            found = _launched(x.to(device), weight.to(device), bias.to(device), geometry, None, narrow=narrow)
            if not torch.equal(found.cpu(), expected):
                return False
    return True


_ODD: dict[bool, tuple[tuple[int, int, int, int, int, Geometry], ...]] = {
    False: (
        (2, 3, 70, 19, 17, Geometry(size=(7, 7), stride=(2, 2), padding=(3, 3, 3, 3), pad=5)),
        (3, 40, 33, 9, 8, Geometry(size=(3, 2), stride=(1, 2), padding=(0, 1, 2, 0), dilation=(2, 1))),
        (1, 64, 130, 13, 11, Geometry(size=(1, 1))),
        (2, 40, 6, 9, 8, Geometry(size=(3, 3), padding=(1, 1, 1, 1), groups=2, pad=1)),
        (2, 3, 16, 32, 32, Geometry(size=(16, 16), stride=(16, 16))),
    ),
    True: (
        (2, 5, 5, 19, 17, Geometry(size=(3, 3), padding=(1, 1, 1, 1), groups=5, pad=7)),
        (3, 12, 24, 9, 8, Geometry(size=(5, 2), stride=(2, 1), padding=(0, 1, 2, 0), dilation=(1, 2), groups=4)),
    ),
}
"""(b, c, n, h, w) and geometry of what is proved, by whether groups are narrow."""
