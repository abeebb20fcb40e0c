"""Exact convolutions of 8-bit words with write-back: a matrix product of patches and filters for every group.

On a CPU they run on one of two back ends: `implicit-gemm`, where it proves itself on this machine, or `patches`, which
copies all patches and multiplies them by the back end of matrix products, where that is faster.
"""

import time
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from radhard.kernels import backends
from radhard.kernels.geometry import Geometry
from radhard.kernels.implicit_gemm import implicit_gemm
from radhard.kernels.octets import exact_terms
from radhard.kernels.on_device import on_device
from radhard.kernels.tiled import tiles
from radhard.kernels.write import WriteBack, no_bias, unscaled, write
from radhard.kernels.written import written


def convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, geometry: Geometry, back: WriteBack | None
) -> Tensor:
    """`x` [b, g c, h, w] of 8 bits, weight [n, k] int8, bias [n] int32 or None -> [b, n, h', w'] as `back` writes.

    Without a write-back accumulators leave, int32. The output is contiguous, but on a device, where patches that do not
    overlap are the rows of one product.
    """
    device = on_device(x)
    if device is not None and geometry.apart:
        found = written(geometry.patches_apart(x), weight, bias=bias, back=back)
        return found.view(len(x), *geometry.out_size(x), len(weight)).permute(0, 3, 1, 2)
    if device is not None:
        out: Tensor | None = device.convolved(x, weight, bias, geometry=geometry, back=back)
        if out is not None:
            return out
    bias, back = no_bias(len(weight), x.device) if bias is None else bias.contiguous(), back or unscaled(x.device)
    if x.is_cpu and implicit_gemm_serves():
        return implicit_gemm(x, weight, bias, geometry=geometry, back=back)
    return by_patches(x, weight, bias, geometry=geometry, back=back)


def by_patches(x: Tensor, weight: Tensor, bias: Tensor, *, geometry: Geometry, back: WriteBack) -> Tensor:
    """The same, of patches that are copied first: what other ways are held to."""
    return placed(write(_accumulators(x, weight, geometry), bias, back), geometry.out_size(x))


def _accumulators(x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """-> [b h' w', n] int32, or integers in float32."""
    (n, k), groups = weight.shape, geometry.groups
    if groups > 1 and k <= exact_terms(x.dtype) and x.is_cpu:
        # float32 holds all sums, and takes groups side by side; what a GPU's library does for it need not be exact
        filters = weight.view(n, -1, *geometry.size).to(torch.float32)
        floats = geometry.padded(x).to(torch.float32)
        total = functional.conv2d(floats, filters, None, list(geometry.stride), 0, list(geometry.dilation), groups)
        return total.permute(0, 2, 3, 1).reshape(-1, n)
    patches = geometry.windows(x).transpose(0, 1).reshape(groups, -1, k)
    return backends.product(patches, weight.reshape(groups, -1, k)).transpose(0, 1).reshape(-1, n)


def placed(out: Tensor, place: tuple[int, int]) -> Tensor:
    """[b h w, n] -> [b, n, h, w]."""
    return out.view(-1, *place, out.shape[1]).permute(0, 3, 1, 2).contiguous()


_GEOMETRIES = (
    Geometry(size=(3, 3), padding=(1, 1, 1, 1), pad=7),
    Geometry(size=(1, 1)),
    Geometry(size=(1, 1), stride=(2, 2), groups=2),
    Geometry(size=(3, 2), stride=(2, 3), padding=(0, 1, 2, 1), dilation=(2, 1), groups=2, pad=5),
    Geometry(size=(3, 3), padding=(1, 1, 1, 1), groups=12),
)
_EXTREMES = ((-128, 128), (-128, -127), (0, 256), (255, 256))  # words of the image, the second number left out


_TYPICAL, _TIMES = Geometry(size=(3, 3), padding=(1, 1, 1, 1)), 5
"""Of a convolution that is timed: 64 channels of 28 x 28 words to as many; and how often."""
_FASTER = 0.8
"""`patches` is taken where it takes less than this share of the other's time: a tie is not to be decided by chance."""


@cache
def implicit_gemm_serves() -> bool:
    """Whether convolutions run on the back end without patches: it is exact, and patches are not clearly faster."""
    return implicit_gemm_is_exact() and _seconds(by_patches) >= _FASTER * _seconds(implicit_gemm)


def _seconds(convolve: Callable[..., Tensor]) -> float:
    """The least of a few runs; the first warms up what is called."""
    x, weight = torch.ones(1, 64, 28, 28, dtype=torch.int8), torch.ones(64, 64 * 9, dtype=torch.int8)
    bias, back, found = no_bias(64, x.device), WriteBack(multiplier=torch.ones(1), dtype=torch.int8), []
    for _ in range(_TIMES):
        start = time.perf_counter()
        convolve(x, weight, bias, geometry=_TYPICAL, back=back)
        found.append(time.perf_counter() - start)
    return min(found)


@cache
def implicit_gemm_is_exact() -> bool:
    """Whether the back end without patches is to be had and writes what products of patches give, tried once."""
    return tiles() is not None and all(_proved(one, *words) for one in _GEOMETRIES for words in _EXTREMES)


def _proved(geometry: Geometry, low: int, high: int) -> bool:
    draw, channels = torch.Generator().manual_seed(0x5EED), 12
    n = channels if geometry.groups == channels else 20
    x = torch.randint(low, high, (2, channels, 9, 21), dtype=torch.int16, generator=draw)
    x = x.to(torch.uint8 if high > 128 else torch.int8)
    k = channels // geometry.groups * geometry.size[0] * geometry.size[1]
    filters = torch.randint(-128, 128, (n, k), dtype=torch.int8, generator=draw)
    filters[1], filters[-1] = -128, 127
    bias = torch.randint(-(1 << 31), (1 << 31) - 1, (n,), dtype=torch.int64, generator=draw).to(torch.int32)
    patches = geometry.windows(x).transpose(0, 1).reshape(geometry.groups, -1, k).to(torch.float64)  # which is exact
    own = filters.reshape(geometry.groups, -1, k).to(torch.float64)
    total = (patches @ own.mT).transpose(0, 1).reshape(-1, n).to(torch.int64).to(torch.int32)
    multiplier = torch.rand(n, generator=draw) * 1e-7
    for dtype in (torch.int8, torch.float32, torch.int32):
        back = WriteBack(multiplier=multiplier, dtype=dtype)
        expected = placed(write(total, bias, back), geometry.out_size(x))
        if not torch.equal(implicit_gemm(x, filters, bias, geometry=geometry, back=back), expected):
            return False
    return True


def backend_names(device: torch.device) -> dict[str, str]:
    """The back ends in use on `device`: those of products, and, on a CPU, that of convolutions."""
    names = backends.backend_names(device)
    if device.type == "cpu":
        names["convolution"] = "implicit-gemm" if implicit_gemm_serves() else "patches"
    return names
