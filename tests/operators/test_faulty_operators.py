"""Operators under faults, word for word against the scalar references.

Multiplications, additions and sums are single correctly rounded operations: bits must be equal. exp, erf, tanh
and rsqrt are the library's, within two units in the last place of the reference's; what follows from them is
compared within a few units, unless the reference is fed the library's own values.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radhard.faults import Faults, Faulty
from radhard.faults.sample import draw_at
from radhard.machine import KINDS, Clean, Operator, Site, read_cost
from radhard.operators import Add, Gelu, LayerNorm, Mean, Mul, Softmax, Sum
from tests.reference import float32, operators
from tests.support.flips import Fault, faults_over, flips_at

SITE = Site(name="here")
EXACT = settings(max_examples=60, deadline=None, derandomize=True)
ROWS = st.tuples(st.integers(1, 4), st.integers(1, 9))


def values(seed: int, *shape: int) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * 1.5).astype(np.float32)


def apply(operator: Operator, inputs: tuple, faults: list[Fault]) -> np.ndarray:
    given_inputs = tuple(None if x is None else torch.from_numpy(x) for x in inputs)
    return Faulty(Clean(), flips_at("here", faults)).apply(operator, given_inputs, SITE).numpy()


def same(got: np.ndarray, wanted: list, *, ulps: int = 0) -> None:
    """Bits, or within `ulps` of float32; NaN as NaN."""
    expected = np.array(wanted, dtype=np.float32).reshape(got.shape)
    non_finite = ~np.isfinite(got) | ~np.isfinite(expected)
    np.testing.assert_array_equal(got[non_finite], expected[non_finite])
    a, b = got[~non_finite], expected[~non_finite]
    if not ulps:
        np.testing.assert_array_equal(a.view(np.int32), b.view(np.int32))
        return
    np.testing.assert_array_less(np.abs(a.astype(float) - b), ulps * np.spacing(np.abs(b)) + 1e-38)


def hit_rows(faults: list[Fault], steps: list[tuple[str, int]], units: int) -> np.ndarray:
    """Mask of units: `steps` are the text's (kind, operations a unit), canonical order steps then units."""
    mask = np.zeros(units, dtype=bool)
    for kind, index, _ in faults:
        for step, size in steps:
            if step != kind:
                continue
            if index < size * units:
                mask[index // size] = True
                break
            index -= size * units
    return mask


@EXACT
@given(st.data(), ROWS, st.integers(0, 2**16))
def test_sum_bit_for_bit(data: st.DataObject, shape: tuple, seed: int) -> None:
    u, n = shape
    x = values(seed, u, n)
    faults = data.draw(faults_over({"add": (u * (n - 1), 32)}))
    got = apply(Sum(dims=(-1,)), (x,), faults)[:, 0]
    hit = hit_rows(faults, [("add", n - 1)], u)
    same(got[hit], np.array(operators.sum_rows(x.tolist(), faults))[hit])
    np.testing.assert_allclose(got[~hit], x.astype(float).sum(1)[~hit], atol=1e-5)


@EXACT
@given(st.data(), ROWS, st.integers(0, 2**16))
def test_mean_bit_for_bit(data: st.DataObject, shape: tuple, seed: int) -> None:
    u, n = shape
    x = values(seed, u, n)
    faults = data.draw(faults_over({"add": (u * (n - 1), 32), "mul": (u, 32)}))
    got = apply(Mean(dims=(1,)), (x,), faults)[:, 0]
    hit = hit_rows(faults, [("add", n - 1), ("mul", 1)], u)
    same(got[hit], np.array(operators.mean_rows(x.tolist(), faults))[hit])
    np.testing.assert_allclose(got[~hit], x.astype(float).mean(1)[~hit], atol=1e-5)


@EXACT
@given(st.data(), st.integers(1, 9), st.integers(0, 2**16))
@pytest.mark.parametrize(
    ("operator", "kind", "reference"), [(Add(), "add", operators.add), (Mul(), "mul", operators.mul)]
)
def test_add_and_mul_bit_for_bit(
    operator: Operator, kind: str, reference: Callable, data: st.DataObject, n: int, seed: int
) -> None:
    x, y = values(seed, n), values(seed + 1, n)
    faults = data.draw(faults_over({kind: (n, 32)}))
    same(apply(operator, (x, y), faults), reference(x.tolist(), y.tolist(), faults))


def library_specials(patch: pytest.MonkeyPatch) -> None:
    """Lets the reference's special functions take the library's values: then every other word must be equal."""

    def of_torch(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[float], float]:
        return lambda x: float(function(torch.tensor([x], dtype=torch.float32))[0])

    patch.setattr(operators, "exp", of_torch(torch.exp))
    patch.setattr(operators, "reciprocal", of_torch(torch.reciprocal))
    patch.setattr(operators, "reciprocal_root", of_torch(torch.rsqrt))
    patch.setattr(operators.math, "erf", of_torch(torch.erf))
    patch.setattr(operators.math, "tanh", of_torch(torch.tanh))


def softmax_words(u: int, n: int) -> dict:
    return {"add": (u * (n + n - 1), 32), "mul": (u * n, 32), "special": (u * (n + 1), 32)}


def steps_of(kind: str, n: int, weight: bool = False, bias: bool = False) -> list[tuple[str, int]]:
    """The order of operations of the texts, written down from the definitions."""
    if kind == "softmax":
        return [("add", n), ("special", n), ("add", n - 1), ("special", 1), ("mul", n)]
    norm = [("add", n - 1), ("mul", 1), ("add", n), ("mul", n), ("add", n - 1), ("mul", 1), ("add", 1), ("special", 1)]
    return [*norm, ("mul", n), *([("mul", n)] if weight else []), *([("add", n)] if bias else [])]


def words_of(steps: list[tuple[str, int]], units: int) -> dict:
    return {kind: (units * sum(size for step, size in steps if step == kind), 32) for kind in ("mul", "add", "special")}


@EXACT
@given(st.data(), ROWS, st.integers(0, 2**16))
def test_softmax_word_for_word(data: st.DataObject, shape: tuple, seed: int) -> None:
    u, n = shape
    x = values(seed, u, n)
    steps = steps_of("softmax", n)
    assert words_of(steps, u) == softmax_words(u, n)
    faults = data.draw(faults_over(softmax_words(u, n)))
    got, hit = apply(Softmax(), (x,), faults), hit_rows(faults, steps, u)
    with pytest.MonkeyPatch.context() as patch:
        library_specials(patch)
        library = np.array(operators.softmax(x.tolist(), faults))
    same(got[hit], library[hit], ulps=4)
    np.testing.assert_allclose(got[~hit], torch.from_numpy(x).softmax(1).numpy()[~hit], rtol=1e-6)
    if not faults:
        same(apply(Softmax(), (x,), []), operators.softmax(x.tolist()), ulps=8)


@EXACT
@given(st.data(), ROWS, st.booleans(), st.booleans(), st.integers(0, 2**16))
def test_layer_norm_word_for_word(data: st.DataObject, shape: tuple, weighted: bool, biased: bool, seed: int) -> None:
    u, n = shape
    x = values(seed, u, n)
    weight = values(seed + 1, n) if weighted else None
    bias = values(seed + 2, n) if biased else None
    steps = steps_of("layer_norm", n, weighted, biased)
    faults = data.draw(faults_over(words_of(steps, u)))
    got = apply(LayerNorm(shape=(n,), eps=1e-5), (x, weight, bias), faults)
    arguments = (x.tolist(), None if weight is None else weight.tolist(), None if bias is None else bias.tolist())
    hit = hit_rows(faults, steps, u)
    with pytest.MonkeyPatch.context() as patch:
        library_specials(patch)
        library = np.array(operators.layer_norm(*arguments, 1e-5, faults))
    same(got[hit], library[hit])


@EXACT
@given(st.data(), st.integers(1, 9), st.sampled_from(["none", "tanh"]), st.integers(0, 2**16))
def test_gelu_word_for_word(data: st.DataObject, n: int, form: str, seed: int) -> None:
    x = values(seed, n)
    muls, adds = (3, 1) if form == "none" else (6, 2)
    faults = data.draw(faults_over({"mul": (muls * n, 32), "add": (adds * n, 32), "special": (n, 32)}))
    steps = [("mul", 1)] * muls + [("add", 1)] * adds + [("special", 1)]
    got, hit = apply(Gelu(form=form), (x,), faults), hit_rows(faults, steps, n)
    reference = operators.gelu_erf if form == "none" else operators.gelu_tanh
    with pytest.MonkeyPatch.context() as patch:
        library_specials(patch)
        library = np.array(reference(x.tolist(), faults))
    same(got[hit], library[hit], ulps=4)


@pytest.mark.parametrize("function", ["exp", "erf", "tanh", "rsqrt", "reciprocal"])
def test_special_functions_are_the_reference_s_within_two_units(function: str) -> None:
    """So that feeding the library's values to the reference above hides nothing."""
    x = np.concatenate([values(4, 500) * 3, np.float32([0.0, 1.0, 1e-30, 80.0])])
    x = np.abs(x) if function == "rsqrt" else x
    scalar = {
        "exp": float32.exp, "erf": math.erf, "tanh": math.tanh,
        "rsqrt": float32.reciprocal_root, "reciprocal": float32.reciprocal,
    }[function]  # fmt: skip
    got = getattr(torch, function)(torch.from_numpy(x)).numpy()
    same(got, [float32.rounded(scalar(float(v))) for v in x], ulps=3)


@pytest.mark.parametrize("name", ["softmax", "layer_norm", "gelu", "gelu tanh"])
def test_drawn_faults_word_for_word(name: str) -> None:
    """From `Faults` with all kinds to the outcome: a rate at which most rows are hit several times."""
    x = values(8, 12, 10)
    weight, bias = values(9, 10), values(10, 10)
    operator, inputs, reference = {
        "softmax": (Softmax(), (x,), lambda f: operators.softmax(x.tolist(), f)),
        "layer_norm": (
            LayerNorm(shape=(10,), eps=1e-6),
            (x, weight, bias),
            lambda f: operators.layer_norm(x.tolist(), weight.tolist(), bias.tolist(), 1e-6, f),
        ),
        "gelu": (Gelu(), (x,), lambda f: operators.gelu_erf(x.ravel().tolist(), f)),
        "gelu tanh": (Gelu(form="tanh"), (x,), lambda f: operators.gelu_tanh(x.ravel().tolist(), f)),
    }[name]
    tensors = tuple(torch.from_numpy(one) for one in inputs)
    faults = Faults(ber=2e-3, kinds={"mul", "add", "special"}, seed=4)
    cost = read_cost(operator, tensors, SITE)
    drawn = draw_at({SITE: cost}, faults, np.arange(1))
    rows = [(KINDS[k], int(i), int(b)) for k, i, b in zip(drawn.kind, drawn.index, drawn.bit, strict=True)]
    assert len(rows) > 20
    got = Faulty(Clean(), faults).apply(operator, tensors, SITE).numpy()
    with pytest.MonkeyPatch.context() as patch:
        library_specials(patch)
        expected = np.array(reference(rows), dtype=np.float32).reshape(got.shape)
    apart = np.abs(got.astype(float) - expected) > 8 * np.spacing(np.abs(expected)) + 1e-6
    assert not (apart & np.isfinite(expected)).any()
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    assert (np.abs(expected - reference_clean(operator, tensors)) > 1e-3).sum() >= 3  # the faults did something


def reference_clean(operator: Operator, tensors: tuple) -> np.ndarray:
    return operator.kernel(tensors, lambda _: None).numpy()


@pytest.mark.parametrize("kind", ["mul", "add", "special"])
def test_every_word_of_a_softmax_has_its_address(kind: str) -> None:
    """One flip of the sign at a time, over all words of two rows."""
    x = values(12, 2, 3)
    operations, _ = softmax_words(2, 3)[kind]
    for index in range(operations):
        fault = [(kind, index, 31)]
        got, hit = apply(Softmax(), (x,), fault), hit_rows(fault, steps_of("softmax", 3), 2)
        with pytest.MonkeyPatch.context() as patch:
            library_specials(patch)
            same(got[hit], np.array(operators.softmax(x.tolist(), fault))[hit], ulps=4)


@pytest.mark.parametrize("kind", ["mul", "add", "special"])
def test_every_word_of_a_layer_norm_has_its_address(kind: str) -> None:
    x, weight, bias = values(13, 2, 3), values(14, 3), values(15, 3)
    steps = steps_of("layer_norm", 3, weight=True, bias=True)
    for index in range(words_of(steps, 2)[kind][0]):
        fault = [(kind, index, 30)]
        got, hit = apply(LayerNorm(shape=(3,)), (x, weight, bias), fault), hit_rows(fault, steps, 2)
        assert hit.sum() == 1
        with pytest.MonkeyPatch.context() as patch:
            library_specials(patch)
            expected = operators.layer_norm(x.tolist(), weight.tolist(), bias.tolist(), 1e-5, fault)
        same(got[hit], np.array(expected)[hit])


def test_the_axis_of_a_softmax_gives_the_order_of_its_rows() -> None:
    """Over axis 1 of [2, 3, 2] the rows are (0, 0), (0, 1), (1, 0), (1, 1): outer axes first."""
    x = values(16, 2, 3, 2)
    rows = x.transpose(0, 2, 1).reshape(4, 3)
    for index in range(12):
        got = apply(Softmax(dim=1), (x,), [("mul", index, 31)]).transpose(0, 2, 1).reshape(4, 3)
        expected = torch.from_numpy(rows).softmax(1).numpy()
        expected[index // 3, index % 3] *= -1
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_loads_and_two_bits_of_one_word() -> None:
    x = np.arange(6, dtype=np.int8).reshape(2, 3)
    got = apply_load(x, [("load", 4, 0), ("load", 4, 7), ("load", 0, 6)])
    assert got.tolist() == [[64, 1, 2], [3, 4 + 1 - 128, 5]]
    assert x[0, 0] == 0
    assert apply(Add(), (np.float32([1.0]), np.float32([1.0])), [("add", 0, 22), ("add", 0, 31)]).tolist() == [-3.0]


def apply_load(x: np.ndarray, faults: list[Fault]) -> np.ndarray:
    machine = Faulty(Clean(), flips_at("load", faults))
    return machine.load(torch.from_numpy(x)).numpy()
