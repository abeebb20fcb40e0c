"""Matrix products with faults, bit for bit against the scalar reference that executes every operation."""

from itertools import product as cartesian

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from radhard.faults import Faults, Faulty, trace
from radhard.faults.sample import draw_at
from radhard.machine import Clean, Cost, Gemm, Operator, Site, WriteBack, read_cost
from radhard.operators import Conv2d, Linear
from radhard.words import Int, Words
from tests.reference.gemm import gemm, gemm_float32
from tests.support.flips import Fault, faults_over, flips_at
from tests.support.models import tiny_program

SITE = Site(name="here")
EXACT = settings(max_examples=70, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.data_too_large])


def apply(operator: Operator, inputs: tuple, faults: list[Fault], words: Words | None = None) -> torch.Tensor:
    return Faulty(Clean(), flips_at("here", faults, words=words)).apply(operator, inputs, SITE)


def int8s(seed: int, *shape: int) -> np.ndarray:
    """Full range, and often the extremes: their products and sums reach furthest."""
    generator = np.random.default_rng(seed)
    values = generator.integers(-128, 128, shape)
    extremes = generator.choice([-128, 127, 0, -1], shape)
    return np.where(generator.random(shape) < generator.choice([0.0, 0.3, 1.0]), extremes, values).astype(np.int8)


def lefts(seed: int, *shape: int) -> np.ndarray:
    """Left factors: int8 words, or uint8 ones, whose extremes are 0 and 255."""
    if seed % 2:
        return int8s(seed, *shape)
    return (int8s(seed, *shape).astype(np.int16) + 128).astype(np.uint8)


def written(total: int, multiplier: np.float32) -> int:
    """float32(accumulator) times multiplier, half to even, saturated: the write-back of one word."""
    value = np.float32(np.int32(total)) * multiplier
    return int(min(max(np.rint(value), -128), 127))


def gemm_words(g: int, m: int, k: int, n: int, *, biased: bool, bits: tuple[int, int] = (16, 32)) -> dict:
    return {"mul": (g * m * n * k, bits[0]), "add": (g * m * n * (k if biased else k - 1), bits[1])}


SHAPES = st.tuples(
    st.integers(1, 3), st.integers(1, 4), st.one_of(st.integers(1, 5), st.integers(1, 40)), st.integers(1, 4)
)
BIASES = st.sampled_from(["none", "small", "huge"])


def bias_of(kind: str, seed: int, n: int) -> np.ndarray | None:
    if kind == "none":
        return None
    span = 1000 if kind == "small" else 2**31 - 1
    return np.random.default_rng(seed).integers(-span - 1, span, n, endpoint=True).astype(np.int32)


@EXACT
@given(st.data(), SHAPES, st.integers(0, 2**16))
def test_gemm_equals_the_reference(data: st.DataObject, shape: tuple, seed: int) -> None:
    g, m, k, n = shape
    a, b = lefts(seed, g, m, k), int8s(seed + 1, g, k, n)
    faults = data.draw(faults_over(gemm_words(g, m, k, n, biased=False)))
    got = apply(Gemm(), (torch.from_numpy(a), torch.from_numpy(b)), faults)
    assert got.dtype == torch.int32
    assert got.tolist() == gemm(a.tolist(), b.tolist(), None, faults)


@EXACT
@given(st.data(), SHAPES, BIASES, st.integers(0, 2**16))
def test_linear_equals_the_reference(data: st.DataObject, shape: tuple, kind: str, seed: int) -> None:
    """x [g, m, k] is g m rows of one product; the bias may itself wrap the accumulator."""
    g, m, k, n = shape
    x, weight, bias = lefts(seed, g, m, k), int8s(seed + 1, n, k), bias_of(kind, seed, n)
    faults = data.draw(faults_over(gemm_words(g, m, k, n, biased=bias is not None)))
    inputs = (torch.from_numpy(x), torch.from_numpy(weight), None if bias is None else torch.from_numpy(bias))
    got = apply(Linear(), inputs, faults)
    assert got.dtype == torch.int32
    rows = None if bias is None else [bias.tolist()]
    expected = gemm([x.reshape(-1, k).tolist()], [weight.T.tolist()], rows, faults)
    assert got.reshape(1, -1, n).tolist() == expected


@EXACT
@given(st.data(), SHAPES, BIASES, st.integers(0, 2**16), st.sampled_from([2**-6, 2**-14, 0.003, 1e-9]), st.booleans())
def test_write_back_rounds_and_saturates(
    data: st.DataObject, shape: tuple, kind: str, seed: int, scale: float, per_column: bool
) -> None:
    g, m, k, n = shape
    x, weight, bias = lefts(seed, g, m, k), int8s(seed + 1, n, k), bias_of(kind, seed, n)
    faults = data.draw(faults_over(gemm_words(g, m, k, n, biased=bias is not None)))
    multiplier = (np.linspace(1, 2, n if per_column else 1) * scale).astype(np.float32)
    rows = None if bias is None else [bias.tolist()]
    totals = gemm([x.reshape(-1, k).tolist()], [weight.T.tolist()], rows, faults)[0]
    inputs = (torch.from_numpy(x), torch.from_numpy(weight), None if bias is None else torch.from_numpy(bias))
    for dtype in (torch.int8, torch.float32):
        write_back = WriteBack(multiplier=torch.from_numpy(multiplier), dtype=dtype)
        got = apply(Linear(write_back=write_back), inputs, faults)
        assert got.dtype == dtype
        for row, wanted in zip(got.reshape(-1, n).tolist(), totals, strict=True):
            columns = [multiplier[j % len(multiplier)] for j in range(n)]
            if dtype == torch.int8:
                assert row == [written(total, by) for total, by in zip(wanted, columns, strict=True)]
            else:
                assert row == [float(np.float32(t) * by) for t, by in zip(wanted, columns, strict=True)]


def test_write_back_rounds_half_to_even() -> None:
    """Accumulators 1, 3, 5, -1, -3 and 300 at a multiplier of one half."""
    x = torch.tensor([[1], [3], [5], [-1], [-3], [100]], dtype=torch.int8)
    write_back = WriteBack(multiplier=torch.tensor([0.5]), dtype=torch.int8)
    faults = [("add", 0, 1)]  # the bias addition of row 0: 1 -> 3
    bias = torch.zeros(1, dtype=torch.int32)
    weight = torch.tensor([[1]], dtype=torch.int8)
    assert apply(Linear(write_back=write_back), (x, weight, bias), []).flatten().tolist() == [0, 2, 2, 0, -2, 50]
    assert apply(Linear(write_back=write_back), (x, weight, bias), faults).flatten().tolist() == [2, 2, 2, 0, -2, 50]
    huge = [("add", 3, 30), ("add", 4, 30)]  # -1 and -3 with bit 30 cleared
    assert apply(Linear(write_back=write_back), (x, weight, bias), huge).flatten().tolist()[3:5] == [-128, -128]


@EXACT
@given(
    st.data(),
    st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(3, 6), st.integers(3, 6)),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.integers(1, 3)),
    st.tuples(*[st.integers(0, 2)] * 4),
    BIASES,
    st.integers(0, 2**16),
)
def test_conv2d_equals_the_reference(
    data: st.DataObject, shape: tuple, filters: tuple, padding: tuple, kind: str, seed: int
) -> None:
    """Convolution as g products of patches and filters, the patches gathered by plain loops."""
    groups, channels, height, width = shape
    p, q, dy, dx, n = filters
    sy, sx = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dy, dx = (dy if height > 2 * p else 1), (dx if width > 2 * q else 1)
    x, weight = lefts(seed, 1, groups * channels, height, width), int8s(seed + 1, groups * n, channels, p, q)
    bias = bias_of(kind, seed, groups * n)
    patches, size = im2col(x[0], (p, q), (sy, sx), padding, (dy, dx), groups)
    columns = [
        [
            [int(weight[g * n + j, c, r, s]) for j in range(n)]
            for c, r, s in cartesian(range(channels), range(p), range(q))
        ]
        for g in range(groups)
    ]
    m, k = len(patches[0]), channels * p * q
    faults = data.draw(faults_over(gemm_words(groups, m, k, n, biased=bias is not None)))
    expected = gemm(patches, columns, None if bias is None else bias.reshape(groups, n).tolist(), faults)
    operator = Conv2d(stride=(sy, sx), padding=padding, dilation=(dy, dx), groups=groups)
    inputs = (torch.from_numpy(x), torch.from_numpy(weight), None if bias is None else torch.from_numpy(bias))
    got = apply(operator, inputs, faults)
    assert got.dtype == torch.int32
    assert got.shape == (1, groups * n, *size)
    for g in range(groups):
        assert got[0, g * n : (g + 1) * n].reshape(n, -1).T.tolist() == expected[g]


def im2col(x: np.ndarray, size: tuple, stride: tuple, padding: tuple, dilation: tuple, groups: int) -> tuple:
    """x [c, h, w] -> patches [g][h' w'][c / g p q] in the order (channel, row, column), and (h', w')."""
    top, left, bottom, right = padding
    channels, height, width = x.shape
    h = (height + top + bottom - dilation[0] * (size[0] - 1) - 1) // stride[0] + 1
    w = (width + left + right - dilation[1] * (size[1] - 1) - 1) // stride[1] + 1

    def word(c: int, row: int, column: int) -> int:
        inside = 0 <= row < height and 0 <= column < width
        return int(x[c, row, column]) if inside else 0

    mine = channels // groups
    return [
        [
            [
                word(g * mine + c, i * stride[0] - top + r * dilation[0], j * stride[1] - left + s * dilation[1])
                for c, r, s in cartesian(range(mine), range(size[0]), range(size[1]))
            ]
            for i, j in cartesian(range(h), range(w))
        ]
        for g in range(groups)
    ], (h, w)


def test_the_im2col_of_this_test_is_torch_s_convolution() -> None:
    x, weight = int8s(3, 4, 7, 6), int8s(4, 6, 2, 2, 3)
    patches, size = im2col(x, (2, 3), (2, 1), (1, 1, 1, 1), (2, 1), 2)
    wanted = functional.conv2d(
        torch.from_numpy(x).double()[None], torch.from_numpy(weight).double(), None, (2, 1), 1, (2, 1), 2
    )
    got = np.einsum("gmk,gnk->gnm", np.array(patches), weight.reshape(2, 3, -1).astype(int))
    assert (got.reshape(6, *size) == wanted[0].numpy()).all()


@pytest.mark.parametrize("left", [-128, 127, 255])
@pytest.mark.parametrize("k", [1, 2, 7])
def test_high_bits_wrap_the_accumulator_again_and_again(k: int, left: int) -> None:
    """Every high bit of every running sum, bias included: each acts on what the ones before have left."""
    a, b = np.full((1, 2, k), left), np.full((1, k, 2), -128)
    bias = np.array([[2**31 - 1, -(2**31)]])
    faults = [("add", index, bit) for index in range(4 * k) for bit in (28, 29, 30, 31)]
    faults += [("mul", index, bit) for index in range(4 * k) for bit in (14, 15)]
    of_a = torch.uint8 if left > 127 else torch.int8
    inputs = (torch.tensor(a[0], dtype=of_a), torch.tensor(b[0].T.copy(), dtype=torch.int8))
    got = apply(Linear(), (*inputs, torch.tensor(bias[0], dtype=torch.int32)), faults)
    assert [got.tolist()] == gemm(a.tolist(), b.tolist(), bias.tolist(), faults)
    random = np.random.default_rng(k).permutation(len(faults))[: len(faults) // 2]
    some = [faults[i] for i in random]
    got = apply(Linear(), (*inputs, torch.tensor(bias[0], dtype=torch.int32)), some)
    assert [got.tolist()] == gemm(a.tolist(), b.tolist(), bias.tolist(), some)


@pytest.mark.parametrize("kind", ["mul", "add"])
@pytest.mark.parametrize("biased", [False, True])
def test_every_word_has_the_address_that_the_reference_gives_it(kind: str, biased: bool) -> None:
    """One flip at a time over all words of a small product, bit 0 and the sign."""
    m, k, n = 2, 3, 2
    x, weight = lefts(12, m, k), int8s(12, n, k)
    bias = np.array([5, -7], dtype=np.int32) if biased else None
    operations, bits = gemm_words(1, m, k, n, biased=biased)[kind]
    inputs = (torch.from_numpy(x), torch.from_numpy(weight), torch.from_numpy(bias) if biased else None)
    for index, bit in cartesian(range(operations), (0, bits - 1)):
        got = apply(Linear(), inputs, [(kind, index, bit)])
        rows = [bias.tolist()] if biased else None
        assert [got.tolist()] == gemm([x.tolist()], [weight.T.tolist()], rows, [(kind, index, bit)])


@EXACT
@given(st.data(), SHAPES, st.booleans(), st.integers(0, 2**16))
def test_float_chains_equal_the_reference(data: st.DataObject, shape: tuple, biased: bool, seed: int) -> None:
    """Hit chains only: what no flip hits is the fused kernel's, which sums in another order."""
    g, m, k, n = shape
    generator = np.random.default_rng(seed)
    x, weight = (generator.standard_normal(s).astype(np.float32) for s in ((g * m, k), (n, k)))
    bias = generator.standard_normal(n).astype(np.float32) if biased else None
    words = gemm_words(1, g * m, k, n, biased=biased, bits=(32, 32))
    faults = data.draw(faults_over(words))
    inputs = (torch.from_numpy(x), torch.from_numpy(weight), torch.from_numpy(bias) if biased else None)
    got = apply(Linear(), inputs, faults).numpy()
    expected = gemm_float32([x.tolist()], [weight.T.tolist()], [bias.tolist()] if biased else None, faults)
    hit = np.zeros(got.size, dtype=bool)
    for kind, index, _ in faults:
        hit[index // (words[kind][0] // got.size)] = True
    np.testing.assert_array_equal(got.ravel()[hit], np.array(expected, np.float32).ravel()[hit])
    clean = functional.linear(*inputs).numpy()
    np.testing.assert_array_equal(got.ravel()[~hit], clean.ravel()[~hit])


@EXACT
@given(st.data(), SHAPES, st.sampled_from([16, 17, 24, 32]), st.integers(0, 2**16))
def test_products_of_other_widths(data: st.DataObject, shape: tuple, bits: int, seed: int) -> None:
    g, m, k, n = shape
    a, b = lefts(seed, g, m, k), int8s(seed + 1, g, k, n)
    faults = data.draw(faults_over(gemm_words(g, m, k, n, biased=False, bits=(bits, 32))))
    words = Words(product=Int(bits))
    got = apply(Gemm(), (torch.from_numpy(a), torch.from_numpy(b)), faults, words)
    assert got.tolist() == gemm(a.tolist(), b.tolist(), None, faults, bits, 32)


def cost_of_a_product() -> dict[Site, Cost]:
    a, b = torch.zeros(4, 9, dtype=torch.int8), torch.zeros(9, 5, dtype=torch.int8)
    return {SITE: read_cost(Gemm(), (a, b), SITE)}


@pytest.mark.parametrize(
    ("words", "bits"),
    [
        (Words(), (16, 32)),
        (Words(product=Int(16, 8)), (8, 32)),
        (Words(product=Int(32), accumulator=Int(32, 24)), (32, 24)),
        (Words(product=Int(16, 1), accumulator=Int(32, 1)), (1, 1)),
    ],
)
def test_draw_reaches_every_exposed_bit_and_none_beyond(words: Words, bits: tuple[int, int]) -> None:
    """At rate 1 every exposed bit of every word flips once."""
    for kind, operations, exposed in (("mul", 4 * 5 * 9, bits[0]), ("add", 4 * 5 * 8, bits[1])):
        found = draw_at(cost_of_a_product(), Faults(ber=1.0, kinds={kind}, words=words), np.arange(1))
        assert sorted(zip(found.index.tolist(), found.bit.tolist(), strict=True)) == list(
            cartesian(range(operations), range(exposed))
        )


def test_a_drawn_run_equals_the_reference_under_its_own_faults() -> None:
    """From `Faults` to accumulators: what is drawn is what hits."""
    a, b = lefts(22, 1, 6, 30), int8s(22, 1, 30, 5)
    for words in (Words(), Words(product=Int(16, 8), accumulator=Int(32, 8))):
        faults = Faults(ber=0.01, seed=9, words=words)
        machine = Faulty(Clean(), faults)
        got = machine.apply(Gemm(), (torch.from_numpy(a), torch.from_numpy(b)), SITE)
        found = draw_at(
            {SITE: read_cost(Gemm(), (torch.from_numpy(a), torch.from_numpy(b)), SITE)}, faults, np.arange(1)
        )
        kinds = [("mul", "add")[kind] for kind in found.kind]
        rows = list(zip(kinds, found.index.tolist(), found.bit.tolist(), strict=True))
        assert len(rows) > 50
        assert got.tolist() == gemm(a.tolist(), b.tolist(), None, rows)


def test_no_bit_beyond_the_exposed_ones_in_a_program() -> None:
    words = Words(product=Int(16, 8), accumulator=Int(32, 4))
    found = trace(tiny_program("int8"), Faults(ber=1e-3, words=words), np.arange(4))
    gemms = np.array([name.startswith("blocks.0.attn.qkv") for name in found.sites])[found.site]
    assert gemms.sum() > 100
    assert found.bit[gemms & (found.kind == 0)].max() == 7
    assert found.bit[gemms & (found.kind == 1)].max() == 3


def test_overlapping_patches_that_are_a_view() -> None:
    """A 3 x 1 filter over a column: the patches are rows of one view that overlap in memory."""
    x, weight = lefts(30, 1, 1, 9, 1), int8s(32, 4, 1, 3, 1)
    patches, _ = im2col(x[0], (3, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1)
    got = apply(Conv2d(), (torch.from_numpy(x), torch.from_numpy(weight), None), [])
    assert [got[0].reshape(4, -1).T.tolist()] == gemm(patches, [weight.reshape(4, 3).T.tolist()], None)
