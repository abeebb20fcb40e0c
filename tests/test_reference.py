"""The scalar references themselves: examples worked by hand, and NumPy in double without faults."""

import math

import numpy as np
import pytest
from scipy.special import erf

from tests.reference import operators
from tests.reference.float32 import flipped, rounded
from tests.reference.gemm import gemm, gemm_float32

SIGN = 31
X = (np.random.default_rng(5).standard_normal((3, 7)) * 1.5).astype(np.float32)
WEIGHT, BIAS = (np.random.default_rng(6).standard_normal((2, 7)) * 0.7).astype(np.float32)


def test_rounding_and_flips_of_float32() -> None:
    assert rounded(0.1) == float(np.float32(0.1))
    assert rounded(1e39) == math.inf
    assert flipped(1.0, 2**31) == -1.0
    assert flipped(1.0, 2**23 | 2**22) == 0.75
    assert flipped(1.0, 2**30) == math.inf


# gemm: [1, 2, 3] . [4, 5, 6] = 4, 10, 18; sums 4, 14, 32; with a bias of 100, 132.
ROW, COLUMN = [[[1, 2, 3]]], [[[4], [5], [6]]]


@pytest.mark.parametrize(
    ("faults", "bias", "expected"),
    [
        ([], None, 32),
        ([], [[100]], 132),
        ([("mul", 1, 0)], None, 33),  # 10 -> 11
        ([("mul", 1, 15)], None, 32 - 32768),
        ([("add", 0, 1)], None, 30),  # 14 -> 12
        ([("add", 0, 31)], None, 32 - 2**31),
        ([("add", 0, 1), ("add", 1, 5)], None, 62),  # 14 -> 12, 30 -> 62: the second acts on the faulty sum
        ([("mul", 0, 1), ("add", 0, 3)], None, 42),  # 4 -> 6, 16 -> 24
        ([("add", 2, 0)], [[100]], 133),  # the addition of the bias: 132 -> 133
        ([("mul", 1, 3), ("mul", 1, 3)], None, 32),  # a bit flipped twice
    ],
)
def test_gemm_by_hand(faults: list, bias: list | None, expected: int) -> None:
    assert gemm(ROW, COLUMN, bias, faults) == [[[expected]]]


def test_gemm_addresses_every_word() -> None:
    """A flip of bit 0 of one word moves exactly the output that the canonical index names, by one."""
    g, m, k, n = 2, 2, 3, 2
    a = [[[2 * (x + y + z) for z in range(k)] for y in range(m)] for x in range(g)]
    b = [[[x + y - z for z in range(n)] for y in range(k)] for x in range(g)]
    for bias, sums in ((None, k - 1), ([[4, -6]] * g, k)):
        clean = np.array(gemm(a, b, bias))
        exact = np.array(a) @ np.array(b) + (0 if bias is None else np.array(bias)[:, None, :])
        assert (clean == exact).all()
        for kind, depth in (("mul", k), ("add", sums)):
            for index in range(g * m * n * depth):
                moved = np.array(gemm(a, b, bias, [(kind, index, 0)])) - clean
                assert np.flatnonzero(moved).tolist() == [index // depth]
                assert abs(moved).sum() == 1


def test_gemm_wraps_both_words() -> None:
    assert gemm([[[100, 1]]], [[[100], [0]]], None, (), 8, 32) == [[[10000 - 39 * 256]]]
    assert gemm([[[100, 100]]], [[[1], [1]]], None, (), 16, 8) == [[[200 - 256]]]
    assert gemm([[[100, 1]]], [[[3], [0]]], None, (), 16, 8) == [[[300 - 256]]]


@pytest.mark.parametrize("fault", [("mul", 3, 0), ("add", 2, 0), ("mul", 0, 16), ("add", 0, 32)])
def test_gemm_refuses_faults_that_hit_nothing(fault: tuple) -> None:
    with pytest.raises(ValueError, match="index"):
        gemm(ROW, COLUMN, None, [fault])


def test_float_gemm() -> None:
    a, b = X[None, :, :5], X.T[None, :5, :2]
    bias = BIAS[None, :2]
    got = gemm_float32(a.tolist(), b.tolist(), bias.tolist())
    np.testing.assert_allclose(got, a.astype(float) @ b.astype(float) + bias, atol=1e-6)
    # 1 + 2^-24 is 1 in float32, however often it is added
    tiny = [[[1.0] + [2.0**-24] * 4]]
    assert gemm_float32(tiny, [[[1.0]] * 5], None) == [[[1.0]]]
    assert gemm_float32([[[1.0, 2.0, 3.0]]], COLUMN, [[100.0]], [("mul", 1, SIGN)]) == [[[112.0]]]
    assert gemm_float32([[[1.0, 2.0, 3.0]]], COLUMN, None, [("add", 0, SIGN), ("add", 1, SIGN)]) == [[[-4.0]]]


def test_operators_equal_numpy_in_double() -> None:
    x = X.astype(float)
    e = np.exp(x - x.max(axis=1, keepdims=True))
    np.testing.assert_allclose(operators.softmax(X.tolist()), e / e.sum(axis=1, keepdims=True), atol=1e-6)
    flat = x.ravel()
    np.testing.assert_allclose(operators.gelu_erf(flat.tolist()), flat * (1 + erf(flat / np.sqrt(2))) / 2, atol=1e-6)
    inner = np.sqrt(2 / np.pi) * (flat + 0.044715 * flat**3)
    np.testing.assert_allclose(operators.gelu_tanh(flat.tolist()), flat * (1 + np.tanh(inner)) / 2, atol=1e-6)
    z = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-6)
    rows = X.tolist()
    np.testing.assert_allclose(operators.layer_norm(rows, None, None, 1e-6), z, atol=1e-6)
    np.testing.assert_allclose(
        operators.layer_norm(rows, WEIGHT.tolist(), BIAS.tolist(), 1e-6), z * WEIGHT + BIAS, atol=1e-6
    )
    np.testing.assert_allclose(operators.sum_rows(rows), x.sum(axis=1), atol=1e-6)
    np.testing.assert_allclose(operators.mean_rows(rows), x.mean(axis=1), atol=1e-6)
    assert operators.add(flat.tolist(), flat.tolist()) == (2 * flat).tolist()
    assert operators.mul(flat.tolist(), flat.tolist()) == (X * X).ravel().astype(float).tolist()


# softmax of [0, 0], twice: d = 0 0, e = 1 1, s = 2, r = 0.5, y = 0.5 0.5. U = 2, N = 2.
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (("mul", 3, SIGN), [[0.5, 0.5], [0.5, -0.5]]),
        (("special", 3, SIGN), [[0.5, 0.5], [math.inf, -math.inf]]),  # e = 1 -1, s = 0
        (("special", 4, SIGN), [[-0.5, -0.5], [0.5, 0.5]]),  # r of row 0
        (("special", 5, SIGN), [[0.5, 0.5], [-0.5, -0.5]]),
        (("add", 4, SIGN), [[-0.5, -0.5], [0.5, 0.5]]),  # U N + 0: the sum of row 0
        (("add", 5, SIGN), [[0.5, 0.5], [-0.5, -0.5]]),
        (("add", 2, 30), [[0.5, 0.5], [0.8807970780, 0.1192029220]]),  # d = 2 0
    ],
)
def test_softmax_by_hand(fault: tuple, expected: list) -> None:
    got = operators.softmax([[0.0, 0.0], [0.0, 0.0]], [fault])
    for row, wanted in zip(got, expected, strict=True):
        assert row == pytest.approx(wanted, rel=1e-6)


# GELU of [0, 8]: erf 0 1, f = 1 2, g = 0 16, y = 0 8. E = 2.
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (("mul", 1, SIGN), 0.0),  # h -> -h, erf = -1, f = 0
        (("special", 1, SIGN), 0.0),
        (("add", 1, SIGN), -8.0),
        (("mul", 3, SIGN), -8.0),  # E + 1: g
        (("mul", 5, 23), 16.0),  # 2 E + 1: y = 8, exponent 130 -> 131
    ],
)
def test_gelu_erf_by_hand(fault: tuple, expected: float) -> None:
    assert operators.gelu_erf([0.0, 8.0], [fault]) == [0.0, expected]


# GELU of [0, 8]: q = 64, c = 512, k = 22.89, a = 30.89, h = 24.65, t = 1, f = 2, g = 16, y = 8. E = 2.
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (("mul", 1, SIGN), 0.0),  # q: k = -22.89, a < 0, t = -1
        (("mul", 3, SIGN), 0.0),  # c
        (("mul", 5, SIGN), 0.0),  # k
        (("add", 1, SIGN), 0.0),  # a
        (("mul", 7, SIGN), 0.0),  # h
        (("special", 1, SIGN), 0.0),  # t
        (("add", 3, SIGN), -8.0),  # f
        (("mul", 9, 23), 4.0),  # g = 16, exponent 131 -> 130
        (("mul", 11, SIGN), -8.0),  # y
    ],
)
def test_gelu_tanh_by_hand(fault: tuple, expected: float) -> None:
    assert operators.gelu_tanh([0.0, 8.0], [fault]) == [0.0, expected]


# LayerNorm of [0, 2], twice, eps 0, weight [1, 3], bias [10, 20]: s = 2, mu = 1, d = -1 1, q = 1 1, v = 2,
# var = 1, ve = 1, r = 1, z = -1 1, w = -1 3, y = 9 23. U = 2, N = 2; the faults hit row 1.
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (
            ("add", 1, SIGN),
            [10 + 1 / math.sqrt(5), 20 + 9 / math.sqrt(5)],
        ),  # s = -2, mu = -1, d = 1 3, var = 5
        (("mul", 1, SIGN), [10 + 1 / math.sqrt(5), 20 + 9 / math.sqrt(5)]),  # mu = -1
        (("add", 2 + 3, SIGN), [9, 17]),  # d_1 = -1
        (("mul", 2 + 3, SIGN), [-math.inf, math.inf]),  # q_1 = -1, v = 0, r = inf
        (("add", 6 + 1, SIGN), [math.nan, math.nan]),  # v = -2
        (("mul", 6 + 1, SIGN), [math.nan, math.nan]),  # var = -1
        (("add", 8 + 1, SIGN), [math.nan, math.nan]),  # ve = -1
        (("special", 1, SIGN), [11, 17]),  # r = -1
        (("mul", 8 + 3, SIGN), [9, 17]),  # z_1 = -1
        (("mul", 12 + 3, SIGN), [9, 17]),  # w_1 = -3
        (("add", 10 + 3, SIGN), [9, -23]),  # y_1
    ],
)
def test_layer_norm_by_hand(fault: tuple, expected: list) -> None:
    clean, hit = operators.layer_norm([[0.0, 2.0]] * 2, [1.0, 3.0], [10.0, 20.0], 0.0, [fault])
    assert clean == [9, 23]
    assert hit == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_sums_and_elementwise_by_hand() -> None:
    rows = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert operators.sum_rows(rows, [("add", 2, SIGN)]) == [6, -3]  # row 1: 9 -> -9
    assert operators.sum_rows(rows, [("add", 1, SIGN)]) == [-6, 15]
    assert operators.mean_rows(rows, [("add", 3, SIGN)]) == pytest.approx([2, -5], rel=1e-6)
    assert operators.mean_rows(rows, [("mul", 0, SIGN)]) == pytest.approx([-2, 5], rel=1e-6)
    assert operators.add([1.0, 2.0], [3.0, 4.0], [("add", 1, SIGN)]) == [4, -6]
    assert operators.mul([1.0, 2.0], [3.0, 4.0], [("mul", 0, SIGN)]) == [-3, 8]


def test_faults_that_hit_nothing_are_refused() -> None:
    for call in (
        lambda: operators.add([1.0], [1.0], [("add", 1, 0)]),
        lambda: operators.add([1.0], [1.0], [("mul", 0, 0)]),
        lambda: operators.softmax([[1.0, 2.0]], [("special", 3, 0)]),
    ):
        with pytest.raises(ValueError, match="has index"):
            call()
