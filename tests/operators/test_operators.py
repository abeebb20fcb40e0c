"""One table of all operators, and what must hold for each: text, kernel and PyTorch agree, units are independent.

Every operator stands in the table alone, and in each of its int8 wrappers; a third of the wrapped are not slow.
"""

import importlib
import pkgutil
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from radhard.faults import Faults, Faulty
from radhard.machine import Clean, Counting, MatrixProduct, Operator, Plain, Rows, read_cost
from radhard.operators import Gelu, Quantized, Sigmoid, Silu
from tests.support.flips import flips_of
from tests.support.operators import BARE, BATCH, Case, X, int8s
from tests.support.wrapped import PLACES, WRAPPED, WRAPPERS, ZEROS, every

CASES = BARE | WRAPPED
EVERY = pytest.mark.parametrize("case", every(CASES))


def silent(mask: Tensor) -> None:
    raise AssertionError(f"{int(mask.sum())} values are not finite")


def close(got: Tensor, wanted: Tensor, case: Case) -> None:
    assert got.dtype == wanted.dtype
    if case.exact:
        assert torch.equal(got, wanted)
    elif case.step:
        apart = (got.int() - wanted.int()).abs()
        assert apart.max() <= 1
        assert int((apart > 0).sum()) <= 2 + got.numel() // 50
    else:
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-6 * float(wanted.abs().max()))


@EVERY
def test_text_kernel_and_pytorch_agree(case: Case) -> None:
    text = Operator.kernel(case.operator, case.inputs, silent)
    kernel = case.operator.kernel(case.inputs, silent)
    expected = case.torch(*case.inputs)
    assert text.shape == kernel.shape == expected.shape
    close(kernel, expected, case)
    close(text, kernel, case)
    assert case.operator.empty(case.inputs).dtype == kernel.dtype


@EVERY
def test_units_cover_the_output_once(case: Case) -> None:
    units = case.operator.units(case.inputs)
    out = case.operator.empty(case.inputs)
    assert len(units.grid) == out.ndim
    seen = torch.zeros(out.shape, dtype=torch.float32)
    for unit in range(units.count):
        index = torch.tensor([unit])
        one = torch.zeros_like(seen)
        units.scatter(one, index, torch.ones(case.operator.definition(Plain(), *units.gather(index)).shape))
        seen += one
    assert bool((seen == 1).all())


@EVERY
def test_a_unit_depends_on_what_it_gathers_alone(case: Case) -> None:
    """The text on one unit, from copies of its inputs, gives this unit of the text on all."""
    units = case.operator.units(case.inputs)
    whole = Operator.kernel(case.operator, case.inputs, silent)
    for unit in torch.randperm(units.count, generator=torch.Generator().manual_seed(3))[:20]:
        index = unit.reshape(1)
        copies = [
            Rows(x.dense().clone(), torch.zeros(1, dtype=torch.int64)) if isinstance(x, Rows) else x
            for x in units.gather(index)
        ]
        alone = whole.clone()
        units.scatter(alone, index, case.operator.definition(Plain(), *copies))
        if whole.is_floating_point():
            torch.testing.assert_close(alone, whole, rtol=1e-6, atol=1e-6)
        else:
            assert torch.equal(alone, whole)


@EVERY
def test_a_batch_of_8_is_8_batches_of_1(case: Case) -> None:
    """Bit for bit, but for kernels of torch: its float products block by size, its tanh and exp have scalar tails."""
    whole = case.operator.kernel(case.inputs, silent)
    parts = torch.cat([case.operator.kernel(case.part(i, i + 1), silent) for i in range(BATCH)], dim=case.axis)
    if case.operator in (Gelu(form="tanh"), Sigmoid(), Silu()) or (
        isinstance(case.operator, MatrixProduct) and not case.exact
    ):
        torch.testing.assert_close(parts, whole, rtol=1e-6, atol=5e-6)  # last bits depend on the processor
    else:
        assert torch.equal(parts, whole)


@EVERY
def test_a_rate_of_0_is_clean(case: Case) -> None:
    machine = Faulty(Clean(), Faults(ber=0.0, kinds={"mul", "add", "load", "special", "scale"}))
    cost = read_cost(case.operator, case.part(0, 1), case.site)
    machine.begin({case.site: cost}, torch.arange(BATCH))
    got = machine.apply(case.operator, case.inputs, case.site)
    assert torch.equal(got, case.operator.kernel(case.inputs, silent))


def _touched(case: Case, faults: list[tuple[int, str, int, int]]) -> Tensor:
    """Mask of the output: where a unit lies that a fault hits, from the closed order of operations."""
    units = case.operator.units(case.part(0, 1))
    cost = read_cost(case.operator, case.part(0, 1), case.site)
    shape = case.operator.empty(case.inputs)
    mask = torch.zeros(shape.shape, dtype=torch.bool)
    for image, kind, index, _ in faults:
        left = index
        for step in cost.steps:
            if step.kind != kind:
                continue
            if left < step.per_unit * cost.units:
                break
            left -= step.per_unit * cost.units
        unit = torch.tensor([left // step.per_unit])
        mine = torch.zeros(case.operator.empty(case.part(0, 1)).shape)
        size = case.operator.definition(Plain(), *units.gather(unit)).shape
        units.scatter(mine, unit, torch.ones(size))
        mask.narrow(case.axis, image, 1).logical_or_(mine.bool())
    return mask


@pytest.mark.parametrize("case", every({name: case for name, case in CASES.items() if case.count}))
def test_faults_change_hit_units_only_and_no_input(case: Case) -> None:
    before = [None if x is None else x.clone() for x in case.inputs]
    cost = read_cost(case.operator, case.part(0, 1), case.site)
    generator = np.random.default_rng(8)
    faults = [
        (int(image), kind, int(generator.integers(cost.operations(kind))), bit)
        for image in (1, 6)
        for kind, operations in case.count.items()
        for bit in (7, 6)
        if operations
    ]
    machine = Faulty(Clean(), flips_of([(image, "here", kind, index, bit) for image, kind, index, bit in faults]))
    machine.begin({case.site: cost}, torch.arange(BATCH))
    got = machine.apply(case.operator, case.inputs, case.site)
    clean = case.operator.kernel(case.inputs, silent)
    mask = _touched(case, faults)
    assert mask.any()
    assert not mask.all()
    assert torch.equal(got[~mask], clean[~mask])
    if not case.step and "scale" not in case.count:
        assert not torch.equal(got[mask], clean[mask])
    for x, old in zip(case.inputs, before, strict=True):
        assert (x is None and old is None) or torch.equal(x, old)


@EVERY
def test_non_contiguous_inputs(case: Case) -> None:
    def strided(x: Tensor | None) -> Tensor | None:
        if x is None or x.ndim < 2:
            return x
        wide = torch.zeros(*x.shape[:-1], 2 * x.shape[-1], dtype=x.dtype)
        wide[..., ::2] = x
        swapped = wide.transpose(-1, -2).contiguous().transpose(-1, -2)
        return swapped[..., ::2]

    inputs = tuple(strided(x) for x in case.inputs)
    close(case.operator.kernel(inputs, silent), case.operator.kernel(case.inputs, silent), case)
    close(Operator.kernel(case.operator, inputs, silent), case.operator.kernel(case.inputs, silent), case)


@EVERY
def test_counting_equals_the_closed_formulae(case: Case) -> None:
    counting = Counting()
    counting.begin({}, torch.arange(BATCH))
    counting.apply(case.operator, case.inputs, case.site)
    cost = counting.costs[case.site]
    for kind in ("mul", "add", "load", "special", "scale"):
        assert cost.operations(kind) == case.count.get(kind, 0), kind


def test_the_table_holds_every_operator() -> None:
    from radhard import operators

    inside = {type(case.operator) for case in CASES.values()}
    inside |= {type(case.operator.inner) for case in CASES.values() if isinstance(case.operator, Quantized)}
    named = {getattr(operators, name) for name in operators.__all__}
    for file in pkgutil.iter_modules(operators.__path__, "radhard.operators."):  # an operator may be a file alone
        inner = vars(importlib.import_module(file.name)).values()
        named |= {one for one in inner if getattr(one, "__module__", "") == file.name}
    assert inside == {one for one in named if isinstance(one, type) and issubclass(one, Operator)}


def test_the_wrapped_cases_that_are_not_slow_have_every_pair() -> None:
    """Of operator, wrapper, grid and one of the three or four choices that a test adds, every two meet."""
    assert PLACES.keys() == WRAPPED.keys()
    for choices in (3, 4):
        rows = [
            (place.operator, place.wrapper, place.grid, choice)
            for place in PLACES.values()
            for choice in range(choices)
            if place.covers_with(choice, choices)
        ]
        operators = 1 + max(place.operator for place in PLACES.values())
        sizes = (operators, len(WRAPPERS), len(ZEROS), choices)
        for one, other in combinations(range(4), 2):
            assert len({(row[one], row[other]) for row in rows}) == sizes[one] * sizes[other]


def test_primitives_of_a_machine() -> None:
    a, b = int8s(4, 6), int8s(6, 5, seed=1)
    clean = Clean()
    assert torch.equal(clean.gemm(a, b), (a.long() @ b.long()).int())
    assert torch.equal(clean.mul(X, X), X * X)
    assert torch.equal(clean.add(X, X), X + X)
    assert torch.equal(clean.sum(X, 1), X.sum(1, keepdim=True))
    assert clean.load(X) is X


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_counted_and_quantised(value: float) -> None:
    x = X.clone()
    x[2, 1, 3], x[2, 0, 0], x[5, 2, 6] = value, value, value
    clean = Clean()
    clean.begin({}, torch.arange(BATCH))
    case = CASES["quantize"]
    words = clean.apply(case.operator, (x,), case.site)
    expected = {float("inf"): 127, -float("inf"): -128}.get(value, 0)
    assert [words[2, 1, 3], words[2, 0, 0], words[5, 2, 6]] == [expected] * 3
    assert clean.non_finite.tolist() == [0, 0, 2, 0, 0, 1, 0, 0]
