"""Exact convolutions of 8-bit words with write-back: a matrix product of patches and filters for every group."""

import torch
from torch import Tensor
from torch.nn import functional

from radhard.kernels import backends
from radhard.kernels.geometry import Geometry
from radhard.kernels.octets import exact_terms
from radhard.kernels.on_device import on_device
from radhard.kernels.write import WriteBack, write
from radhard.kernels.written import no_bias, unscaled, written


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
    bias = no_bias(len(weight), x.device) if bias is None else bias.contiguous()
    words = write(_accumulators(x, weight, geometry), bias, back or unscaled(x.device))
    return placed(words, geometry.out_size(x))


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
