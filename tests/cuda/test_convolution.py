"""Convolutions of 8-bit words on a device, against sums in float64, which are exact, and the plain path."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

pytest.importorskip("triton")

from radhard.kernels.convolution import convolution
from radhard.kernels.cuda.convolve import convolved
from radhard.kernels.geometry import Geometry
from radhard.kernels.write import WriteBack
from tests.cuda.reference import plain

CASES: dict[str, tuple[tuple[int, int, int, int], int, Geometry]] = {
    "3 x 3": ((2, 17, 7, 6), 20, Geometry(size=(3, 3), padding=(1, 1, 1, 1), pad=9)),
    "stem": ((1, 3, 15, 13), 70, Geometry(size=(7, 7), stride=(2, 2), padding=(3, 3, 3, 3))),
    "1 x 1": ((2, 40, 5, 5), 8, Geometry(size=(1, 1))),
    "patches of an image that is not their multiple": ((2, 3, 35, 19), 24, Geometry(size=(8, 8), stride=(8, 8))),
    "odd patches": ((2, 3, 15, 12), 5, Geometry(size=(3, 4), stride=(3, 4))),
    "patches": ((1, 3, 32, 16), 24, Geometry(size=(16, 16), stride=(16, 16))),
    "uneven": ((1, 4, 9, 8), 5, Geometry(size=(3, 2), stride=(1, 3), padding=(0, 1, 2, 0), dilation=(2, 1), pad=3)),
    "depthwise": ((2, 6, 7, 6), 6, Geometry(size=(3, 3), padding=(1, 1, 1, 1), groups=6, pad=9)),
    "two filters a channel": ((1, 3, 7, 6), 6, Geometry(size=(5, 5), stride=(2, 2), padding=(2, 2, 2, 2), groups=3)),
    "narrow groups": ((1, 8, 7, 6), 12, Geometry(size=(3, 3), groups=2, dilation=(1, 2))),
    "wide groups": ((2, 40, 5, 6), 6, Geometry(size=(3, 3), padding=(1, 1, 1, 1), groups=2, pad=2)),
    "of no image": ((0, 4, 5, 6), 6, Geometry(size=(3, 3))),
}
ENDS = {
    "accumulators": (torch.int32, None),
    "floats": (torch.float32, torch.linspace(1e-4, 3e-4, 120)),
    "int8": (torch.int8, torch.linspace(1e-4, 3e-4, 120)),
    "uint8, one scale": (torch.uint8, torch.tensor([2.3e-4])),
}
GRIDS = {torch.int8: (-9, -100, 101), torch.uint8: (3, 0, 250)}


def words(shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(-128, 128, shape, generator=draw, dtype=torch.int8).view(dtype)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", CASES)
def test_a_convolution_is_exact(name: str, end: str, dtype: torch.dtype, device: torch.device) -> None:
    shape, n, geometry = CASES[name]
    (kind, multiplier), k = ENDS[end], shape[1] // geometry.groups * geometry.size[0] * geometry.size[1]
    if multiplier is not None and len(multiplier) > 1:
        multiplier = multiplier[:n]
    x, weight = words(shape, dtype, 1), words((n, k), torch.int8, 2)
    if geometry.groups == 1:
        x[:1], weight[0] = torch.tensor(-128, dtype=torch.int8).view(dtype), -128
    bias = torch.randint(-(2**31), 2**31 - 1, (n,), dtype=torch.int32, generator=torch.Generator().manual_seed(3))
    back = None if multiplier is None else WriteBack.of(multiplier, GRIDS.get(kind, (0, -128, 127)), kind)
    there = None if back is None else replace(back, multiplier=back.multiplier.to(device))
    for given in (bias, None):
        moved = [None if one is None else one.to(device) for one in (x, weight, given)]
        found = convolved(*moved, geometry=geometry, back=there)
        assert found is not None
        assert found.is_contiguous()
        for expected in (
            plain(lambda *all_: convolution(*all_, geometry=geometry, back=back), x, weight, given),
            convolution(*moved, geometry=geometry, back=there).cpu(),
        ):
            assert torch.equal(found.cpu(), expected)
        if kind == torch.int32:
            filters, rest = weight.view(n, -1, *geometry.size).double(), (geometry.dilation, geometry.groups)
            total = functional.conv2d(geometry.padded(x).double(), filters, None, geometry.stride, 0, *rest)
            total = total if given is None else total + given.view(-1, 1, 1)
            assert torch.equal(found.cpu(), total.to(torch.int64).to(torch.int32))


@pytest.mark.parametrize("name", ["3 x 3", "depthwise"])
def test_words_of_channels_side_by_side_are_read_where_they_lie(name: str, device: torch.device) -> None:
    shape, n, geometry = CASES[name]
    x = words(shape, torch.int8, 1)
    weight = words((n, shape[1] // geometry.groups * 9), torch.int8, 2).to(device)
    ends = {"geometry": geometry, "back": None}
    last = x.to(device).to(memory_format=torch.channels_last)
    assert torch.equal(convolved(last, weight, None, **ends), convolved(x.to(device), weight, None, **ends))
