"""Integer products with their write-back on a GPU: against int64, and the operators against the passes of the host."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from radhard.kernels import backends
from radhard.kernels.cuda.configs import SMALL, TINY, WEIGHT
from radhard.kernels.cuda.fastest import fastest
from radhard.kernels.cuda.product_proof import Variant, Writes, right
from radhard.kernels.cuda.products import can_be_described, launch, variants_of, written
from radhard.kernels.octets import as_signed
from radhard.kernels.repair import exactly, from_scratch
from radhard.kernels.write import WriteBack
from radhard.operators import Gemm, Linear
from tests.support.operators import BARE

DTYPES = (torch.int8, torch.uint8, torch.float32, torch.int32)
GRIDS = {torch.uint8: (5, 0, 250)}
INT8 = (-9, -100, 120)


def drawn(*shape: int, seed: int, dtype: torch.dtype = torch.int8) -> Tensor:
    low = 0 if dtype == torch.uint8 else -128
    return torch.randint(low, low + 256, shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def expected(
    a: Tensor, b: Tensor, bias: Tensor | None, multiplier: Tensor, dtype: torch.dtype, grid: tuple[int, int, int]
) -> Tensor:
    """By int64, then numpy's float32."""
    total = a.numpy().astype(np.int64) @ np.swapaxes(b.numpy().astype(np.int64), -1, -2)
    total = (total + (0 if bias is None else bias.numpy().astype(np.int64))).astype(np.int32)  # wraps
    if dtype == torch.int32:
        return torch.from_numpy(total)
    with np.errstate(invalid="ignore", over="ignore"):
        value = total.astype(np.float32) * multiplier.numpy()
    if dtype == torch.float32:
        return torch.from_numpy(value)
    zero, low, high = grid
    words = np.clip(np.rint(np.nan_to_num(value, nan=0.0)).astype(np.float64) + zero, low, high)
    return torch.from_numpy(words).to(dtype)


def check(
    device: torch.device,
    a: Tensor,
    b: Tensor,
    *,
    bias: Tensor | None = None,
    multiplier: Tensor | None = None,
    dtype: torch.dtype = torch.int8,
    grid: tuple[int, int, int] | None = None,
    lie: str = "as it is",
) -> None:
    """`lie` says how b lies on the device: what `Tensor.to` keeps, or by columns."""
    factors = torch.full((1,), 2.0**-9) if multiplier is None else multiplier
    limits = grid or GRIDS.get(dtype, INT8)
    x, y = a.to(device), b.to(device)
    if lie == "by columns":
        y = y.mT.contiguous().mT
    given = None if bias is None else bias.to(device)
    out = written(x, y, bias=given, back=WriteBack.of(factors.to(device), limits, dtype))
    assert out is not None
    assert out.is_contiguous()
    assert out.dtype == dtype
    assert torch.equal(out.cpu(), expected(a, b, bias, factors, dtype, limits))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("left", [torch.int8, torch.uint8], ids=str)
@pytest.mark.parametrize("lie", ["as it is", "by columns"])
@pytest.mark.parametrize("shape", [(1, 17, 70, 19), (3, 5, 33, 16), (1, 32, 64, 32), (2, 1, 1, 1)], ids=str)
def test_all_types(
    device: torch.device, shape: tuple[int, int, int, int], lie: str, left: torch.dtype, dtype: torch.dtype
) -> None:
    g, m, k, n = shape
    bias = torch.randint(-(2**15), 2**15, (n,), dtype=torch.int32, generator=torch.Generator().manual_seed(3))
    multiplier = torch.linspace(1e-3, 4e-3, n)
    a, b = drawn(g, m, k, seed=1, dtype=left), drawn(g, n, k, seed=2)
    check(device, a, b, bias=bias, multiplier=multiplier, dtype=dtype, lie=lie)


def test_bands_of_tiles(device: torch.device) -> None:
    check(device, drawn(16 * 11 + 3, 3, seed=1), drawn(50, 3, seed=2), dtype=torch.int32)


def test_operands_that_lie_otherwise(device: torch.device) -> None:
    qkv = drawn(2, 9, 3, 2, 16, seed=4)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # [2, 2, 9, 16], of one tensor on the device too
    on = qkv.to(device).permute(2, 0, 3, 1, 4).unbind(0)
    one = torch.ones(1)
    out = written(on[0], on[1], bias=None, back=WriteBack.of(one.to(device), INT8, torch.int32))
    assert torch.equal(out.cpu(), expected(q, k, None, one, torch.int32, INT8))
    scores = drawn(2, 2, 9, 9, seed=5, dtype=torch.uint8)
    out = written(scores.to(device), on[2].mT, bias=None, back=WriteBack.of(one.to(device), INT8, torch.int32))
    assert torch.equal(out.cpu(), expected(scores, v.mT, None, one, torch.int32, INT8))


def test_words_that_are_spread(device: torch.device) -> None:
    back = WriteBack.of(torch.ones(1, device=device), INT8, torch.int8)
    a, b = drawn(2, 3, 5, 16, seed=1), drawn(2, 3, 130, 16, seed=2)
    out = written(a.to(device), b.to(device), bias=None, back=back, spread=True)
    assert out is not None
    assert out.stride() == (3 * 5 * 144, 5 * 144, 144, 1)
    assert torch.equal(out.cpu(), expected(a, b, None, torch.ones(1), torch.int8, INT8))
    values = drawn(2, 130, 3, 32, seed=3)
    v = values.to(device).transpose(1, 2)  # [2, 3, 130, 32]: heads side by side
    again = written(out, v.mT, bias=None, back=back, spread=True)
    assert again is not None
    assert again.transpose(1, 2).is_contiguous()
    right = expected(out.cpu(), values.transpose(1, 2).mT, None, torch.ones(1), torch.int8, INT8)
    assert torch.equal(again.cpu(), right)
    whole = written(out, v.mT, bias=None, back=back)
    assert whole is not None
    assert whole.is_contiguous()


def test_groups(device: torch.device) -> None:
    check(device, drawn(4, 1, 3, 6, seed=1), drawn(2, 5, 6, seed=2), dtype=torch.int32)  # broadcast
    check(device, drawn(2, 2, 2, 3, 6, seed=1), drawn(2, 1, 2, 5, 6, seed=2), dtype=torch.int32)
    check(device, drawn(1, 6, seed=1).expand(4, 6), drawn(5, 6, seed=2), dtype=torch.int32)
    x, weight = drawn(6, 4, seed=1), drawn(40, 6, seed=2)
    out = written(x.to(device).T, weight.to(device)[::2], bias=None, back=None)
    assert torch.equal(out.cpu(), expected(x.T, weight[::2], None, torch.ones(1), torch.int32, INT8))


def test_nothing_is_not_served(device: torch.device) -> None:
    for a, b in (((0, 3), (5, 3)), ((2, 0), (5, 0)), ((2, 3), (0, 3))):
        x, y = (torch.zeros(size, dtype=torch.int8, device=device) for size in (a, b))
        assert written(x, y, bias=None, back=None) is None


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # numpy's, where kernels are interpreted
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_extremes(device: torch.device, dtype: torch.dtype) -> None:
    lowest = torch.full((5, 70), -128, dtype=torch.int8)
    for top in (torch.full((3, 70), 255, dtype=torch.uint8), torch.full((3, 70), 127, dtype=torch.int8), lowest):
        for b in (lowest, torch.full((5, 70), 127, dtype=torch.int8)):
            check(device, top, b, dtype=dtype)
            check(device, top, b, dtype=dtype, multiplier=torch.tensor([torch.inf]), grid=(-3, -128, 127))


def test_totals_wrap_with_their_bias(device: torch.device) -> None:
    bias = torch.tensor([2**31 - 1, -(2**31), 2**31 - 100, 0, 5], dtype=torch.int32)
    for dtype in DTYPES:
        check(device, drawn(7, 40, seed=1), drawn(5, 40, seed=2), bias=bias, dtype=dtype)


def test_ties_go_to_the_even_word(device: torch.device) -> None:
    a, b = torch.arange(-20, 20, dtype=torch.int8)[:, None], torch.tensor([[1], [-1]], dtype=torch.int8)
    for zero in (0, 1, -7):
        check(device, a, b, multiplier=torch.tensor([0.5]), grid=(zero, -128, 127))
    check(device, a, b, multiplier=torch.tensor([0.5]), dtype=torch.uint8, grid=(3, 0, 60))


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # numpy's, where kernels are interpreted
def test_multipliers_that_are_no_numbers(device: torch.device) -> None:
    multiplier = torch.tensor([torch.nan, torch.inf, -torch.inf, 1e-45, -3e38])
    check(device, torch.zeros(2, 4, dtype=torch.int8), drawn(5, 4, seed=2), multiplier=multiplier)
    check(device, drawn(6, 4, seed=1), drawn(5, 4, seed=2), multiplier=multiplier)


def reference(operator: Linear | Gemm, inputs: tuple[Tensor | None, ...]) -> Tensor:
    """What the host's own product and torch's operations make of it."""
    a, b = inputs[0], inputs[1]
    assert a is not None
    assert b is not None
    bias = inputs[2] if len(inputs) > 2 else None
    write_back = operator.write_back or WriteBack(multiplier=torch.ones(1), dtype=torch.int32)
    right_factor = b if isinstance(operator, Linear) else b.mT
    return expected(a, right_factor, bias, write_back.multiplier, write_back.dtype, write_back.grid.limits)


WORDS = [
    name
    for name, case in BARE.items()
    if isinstance(case.operator, Linear | Gemm) and case.inputs[0] is not None and case.inputs[0].dtype == torch.int8
]


@pytest.mark.parametrize("name", WORDS)
def test_operators(device: torch.device, name: str) -> None:
    case = BARE[name]
    operator = case.operator
    inputs = [None if x is None else x.to(device) for x in case.inputs]
    moved = operator
    if operator.write_back is not None:
        write_back = replace(operator.write_back, multiplier=operator.write_back.multiplier.to(device))
        moved = replace(operator, write_back=write_back)
    out = moved.kernel(inputs, lambda _: None)
    assert out.shape == moved.empty(inputs).shape
    assert torch.equal(out.cpu(), reference(operator, case.inputs))


@pytest.mark.parametrize("left", [torch.int8, torch.uint8], ids=str)
def test_deployed_operators(device: torch.device, left: torch.dtype) -> None:
    x, weight, bias = drawn(3, 7, 40, seed=1, dtype=left), drawn(6, 40, seed=2), torch.arange(6, dtype=torch.int32)
    multiplier = torch.linspace(1e-3, 2e-3, 6)
    on = [one.to(device) for one in (x, weight, bias, multiplier)]
    out = torch.ops.radhard.linear(*on, [2, -128, 127], torch.int8)
    assert torch.equal(out.cpu(), expected(x, weight, bias, multiplier, torch.int8, (2, -128, 127)))
    b = drawn(3, 40, 5, seed=4)
    out = torch.ops.radhard.matmul(on[0], b.to(device), on[3][:1], [2, -128, 127], torch.int8)
    assert torch.equal(out.cpu(), expected(x, b.mT, None, multiplier[:1], torch.int8, (2, -128, 127)))


@pytest.mark.parametrize("left", [torch.int8, torch.uint8], ids=str)
def test_what_is_computed_again(device: torch.device, left: torch.dtype) -> None:
    a, b = drawn(4, 70, seed=1, dtype=left), drawn(5, 70, seed=2)
    exact = torch.from_numpy(a.numpy().astype(np.int64) @ b.numpy().astype(np.int64).T)
    for again in (exactly, from_scratch):
        out = again(a.to(device), b.to(device))
        assert out.dtype == torch.int64
        assert torch.equal(out.cpu(), exact)
    assert from_scratch(a[:0].to(device), b.to(device)).shape == (0, 5)


def test_the_plain_product(device: torch.device) -> None:
    a, b = drawn(2, 5, 40, seed=1, dtype=torch.uint8), drawn(2, 6, 40, seed=2)
    (triton,) = [one for one in backends.BACKENDS if one.name == "triton"]
    out = triton.product(a.to(device), b.to(device))
    assert torch.equal(out.cpu(), expected(a, b, None, torch.ones(1), torch.int32, INT8))


VARIANT = Variant(
    config=TINY, unsigned=False, b_by_k=True, whole=False, k_aligned=False, n_aligned=False, a_aligned=False,
    b_aligned=False, c_aligned=False, writes=Writes(biased=True, centred=False, one=False, dtype=torch.int8),
)  # fmt: skip


def test_the_proof_finds_a_liar(device: torch.device) -> None:
    variant = replace(VARIANT, config=replace(TINY, band=1) if device.type == "cpu" else SMALL)

    def liar(v: Variant, x: Tensor, y: Tensor, out: Tensor, *rest: Any, most: int) -> None:
        launch(v, x, y, out, *rest, most=most)
        out[-1, -1] ^= 1

    assert not right(liar, variant, device)
    assert right(launch, variant, device)
    other = replace(
        variant,
        unsigned=True,
        b_by_k=False,
        b_aligned=True,
        c_aligned=True,
        writes=replace(variant.writes, biased=False, centred=True, dtype=torch.float32),
    )
    assert right(launch, other, device)


@pytest.mark.parametrize("persistent", [0, 1])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_operands_that_are_described(device: torch.device, dtype: torch.dtype, persistent: int) -> None:
    config = replace(TINY, band=2, described=True) if device.type == "cpu" else WEIGHT[0]
    limits = GRIDS.get(dtype, INT8)
    x, y = drawn(1, 1, 39, 48, seed=1).to(device), drawn(1, 1, 32, 48, seed=2).to(device)
    bias, multiplier = torch.arange(32, dtype=torch.int32), torch.linspace(1e-3, 4e-3, 32)
    out = torch.empty(1, 1, 39, 32, dtype=dtype, device=device)
    writes = Writes(biased=True, centred=limits[0] == 0, one=False, dtype=dtype)
    (variant, *_) = variants_of(x, y, out.stride()[:3], unsigned=False, writes=writes)
    assert can_be_described(variant, x)
    launch(
        replace(variant, config=replace(config, persistent=persistent)),
        x,
        y,
        as_signed(out),
        bias.to(device),
        WriteBack.of(multiplier.to(device), limits, dtype),
    )
    assert torch.equal(out.cpu(), expected(x.cpu(), y.cpu(), bias, multiplier, dtype, limits))


def test_programs_that_stay_make_several_tiles(device: torch.device) -> None:
    config = replace(TINY, band=2, described=True, persistent=1) if device.type == "cpu" else WEIGHT[0]
    variant = replace(
        VARIANT,
        config=config,
        whole=True,
        k_aligned=True,
        n_aligned=True,
        a_aligned=True,
        b_aligned=True,
        c_aligned=True,
    )
    assert right(launch, variant, device)


def test_the_fastest_is_found(device: torch.device) -> None:
    x = torch.ones(1 << 22, device=device)
    steps = [lambda: [x.sum() for _ in range(20)], lambda: x[:1].sum()]
    assert fastest(steps, device) == (1 if device.type == "cuda" else 0)
