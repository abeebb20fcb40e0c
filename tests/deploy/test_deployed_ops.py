"""The operators of deployed models against slow references, with the compiled loops and without them."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import radhard.kernels  # noqa: F401  # declares torch.ops.radhard
from radhard.deploy.forms.ranged import TableWithin
from radhard.errors import FaultError, InputError
from radhard.kernels import write
from radhard.kernels.library import OnUncorrectable, no_events
from radhard.kernels.linear import CheckedRows, beside_digits, checked
from radhard.kernels.repair import exactly
from radhard.kernels.sums import digits, examine, store
from radhard.kernels.write import WriteBack
from radhard.machine import Grid
from radhard.operators import Affine, Gelu, Quantized
from radhard.protection.forms import Bounds
from tests.support.hardened import flip_of
from tests.support.protections import here, int8s, int32s, scales

OPS = torch.ops.radhard
pytestmark = pytest.mark.usefixtures("way")
GRID = [3, -100, 90]
UNSIGNED = [9, 4, 250]
LEFT = pytest.mark.parametrize("left", [torch.int8, torch.uint8])


@pytest.fixture(params=["compiled", "torch"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "torch":
        monkeypatch.setattr(write, "loops", lambda: None)
    return str(request.param)


def word(total: int, multiplier: float) -> int:
    """An accumulator -> its word, in float32 as NumPy computes it."""
    wrapped = np.int64(total).astype(np.int32)
    value = np.float32(wrapped) * np.float32(multiplier)
    return int(min(max(np.rint(value) + GRID[0], GRID[1]), GRID[2]))


def told(call: Callable[..., Tensor], *args: object) -> tuple[Tensor, list[int]]:
    """What an operator that checks yields, and the events that it counts."""
    events = no_events()
    return call(*args, events), events.tolist()


def slow_linear(x: Tensor, weight: Tensor, bias: Tensor, multiplier: Tensor) -> list[list[int]]:
    rows = []
    for a in x.tolist():
        totals = (
            sum(p * q for p, q in zip(a, b, strict=True)) + c
            for b, c in zip(weight.tolist(), bias.tolist(), strict=True)
        )
        rows.append([word(total, m) for total, m in zip(totals, multiplier.tolist(), strict=True)])
    return rows


@pytest.mark.parametrize("shape", [(7, 11, 5), (1, 1, 1), (3, 40, 16), (33, 1500, 2)])
@LEFT
def test_linear(shape: tuple[int, int, int], left: torch.dtype) -> None:
    m, k, n = shape
    x, weight, bias, scale = int8s(m, k).view(left), int8s(n, k, seed=1), int32s(n), scales(n)
    expected = slow_linear(x, weight, bias, scale)
    assert OPS.linear(x, weight, bias, scale, GRID, torch.int8).tolist() == expected
    stored = store(weight, bias)
    args = (stored.weight, stored.bias, stored.columns, stored.rows, scale, GRID)
    out, events = told(OPS.linear_checked, x, *args, torch.int8, "raise", "here")
    assert out.tolist() == expected
    assert events == [m, 0, 0, 0, 0, 0, 0]
    floats = told(OPS.linear_checked, x, *args, torch.float32, "raise", "here")[0]
    assert torch.equal(floats, OPS.linear(x, weight, bias, scale, GRID, torch.float32))
    exact = torch.from_numpy(x.numpy().astype(np.int64) @ weight.T.numpy().astype(np.int64)) + bias
    assert torch.equal(OPS.linear(x, weight, bias, scale, GRID, torch.int32).long(), exact)
    assert torch.equal(floats, exact.to(torch.float32) * scale)


@LEFT
def test_a_hit_row_is_computed_again_by_no_back_end(left: torch.dtype) -> None:
    x, weight, bias, scale = int8s(9, 700).view(left), int8s(5, 700, seed=1), int32s(5), scales(5)
    stored, expected = store(weight, bias), slow_linear(x, weight, bias, scale)
    exact = torch.from_numpy(x.numpy().astype(np.int64) @ weight.T.numpy().astype(np.int64))
    assert torch.equal(exactly(x, weight), exact)
    total, events = (exact + bias).to(torch.int32), no_events()
    total[3, 2] ^= 1 << 19
    wide = beside_digits(total - bias, x[None], stored.weight[None])
    product = CheckedRows(a=x, stored=stored, back=WriteBack.of(scale, GRID, torch.int8), total=wide)
    (out,) = checked([product], on_uncorrectable=OnUncorrectable(policy="raise", site="here"), events=events)
    assert out.tolist() == expected
    assert events.tolist() == [9, 1, 1, 1, 0, 0, 0]


@LEFT
def test_unsigned_words_are_written(left: torch.dtype) -> None:
    x, weight, bias, scale = int8s(9, 40).view(left), int8s(5, 40, seed=1), int32s(5), 5 * scales(5)
    exact = torch.from_numpy(x.numpy().astype(np.int64) @ weight.T.numpy().astype(np.int64)) + bias
    zero, low, high = UNSIGNED
    expected = ((exact.float() * scale).round() + zero).clamp(low, high).to(torch.uint8)
    assert expected.max() > 127
    stored = store(weight, bias)
    args = (stored.weight, stored.bias, stored.columns, stored.rows, scale, UNSIGNED)
    assert torch.equal(OPS.linear(x, weight, bias, scale, UNSIGNED, torch.uint8), expected)
    assert torch.equal(told(OPS.linear_checked, x, *args, torch.uint8, "raise", "here")[0], expected)
    y = torch.tensor([0.5, 1.5, math.nan, math.inf, -math.inf, 130.2, -7.0])
    assert OPS.quantize(y, 1.0, UNSIGNED, torch.uint8).tolist() == [9, 11, 9, 250, 4, 139, 4]
    within, events = told(
        lambda *given: OPS.quantize_within(*given, torch.uint8), y, 1.0, UNSIGNED, 0.0, 131.0, "clamp"
    )
    assert within.tolist() == [9, 11, 9, 140, 9, 139, 9]
    assert events == [7, 1, 4, 4, 0, 0, 0]


@pytest.mark.parametrize("outside", ["zero", "clamp"])
@pytest.mark.parametrize("bounds", [(-0.1, 1.2), (-9.0, 9.0), (2.0, 3.0)])
@pytest.mark.parametrize("reads", [Grid(), Grid(zero=7, low=0, high=255, dtype=torch.uint8)])
def test_a_table_of_unsigned_words(bounds: tuple[float, float], reads: Grid, outside: Literal["zero", "clamp"]) -> None:
    writes = Affine(scale=0.02, grid=Grid(low=0, high=255, dtype=torch.uint8))
    operator = Quantized(inner=Gelu(), reads=(Affine(scale=0.03, grid=reads),), writes=writes)
    step = TableWithin(operator, (), Bounds(low=bounds[0], high=bounds[1], outside=outside), site=here())
    x = int8s(3, 50, 60).view(reads.dtype)
    numbers = torch.nn.functional.gelu((x.float() - reads.zero) * 0.03)
    expected, events = told(OPS.within, numbers, *bounds, outside)
    out = step(x)
    assert out.dtype == torch.uint8
    assert (out.int() - (expected * 50).round().clamp(0, 255).int()).abs().max() <= 1
    assert step.events.tolist() == events
    step.table[step.table == step.table.max()] = 255  # words above 127 are above the bounds
    assert step(x).max() <= max(*step.bounds, *step.instead)


@pytest.mark.parametrize("extreme", [-128, 127, 255])
def test_extreme_words_are_no_alarm(extreme: int) -> None:
    x = torch.full((3, 3072), extreme, dtype=torch.uint8 if extreme > 127 else torch.int8)
    weight = torch.full((1024, 3072), -128, dtype=torch.int8)
    bias = torch.full((1024,), 2**31 - 1, dtype=torch.int32)  # the accumulators wrap, and the sums of them
    stored = store(weight, bias)
    args = (stored.weight, stored.bias, stored.columns, stored.rows, torch.full((1024,), 1e-9), GRID)
    assert told(OPS.linear_checked, x, *args, torch.int8, "raise", "here")[1] == [3, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_that_do_not_add_up_are_found(threads: int) -> None:
    m, k, n = 300, 40, 500  # enough for two threads
    x, weight, bias = int8s(m, k), int8s(n, k, seed=1), int32s(n)
    stored = store(weight, bias)
    total = torch.from_numpy(x.numpy().astype(np.int32) @ stored.weight.T.numpy().astype(np.int32))
    offset, before = stored.columns, torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert write.mismatched(total, bias, offset=offset) is None
        hit = {3: 0, 17: 31, 288: 12}
        for row, bit in hit.items():
            total[row, row] ^= flip_of(bit)
        found = write.mismatched(total, bias, offset=offset)
        back = WriteBack(multiplier=scales(n), dtype=torch.int8)
        out, flagged = write.write_checked(total, bias, back, offset=offset)
        assert torch.equal(out, write.write(total, bias, back))
    finally:
        torch.set_num_threads(before)
    assert found is not None
    assert flagged is not None
    assert found.tolist() == flagged.tolist() == list(hit)


@pytest.mark.parametrize("lies", ["in rows", "in columns", "apart", "among others"])
@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3, 7, 5), (2, 3, 5, 9)),
        ((4, 5), (5, 3)),
        ((2, 1, 3, 300), (5, 300, 4)),
        ((2, 4, 3, 6), (2, 1, 6, 4)),
        ((2, 3, 2, 4, 5), (2, 3, 2, 5, 6)),
    ],
)
@LEFT
def test_matmul(shapes: tuple[tuple[int, ...], tuple[int, ...]], lies: str, left: torch.dtype) -> None:
    a, b = (int8s(*shape, seed=seed) for seed, shape in enumerate(shapes))
    a = a.view(left)
    if lies == "in columns":
        b = b.mT.contiguous().mT
    elif lies == "apart":
        b = b.repeat_interleave(2, -1)[..., ::2]
    elif lies == "among others":  # as heads do in one tensor of queries, keys and values
        b = torch.stack([b, -b], dim=-2)[..., 0, :]
    exact = torch.from_numpy(np.matmul(a.numpy().astype(np.int64), b.numpy().astype(np.int64)))
    value = exact.to(torch.float32) * 3e-4
    expected = (value.round() + GRID[0]).clamp(GRID[1], GRID[2]).to(torch.int8)
    assert torch.equal(OPS.matmul(a, b, torch.tensor([3e-4]), GRID, torch.int8), expected)
    out, events = told(OPS.matmul_checked, a, b, torch.tensor([3e-4]), GRID, torch.int8, "raise", "here")
    assert torch.equal(out, expected)
    assert events == [math.prod(exact.shape[:-1]), 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("pad", [0, -7, 130])
def test_conv2d(groups: int, pad: int) -> None:
    x, weight, bias, scale = (
        int8s(2, 4, 7, 5).view(torch.uint8 if pad > 0 else torch.int8),
        int8s(6, 4 // groups, 3, 2, seed=1),
        int32s(6),
        scales(6),
    )
    shape = ([3, 2], [2, 1], [1, 1, 0, 2], [1, 2], groups, pad)
    padded = torch.nn.functional.pad(x, (1, 2, 1, 0), value=pad).double()
    exact = torch.nn.functional.conv2d(padded, weight.double(), bias.double(), (2, 1), 0, (1, 2), groups)
    value = exact.to(torch.float32) * scale[:, None, None]
    expected = (value.round() + GRID[0]).clamp(GRID[1], GRID[2]).to(torch.int8)
    out = OPS.conv2d(x, weight.flatten(1), bias, scale, *shape, GRID, torch.int8)
    assert torch.equal(out, expected)
    parts = [store(w.flatten(1), b) for w, b in zip(weight.chunk(groups), bias.chunk(groups), strict=True)]
    stored = [torch.cat([getattr(part, name) for part in parts]) for name in ("weight", "bias", "columns", "rows")]
    out, events = told(OPS.conv2d_checked, x, *stored, scale, *shape, GRID, torch.int8, "raise", "here")
    assert torch.equal(out, expected)
    assert events == [groups * 2 * out[0, 0].numel(), 0, 0, 0, 0, 0, 0]
    stored[0].chunk(groups)[-1][6 // groups, 0] ^= 1  # of the last group, a digit by which its rows are checked
    out, events = told(OPS.conv2d_checked, x, *stored, scale, *shape, GRID, torch.int8, "raise", "here")
    assert torch.equal(out, expected)
    assert events[2] == events[4] > 0


@settings(max_examples=100, deadline=None)
@given(total=st.integers(-128 * 65793, 127 * 65793))
def test_digits(total: int) -> None:
    low, middle, top = digits(torch.tensor([total]))[:, 0].tolist()
    assert low + 256 * middle + 65536 * top == total


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_what_changed_is_told(data: st.DataObject) -> None:
    n, k = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    weight, bias = int8s(n, k, seed=n), int32s(n)
    stored = store(weight.clone(), bias.clone())
    assert examine(stored)[0] == "sound"
    name = data.draw(st.sampled_from(["weight", "bias", "columns", "rows"]))
    words = getattr(stored, name).view(-1)
    bits = 8 * words.itemsize
    used = (n + 3) * k if name == "weight" else len(words)
    place, bit = data.draw(st.integers(0, used - 1)), data.draw(st.integers(0, bits - 1))
    words[place] ^= flip_of(bit, bits=bits)
    verdict, truth = examine(stored)
    assert verdict == ("mended" if name == "bias" or (name == "weight" and place < n * k) else "sums")
    assert torch.equal(truth.own, weight)
    assert torch.equal(truth.bias, bias)
    assert torch.equal(truth.columns, store(weight, bias).columns)


def test_sums_have_three_digits() -> None:
    with pytest.raises(InputError, match="70000 outputs: three digits hold the sums of 65793"):
        told(OPS.matmul_checked, int8s(1, 1), int8s(1, 70000), torch.tensor([1.0]), GRID, torch.int8, "raise", "here")
    with pytest.raises(InputError, match="70000 outputs"):
        store(int8s(70000, 1), int32s(70000))


def test_two_changes_are_not_guessed_at() -> None:
    for second in ((3, 4), (3, 0), (0, 4)):
        stored = store(int8s(5, 6), int32s(5))
        stored.weight[0, 0] ^= 1
        stored.weight[second] ^= 8
        assert examine(stored)[0] == "lost"


def test_within() -> None:
    x = torch.tensor([0.5, -2.0, 3.0, math.nan, math.inf, -math.inf, 1.0])
    for outside, expected in (("zero", [0.5, 0, 0, 0, 0, 0, 1]), ("clamp", [0.5, 0.25, 1, 0.25, 1, 0.25, 1])):
        out, events = told(OPS.within, x, 0.25, 1.0, outside)
        assert out.tolist() == expected
        assert events == [7, 1, 5, 5, 0, 0, 0]
    out, _ = told(OPS.within, torch.tensor([-9, 0, 2**31 - 1], dtype=torch.int32), -1.5, 1e10, "clamp")
    assert out.tolist() == [-1, 0, 2**31 - 1]


def in_range(value: float, low: float, high: float, outside: str) -> tuple[float, bool]:
    """A float32 as a range leaves it, and whether it was outside."""
    if math.isnan(value):
        return (0.0 if outside == "zero" else min(max(0.0, low), high)), True
    if low <= value <= high:
        return value, False
    return (0.0 if outside == "zero" else low if value < low else high), True


@pytest.mark.parametrize("outside", ["zero", "clamp"])
@pytest.mark.parametrize("bounds", [(-1.5, 2.0), (0.25, 0.25), (-3.0, -0.75)])
def test_quantize_within(bounds: tuple[float, float], outside: str) -> None:
    low, high = bounds
    edges = [x for bound in bounds for x in (bound, np.nextafter(np.float32(bound), np.float32(9e9)))]
    values = [*edges, math.nan, math.inf, -math.inf, 0.0, 1e30, *torch.linspace(-4, 4, 90).tolist()]
    x = torch.tensor(values, dtype=torch.float32)
    read = [in_range(value, low, high, outside) for value in x.tolist()]
    words = [int(min(max(np.rint(np.float32(v) * np.float32(40.0)) + GRID[0], GRID[1]), GRID[2])) for v, _ in read]
    found = sum(strange for _, strange in read)
    for order in (x.view(9, 11), x.view(11, 9).T):
        expected = torch.tensor(words).view(9, 11) if order.is_contiguous() else torch.tensor(words).view(11, 9).T
        out, events = told(OPS.quantize_within, order, 40.0, GRID, low, high, outside)
        assert torch.equal(out, expected.to(torch.int8))
        assert events == [99, int(found > 0), found, found, 0, 0, 0]
    inside = torch.full((5,), low)
    assert told(OPS.quantize_within, inside, 40.0, GRID, low, high, outside)[1] == [5, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("outside", ["zero", "clamp"])
@pytest.mark.parametrize("writes", [None, Affine(scale=0.02, grid=Grid(zero=3, low=-100, high=90))])
@pytest.mark.parametrize("bounds", [(-0.1, 1.2), (-9.0, 9.0), (0.3, 0.31), (7.0, 8.0)])
def test_a_table_within(bounds: tuple[float, float], writes: Affine | None, outside: Literal["zero", "clamp"]) -> None:
    operator = Quantized(inner=Gelu(), reads=(Affine(scale=0.03),), writes=writes)
    step = TableWithin(operator, (), Bounds(low=bounds[0], high=bounds[1], outside=outside), site=here())
    numbers = Quantized(inner=Gelu(), reads=(Affine(scale=0.03),), writes=None)
    for x in (int8s(3, 50, 60), int8s(3, 50, 60).permute(2, 0, 1), torch.arange(-128, 128).to(torch.int8)):
        value = numbers.kernel([x], lambda _: None)
        expected, events = told(OPS.within, value, *bounds, outside)
        if writes is not None:
            expected = OPS.quantize(expected, 1.0 / writes.scale, list(writes.grid.limits))
        step.events.zero_()
        assert torch.equal(step(x), expected)
        assert step.events.tolist() == events
    for word in torch.arange(-128, 128).to(torch.int8):  # each alone, for what is clear is counted in another way
        step.events.zero_()
        step(word[None])
        assert step.events[2] == told(OPS.within, numbers.kernel([word[None]], lambda _: None), *bounds, outside)[1][2]


@pytest.mark.parametrize("outside", ["zero", "clamp"])
@pytest.mark.parametrize("low", [-0.17, 0.1])
@pytest.mark.parametrize("writes", [None, Affine(scale=0.02, grid=Grid(zero=3, low=-100, high=90))])
def test_a_table_that_changed(writes: Affine | None, low: float, outside: Literal["zero", "clamp"]) -> None:
    operator = Quantized(inner=Gelu(), reads=(Affine(scale=0.03),), writes=writes)
    step = TableWithin(operator, (), Bounds(low=low, high=1.2, outside=outside), site=here())
    x = torch.tensor([5, 9, 5, 30, 25], dtype=torch.int8)
    before, (least, most) = step(x).tolist(), (bound.item() for bound in step.table.aminmax())
    step.table[128 + 5] = -100 if writes else math.nan
    step.table[128 + 9] = 90 if writes else 1e9
    step.events.zero_()
    out = step(x)
    zero = 3 if writes else 0.0
    instead = {"zero": [zero] * 3, "clamp": [least, most, least] if writes or low > 0 else [0.0, most, 0.0]}
    assert out.tolist() == [*instead[outside], *before[3:]]
    assert step.events.tolist() == [5, 1, 3, 3, 0, 0, 0]


def test_vote() -> None:
    a = torch.tensor([1.0, math.nan, -0.0, 5.0])
    b, c = a.clone(), a.clone()
    b[1], c[3] = 2.0, math.inf
    voted, events = told(OPS.vote, a, b, c, "raise", "here")
    assert torch.equal(voted.view(torch.int32), a.view(torch.int32))
    assert events == [4, 1, 2, 2, 0, 0, 0]
    a[1], c[1], counted = 7.0, 9.0, no_events()
    with pytest.raises(FaultError, match="'here': all three copies of 1 words differ"):
        OPS.vote(a, b, c, "raise", "here", counted)
    assert counted.tolist() == [4, 1, 2, 1, 0, 0, 1]


def two_of_three(*words: int, by: str) -> int:
    """The word that two of three are, or the first; or of each of 8 bits the value that two have: by counting."""
    if by == "word":
        return next((word for word in words if words.count(word) > 1), words[0])
    return sum(1 << bit for bit in range(8) if sum(word >> bit & 1 for word in words) > 1)


@pytest.mark.parametrize("by", ["word", "bitwise"])
def test_votes_of_either_kind(by: str) -> None:
    """Words with bits that are set and bits that are not, every copy of them hit, two of them, all three."""
    generator = torch.Generator().manual_seed(3)
    clean = torch.randint(0, 256, (64,), generator=generator)
    a, b, c = (clean ^ torch.randint(0, 256, (64,), generator=generator) * (clean % 3 == one) for one in range(3))
    a[:9] ^= 1
    b[:5] ^= 2
    c[3:7] ^= 1
    words = [[int(x) for x in copy] for copy in (a, b, c)]
    expected = [two_of_three(*three, by=by) for three in zip(*words, strict=True)]
    events = no_events()
    with pytest.warns(RuntimeWarning, match="all three copies"):
        found = OPS.vote(*(x.to(torch.uint8) for x in (a, b, c)), "warn", "here", events, by)
    assert found.tolist() == expected
    left = sum(len(set(three)) == 3 for three in zip(*words, strict=True))
    flagged = sum(len(set(three)) > 1 for three in zip(*words, strict=True))
    assert events.tolist() == [64, 1, flagged, flagged - left, 0, 0, left]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_look_up_and_quantize(order: tuple[int, ...]) -> None:
    x = int8s(3, 5, 7).permute(order)
    for table in (torch.linspace(-1, 1, 256), int8s(256)):
        out = OPS.look_up(x, table)
        assert torch.equal(out, table[x.long() + 128])
        assert out.stride() == x.stride()
    y = torch.tensor([0.5, 1.5, math.nan, math.inf, -math.inf, -3.0])
    assert OPS.quantize(y, 1.0, GRID).tolist() == [3, 5, 3, 90, -100, 0]
