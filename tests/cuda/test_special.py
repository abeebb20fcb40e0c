"""Special functions of kernels: within two units in the last place of the CPU's, over all of float32."""

import pytest
import torch

triton = pytest.importorskip("triton")
tl = triton.language

from radhard.kernels.cuda import special  # noqa: E402
from radhard.kernels.cuda.launch import on  # noqa: E402

_BLOCK = 4096


@triton.jit  # type: ignore[untyped-decorator]
def _apply(x, y, function: tl.constexpr, block: tl.constexpr):  # type: ignore[no-untyped-def]
    i = tl.program_id(0) * block + tl.arange(0, block)
    value = tl.load(x + i)
    if function == 0:
        value = special.exp(value)
    elif function == 1:
        value = special.tanh(value)
    else:
        value = special.erf(value)
    tl.store(y + i, value)


FUNCTIONS = ("exp", "tanh", "erf")


def special_on(device: torch.device, function: str, x: torch.Tensor) -> torch.Tensor:
    """The kernels' `function` of x [...] float32, computed on `device`."""
    blocks = -(-x.numel() // _BLOCK)
    given = torch.zeros(blocks * _BLOCK)
    given[: x.numel()] = x.flatten()
    y = torch.empty_like(given).to(device)
    with on(y):
        _apply[(blocks,)](given.to(device), y, function=FUNCTIONS.index(function), block=_BLOCK, enable_fp_fusion=False)
    return y.cpu()[: x.numel()].view(x.shape)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_special_functions_are_within_two_units_in_the_last_place(function: str, device: torch.device) -> None:
    generator = torch.Generator().manual_seed(0)
    raw = torch.randint(-(1 << 31), 1 << 31, (_BLOCK,), generator=generator, dtype=torch.int64)
    wide = torch.rand(_BLOCK, generator=generator) * 193.0 - 104.0
    narrow = torch.rand(_BLOCK, generator=generator) * 2.0 - 1.0
    x = torch.cat([raw.to(torch.int32).view(torch.float32), wide, narrow, narrow * 4.0])
    x[:6] = torch.tensor([0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e-40])
    y = special_on(device, function, x)
    exact = getattr(torch, function)(x.double())
    expected = exact.float()
    unit = torch.nextafter(expected.abs(), torch.tensor(float("inf"))) - expected.abs()
    same = (y == expected) | (y.isnan() & expected.isnan())
    assert bool((same | ((y.double() - exact).abs() <= 1.5 * unit.double())).all())
