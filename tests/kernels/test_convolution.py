"""Convolutions without patches: bit for bit those of a scalar reference, and of patches."""

import time
from typing import Any

import pytest
import torch
from numba.core import config
from torch import Tensor

from radhard.kernels import conv2d as checked_module
from radhard.kernels import convolution as under_test
from radhard.kernels.convolution import (
    backend_names,
    by_patches,
    convolution,
    implicit_gemm_is_exact,
    implicit_gemm_serves,
)
from radhard.kernels.geometry import Geometry
from radhard.kernels.grid import SYMMETRIC, UNSIGNED, Grid
from radhard.kernels.implicit_gemm import implicit_gemm
from radhard.kernels.library import no_events
from radhard.kernels.sums import store
from radhard.kernels.tile import available
from radhard.kernels.write import WriteBack, unscaled
from tests.reference.convolution import convolved

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(not implicit_gemm_is_exact(), reason="needs numba and a processor with AVX2")

# images [b, c, h, w], filters n, geometry
SMALL = [
    ((1, 1, 1, 1), 1, Geometry(size=(1, 1))),
    ((2, 3, 5, 4), 5, Geometry(size=(3, 3), padding=(1, 1, 1, 1), pad=-3)),
    ((1, 3, 6, 7), 7, Geometry(size=(3, 2), stride=(2, 3), padding=(0, 1, 2, 1), dilation=(2, 1))),
    ((2, 4, 5, 6), 6, Geometry(size=(1, 1), stride=(2, 2), groups=2)),
    ((1, 4, 4, 5), 8, Geometry(size=(2, 3), padding=(1, 0, 0, 1), groups=4, pad=9)),
    ((2, 5, 5, 4), 5, Geometry(size=(3, 3), stride=(1, 2), padding=(1, 1, 1, 1), groups=5, pad=2)),
    ((1, 3, 7, 7), 3, Geometry(size=(3, 3), dilation=(2, 3), groups=3)),
    ((1, 2, 2, 19), 3, Geometry(size=(1, 2), padding=(0, 1, 0, 0))),
]
LARGE = [
    ((2, 64, 14, 14), 65, Geometry(size=(3, 3), padding=(1, 1, 1, 1), pad=1)),  # more than a slab of pairs
    ((1, 16, 29, 31), 24, Geometry(size=(3, 3), padding=(1, 1, 1, 1))),  # more than a block of columns
    ((1, 3, 33, 35), 16, Geometry(size=(7, 7), stride=(2, 2), padding=(3, 3, 3, 3))),
    ((3, 32, 7, 7), 40, Geometry(size=(1, 1))),
    ((2, 24, 17, 18), 24, Geometry(size=(5, 5), stride=(2, 2), padding=(2, 2, 2, 2), groups=24, pad=-1)),
]
FILLED = {"any": None, "lowest": -128, "highest": 127}


def drawn(shape: tuple[int, ...], dtype: torch.dtype, *, fill: int | None, seed: int) -> Tensor:
    low, high = (0, 256) if dtype == torch.uint8 else (-128, 128)
    if fill is not None:
        return torch.full(shape, 255 if dtype == torch.uint8 else fill, dtype=torch.int16).to(dtype)
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, shape, dtype=torch.int16, generator=draw).to(dtype)


def case(
    shape: tuple[int, ...], n: int, geometry: Geometry, dtype: torch.dtype, fill: str = "any"
) -> tuple[Tensor, ...]:
    x = drawn(shape, dtype, fill=FILLED[fill], seed=1)
    filters = drawn((n, shape[1] // geometry.groups, *geometry.size), torch.int8, fill=FILLED[fill], seed=2)
    bias = torch.randint(-(1 << 31), 1 << 31, (n,), generator=torch.Generator().manual_seed(3)).to(torch.int32)
    return x, filters, bias


@pytest.mark.parametrize("fill", FILLED)
@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8], ids=str)
@pytest.mark.parametrize(("shape", "n", "geometry"), SMALL, ids=range(len(SMALL)))
def test_accumulators_are_those_of_a_scalar_loop(
    shape: tuple[int, ...], n: int, geometry: Geometry, dtype: torch.dtype, fill: str
) -> None:
    geometry = Geometry(**{**vars(geometry), "pad": abs(geometry.pad)})
    x, filters, bias = case(shape, n, geometry, dtype, fill)
    found = implicit_gemm(x, filters.flatten(1), bias, geometry=geometry, back=unscaled(CPU))
    expected = convolved(
        x.tolist(), filters.tolist(), bias.tolist(), stride=geometry.stride, padding=geometry.padding,
        dilation=geometry.dilation, groups=geometry.groups, pad=geometry.pad,
    )  # fmt: skip
    assert found.tolist() == expected


@pytest.mark.parametrize("grid", [SYMMETRIC, UNSIGNED, Grid(zero=-5, low=-100, high=90), None], ids=str)
@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8], ids=str)
@pytest.mark.parametrize(("shape", "n", "geometry"), [*SMALL, *LARGE], ids=range(len(SMALL) + len(LARGE)))
def test_words_are_those_of_patches(
    shape: tuple[int, ...], n: int, geometry: Geometry, dtype: torch.dtype, grid: Grid | None
) -> None:
    geometry = Geometry(**{**vars(geometry), "pad": abs(geometry.pad)})
    x, filters, bias = case(shape, n, geometry, dtype)
    scale = torch.rand(n, generator=torch.Generator().manual_seed(4)) * 1e-7
    back = WriteBack(multiplier=scale, dtype=grid.dtype if grid else torch.float32, grid=grid or SYMMETRIC)
    for images in (x, x.to(memory_format=torch.channels_last), x.mT.contiguous().mT):
        found = implicit_gemm(images, filters.flatten(1), bias, geometry=geometry, back=back)
        expected = by_patches(x, filters.flatten(1), bias, geometry=geometry, back=back)
        assert found.is_contiguous()
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected)


def stored(filters: Tensor, bias: Tensor, groups: int) -> list[Tensor]:
    parts = [store(w, b) for w, b in zip(filters.flatten(1).chunk(groups), bias.chunk(groups), strict=True)]
    return [torch.cat([getattr(part, name) for part in parts]) for name in ("weight", "bias", "columns", "rows")]


def settings(geometry: Geometry) -> list[Any]:
    lists = (geometry.size, geometry.stride, geometry.padding, geometry.dilation)
    return [*(list(each) for each in lists), geometry.groups, abs(geometry.pad)]


@pytest.mark.parametrize("grid", [SYMMETRIC, UNSIGNED, None], ids=str)
@pytest.mark.parametrize(("shape", "n", "geometry"), [*SMALL, *LARGE], ids=range(len(SMALL) + len(LARGE)))
def test_checked_words_are_those_of_patches(
    shape: tuple[int, ...], n: int, geometry: Geometry, grid: Grid | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no patches are made for them: all places add up."""
    geometry = Geometry(**{**vars(geometry), "pad": abs(geometry.pad)})
    x, filters, bias = case(shape, n, geometry, torch.uint8)
    scale = torch.rand(n, generator=torch.Generator().manual_seed(4)) * 1e-7
    back = WriteBack(multiplier=scale, dtype=grid.dtype if grid else torch.float32, grid=grid or SYMMETRIC)
    expected = by_patches(x, filters.flatten(1), bias, geometry=geometry, back=back)
    events = no_events()
    monkeypatch.setattr(checked_module, "implicit_gemm_serves", lambda: True)
    monkeypatch.setattr(checked_module, "checked", None)
    given = (x, *stored(filters, bias, geometry.groups), scale, *settings(geometry), back.grid.limits, back.dtype)
    assert torch.equal(torch.ops.radhard.conv2d_checked(*given, "raise", "here", events), expected)
    assert events.tolist() == [geometry.groups * expected[:, 0].numel(), 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("channel", [0, 11, 12, 14, 29])  # of the first group of 12 and its digits; of the second
@pytest.mark.parametrize("dtype", [torch.int8, torch.float32], ids=str)
def test_a_place_that_does_not_add_up_is_computed_again(
    channel: int, dtype: torch.dtype, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One accumulator, or one digit of a sum, is wrong by a bit, in the last of the places of an image."""
    geometry = Geometry(size=(3, 3), padding=(1, 1, 1, 1), groups=2)
    x, filters, bias = case((2, 8, 23, 25), 24, geometry, torch.int8)  # 575 places: more than are done at a time
    scale = torch.rand(24, generator=torch.Generator().manual_seed(4)) * 1e-4
    back = WriteBack(multiplier=scale, dtype=dtype)
    expected = by_patches(x, filters.flatten(1), bias, geometry=geometry, back=back)

    def struck(*given: Any, **named: Any) -> Tensor:
        total = implicit_gemm(*given, **named)
        total[1, channel, -1, -1] ^= 1 << 9
        return total

    monkeypatch.setattr(checked_module, "implicit_gemm", struck)
    monkeypatch.setattr(checked_module, "implicit_gemm_serves", lambda: True)
    before, events = torch.get_num_threads(), no_events()
    try:
        torch.set_num_threads(threads)
        given = (x, *stored(filters, bias, 2), scale, *settings(geometry), back.grid.limits, dtype)
        found = torch.ops.radhard.conv2d_checked(*given, "raise", "here", events)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found, expected)
    own = channel % 15 < 12  # else a digit was wrong, and the row was not
    assert events.tolist() == [2 * 2 * 575, 1, 1, int(own), int(not own), 0, 0]


def test_threads_write_what_one_writes() -> None:
    shape, n, geometry = LARGE[0]
    x, filters, bias = case(shape, n, geometry, torch.uint8)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(convolution(x, filters.flatten(1), bias, geometry=geometry, back=None))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


def test_a_liar_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def liar(*given: Tensor, **named: object) -> Tensor:
        out = implicit_gemm(*given, **named)  # type: ignore[arg-type]
        out.view(-1)[-1] += 1
        return out

    monkeypatch.setattr(under_test, "implicit_gemm", liar)
    implicit_gemm_is_exact.cache_clear()
    implicit_gemm_serves.cache_clear()
    try:
        assert backend_names(CPU)["convolution"] == "patches"
        x, filters, bias = case(*SMALL[1], torch.int8)
        found = convolution(x, filters.flatten(1), bias, geometry=SMALL[1][2], back=None)
        assert torch.equal(found, by_patches(x, filters.flatten(1), bias, geometry=SMALL[1][2], back=unscaled(CPU)))
    finally:
        implicit_gemm_is_exact.cache_clear()
        implicit_gemm_serves.cache_clear()


@pytest.mark.parametrize(("slow", "used"), [("implicit_gemm", "patches"), ("by_patches", "implicit-gemm")])
def test_the_faster_one_is_used(slow: str, used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = getattr(under_test, slow)

    def slowly(*given: Tensor, **named: object) -> Tensor:
        time.sleep(0.05)
        out: Tensor = whole(*given, **named)
        return out

    assert implicit_gemm_is_exact()  # which is not to sleep
    monkeypatch.setattr(under_test, slow, slowly)
    implicit_gemm_serves.cache_clear()
    try:
        assert backend_names(CPU)["convolution"] == used
    finally:
        implicit_gemm_serves.cache_clear()


@pytest.mark.parametrize(("features", "there"), [("", False), ("+sse4.2,+avx", False), ("+avx,+avx2", True)])
def test_tiles_ask_for_what_numba_compiles_for(features: str, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """NUMBA_CPU_NAME=generic sets no feature: without this question LLVM would end the process."""
    monkeypatch.setattr(config, "CPU_FEATURES", features)
    assert available() == there
