"""Every operator of the table, alone and in every int8 wrapper, on a device: what it gives on the CPU."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from radhard.faults.device.striking_proof import moved as moved_operator
from radhard.machine import Clean, Grid, Operator, undisturbed
from radhard.operators import Add, Affine, LayerNorm, Mul, Quantized, RmsNorm, Softmax
from radhard.operators.fused import in_one_pass
from tests.cuda.reference import plain
from tests.support.operators import BARE, BATCH, Case
from tests.support.wrapped import WRAPPED, every

EVERY = BARE | WRAPPED


def applied(operator: Operator, inputs: tuple[Tensor | None, ...], case: Case) -> tuple[Tensor, Tensor]:
    machine = Clean()
    machine.begin({}, torch.arange(BATCH))
    assert inputs[0] is not None
    with undisturbed(inputs[0].device):
        out = machine.apply(operator, inputs, case.site)
    return out.cpu(), machine.non_finite.cpu()


@pytest.mark.parametrize("case", every(EVERY))
def test_an_operator_gives_what_it_gives_on_the_host(case: Case, device: torch.device) -> None:
    moved = tuple(None if x is None else x.to(device) for x in case.inputs)
    found, non_finite = applied(moved_operator(case.operator, device), moved, case)
    expected, strange_there = plain(lambda *inputs: applied(case.operator, inputs, case), *case.inputs)
    assert found.dtype == expected.dtype
    assert torch.equal(non_finite, strange_there)
    if case.exact:
        assert torch.equal(found, expected)
    elif found.is_floating_point():
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5, equal_nan=True)
    else:
        apart = (found.int() - expected.int()).abs()
        assert apart.max() <= 1
        assert int((apart > 0).sum()) <= max(1, apart.numel() // 100)


X8 = Affine(scale=0.11)
U8 = Affine(scale=0.03, grid=Grid(zero=131, low=3, high=250, dtype=torch.uint8))
LONG = {
    "softmax": (Softmax(), (5, 197)),
    "layer_norm": (LayerNorm(shape=(768,), eps=1e-6), (5, 768)),
    "rms_norm": (RmsNorm(shape=(3, 100)), (5, 3, 100)),
}


@pytest.mark.parametrize("reads", [X8, U8, None], ids=["int8", "uint8", "float32"])
@pytest.mark.parametrize("writes", [X8, U8, None], ids=["int8", "uint8", "float32"])
@pytest.mark.parametrize("name", LONG)
def test_long_rows(name: str, reads: Affine | None, writes: Affine | None, device: torch.device) -> None:
    inner, shape = LONG[name]
    draw = torch.Generator().manual_seed(5)
    x = torch.randn(shape, generator=draw) * 3
    if reads is not None:
        x = torch.randint(-128, 128, shape, generator=draw, dtype=torch.int8).view(reads.grid.dtype)
    of = [] if name == "softmax" else [torch.randn(inner.shape, generator=draw)]
    of += [torch.randn(inner.shape, generator=draw)] if name == "layer_norm" else []
    operator = Quantized(inner=inner, reads=(reads, *(None for _ in of)), writes=writes)
    inputs = [one.to(device) for one in (x, *of)]
    assert in_one_pass(inner, inputs, reads=operator.reads, writes=writes) is not None
    found = operator.kernel(inputs, lambda _: None).cpu()
    expected = plain(lambda *given: operator.kernel(given, lambda _: None), x, *of)
    if writes is None:
        torch.testing.assert_close(found, expected, rtol=3e-7, atol=1e-6)
    else:
        apart = (found.int() - expected.int()).abs()
        assert apart.max() <= 1
        assert int((apart > 0).sum()) <= 2


@pytest.mark.parametrize("n", [16, 17, 33, 50, 64, 129, 197, 577, 3000])
@pytest.mark.parametrize("aligned", [True, False], ids=["aligned", "side by side"])
@pytest.mark.parametrize("writes", [U8, None], ids=["uint8", "float32"])
def test_rows_of_any_length(n: int, aligned: bool, writes: Affine | None, device: torch.device) -> None:
    draw = torch.Generator().manual_seed(5)
    wide = torch.randint(-128, 128, (2, 11, n + 15 - (n - 1) % 16), generator=draw, dtype=torch.int8)
    x = wide[..., :n]
    operator = Quantized(inner=Softmax(), reads=(X8,), writes=writes)
    given = wide.to(device)[..., :n]
    found = operator.kernel([given if aligned else given.contiguous()], lambda _: None).cpu()
    expected = plain(lambda x: operator.kernel([x], lambda _: None), x)
    if writes is None:
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)
    else:
        apart = (found.int() - expected.int()).abs()
        assert apart.max() <= 1
        assert int((apart > 0).sum()) <= max(1, apart.numel() // 1000)


SHAPES = {
    "alike": ((4, 3, 5), (4, 3, 5)),
    "a position's": ((4, 3, 5), (1, 3, 5)),
    "a channel's": ((4, 3, 5, 2), (1, 3, 1, 1)),
    "an image's channel's": ((4, 3, 5, 2), (4, 3, 1, 1)),
    "of fewer axes": ((3, 5), (4, 3, 5)),
    "both ways": ((4, 1), (1, 5)),
    "apart": ((4, 3, 5), (4, 1, 5)),
}


@pytest.mark.parametrize("inner", [Add(), Add(sign=-1), Mul()], ids=["add", "subtract", "mul"])
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("reads", [(X8, U8), (X8, None), (None, U8)], ids=["words", "uncorrected", "right"])
@pytest.mark.parametrize("writes", [X8, None], ids=["int8", "float32"])
def test_two_inputs_are_computed_exactly(
    inner: Operator,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    reads: tuple[Affine | None, Affine | None],
    writes: Affine | None,
    device: torch.device,
) -> None:
    draw = torch.Generator().manual_seed(5)
    inputs = [
        torch.randn(shape, generator=draw)
        if affine is None
        else torch.randint(-128, 128, shape, generator=draw, dtype=torch.int8).view(affine.grid.dtype)
        for shape, affine in zip(shapes, reads, strict=True)
    ]
    operator = Quantized(inner=inner, reads=reads, writes=writes)
    found = operator.kernel([x.to(device) for x in inputs], lambda _: None).cpu()
    assert torch.equal(found, plain(lambda *given: operator.kernel(given, lambda _: None), *inputs))


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("inner", [LayerNorm(shape=(7,)), Softmax(), Add()], ids=["layer_norm", "softmax", "add"])
def test_what_is_not_finite_is_counted_where_it_is(inner: Operator, value: float, device: torch.device) -> None:
    x = torch.randn(BATCH, 3, 7, generator=torch.Generator().manual_seed(5))
    x[2, 1, 4] = value
    others = {"layer_norm": (None, None), "softmax": (), "add": (torch.ones(1),)}[inner.name]
    operator = Quantized(inner=inner, reads=(None, *(None for _ in others)), writes=X8)
    case = Case(operator=operator, inputs=(x, *others), torch=torch.add, count={})
    moved = tuple(None if one is None else one.to(device) for one in case.inputs)
    found, non_finite = applied(operator, moved, case)
    expected, strange_there = plain(lambda *inputs: applied(operator, inputs, case), *case.inputs)
    assert torch.equal(non_finite, strange_there)
    assert int(non_finite[2]) == (1 if inner.name == "add" else 7)
    assert int(non_finite.sum()) == int(non_finite[2])
    assert int((found.int() - expected.int()).abs().max()) <= 1


OF_INT8, TO_INT8 = Affine(scale=0.07, grid=Grid(zero=-13)), Affine(scale=0.02)
PROOFS = {
    "layer norm to words": {"centred": True, "with_": (True, True), "read": None, "write": TO_INT8},
    "layer norm of words": {"centred": True, "with_": (True, False), "read": OF_INT8, "write": TO_INT8},
    "root mean square": {"centred": False, "with_": (True, True), "read": OF_INT8, "write": None},
}


@pytest.mark.parametrize("n", [5, 197, 768])
@pytest.mark.parametrize("name", PROOFS)
def test_a_normalisation_is_proved_and_one_that_counts_its_padding_is_not(
    name: str, n: int, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    from radhard.kernels.cuda import passes

    of: Any = PROOFS[name]
    dtype = torch.float32 if of["read"] is None else torch.int8
    assert passes._normalises(device, n=n, dtype=dtype, **of) is True
    whole = passes.unproven_normalise

    def padded(x: torch.Tensor, *parameters: Any, **how: Any) -> Any:
        """As if a row had some more elements, of 0, which the mean and the variance take for its own."""
        if parameters[0] is not None:
            parameters = (parameters[0] * (1 + 11 / n) ** 0.5, *parameters[1:])
        return whole(x, *parameters, **how)

    monkeypatch.setattr(passes, "unproven_normalise", padded)
    assert passes._normalises(device, n=n, dtype=dtype, **of) is not True
