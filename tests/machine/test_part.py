"""What checks ask of the machines: integer sums, running sums of slabs, parts of a site, operators taken apart."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from radhard.errors import InputError
from radhard.faults import Faults, Faulty, Flips
from radhard.machine import Clean, Counting, Part, Plain, Rows, Site, Sum, WriteBack, read_cost
from radhard.operators import Add, Linear
from radhard.protection import Ranges, Scheme
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks, Dot
from radhard.protection.abft.checksum_cache import ChecksumCache
from radhard.protection.abft.products import matrices
from radhard.protection.abft.stages import Accumulated
from radhard.words import Int, Words
from tests.reference.float32 import masks_of
from tests.reference.gemm import gemm
from tests.support.flips import Fault, faults_over, flips_at, flips_of
from tests.support.protections import BATCH, CASES, PRODUCTS, Case, floats, here


def signed(value: int, bits: int, mask: int = 0) -> int:
    unsigned = (value % 2**bits) ^ mask
    return unsigned - 2**bits if unsigned >= 2 ** (bits - 1) else unsigned


def dot(x: list[int], y: list[int], faults: list[Fault], bits: int, first: int) -> int:
    """One dot product word by word; operation t of it is mul first w + t, add first (w - 1) + t - 1."""
    masks = masks_of(faults)
    total = 0
    for t, (u, v) in enumerate(zip(x, y, strict=True)):
        product = signed(u * v, bits, masks.get(("mul", first * len(x) + t), 0))
        total = signed(total + product, bits, masks.get(("add", first * (len(x) - 1) + t - 1), 0)) if t else product
    return total


def integers(draw: st.DrawFn, *shape: int, bits: int) -> Tensor:
    size = int(np.prod(shape))
    extreme = st.sampled_from([0, 1, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1))])
    values = draw(
        st.lists(extreme | st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), min_size=size, max_size=size)
    )
    return torch.tensor(values, dtype=torch.int64).view(shape).to(torch.int32 if bits == 32 else torch.int64)


def part_of(count: int, *, pieces: int) -> Site:
    part = Part(slot=np.zeros(count, np.int64), piece=np.arange(count), pieces=pieces)
    return Site(name="here/check/x", of="here", part=part)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), bits=st.sampled_from([32, 64]), width=st.integers(1, 6))
def test_dot_products_word_by_word(data: st.DataObject, bits: int, width: int) -> None:
    f, r, c = 2, 2, 3
    x, y = (integers(data.draw, f, size, width, bits=bits) for size in (r, c))
    units = f * r * c
    faults = data.draw(faults_over({"mul": (units * width, bits), "add": (units * (width - 1), bits)}))
    machine = Faulty(Clean(), flips_at("here/check/x", faults))
    got = machine.apply(Dot(), (x, y), part_of(f, pieces=f))
    assert got.dtype == x.dtype
    for g in range(f):
        for i in range(r):
            for j in range(c):
                first = (g * r + i) * c + j
                assert int(got[g, i, j]) == dot(x[g, i].tolist(), y[g, j].tolist(), faults, bits, first)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), bits=st.sampled_from([32, 64]), n=st.integers(1, 7))
def test_integer_sums_word_by_word(data: st.DataObject, bits: int, n: int) -> None:
    x = integers(data.draw, 2, n, 3, bits=bits)
    faults = data.draw(faults_over({"add": (6 * (n - 1), bits)}))
    got = Faulty(Clean(), flips_at("here/check/x", faults)).apply(Sum(dims=(1,)), (x,), part_of(2, pieces=2))
    masks = masks_of(faults)
    assert got.dtype == x.dtype
    for g in range(2):
        for j in range(3):
            total = int(x[g, 0, j])
            for t in range(1, n):
                total = signed(total + int(x[g, t, j]), bits, masks.get(("add", (g * 3 + j) * (n - 1) + t - 1), 0))
            assert int(got[g, 0, j]) == total


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_words_of_checks_are_as_wide_as_their_tensors(dtype: torch.dtype) -> None:
    x = torch.zeros(1, 2, 3, dtype=dtype)
    cost = read_cost(Dot(), (x, x), Site(name="here"))
    words = Words(product=Int(16, 8))
    bits = torch.iinfo(dtype).bits
    assert cost.exposed_bits("mul", words) == 2 * 2 * 3 * bits
    assert cost.exposed_bits("add", words) == 2 * 2 * 2 * bits
    a, b = torch.zeros(1, 2, 3, dtype=torch.int8), torch.zeros(5, 3, dtype=torch.int8)
    own = read_cost(Linear(), (a, b, None), Site(name="here"))  # the word of the run, of which the low 8 bits can flip
    assert own.exposed_bits("mul", words) == 2 * 5 * 3 * 8
    assert own.exposed_bits("add", words) == 2 * 5 * 2 * 32


# --- running sums at the ends of slabs ---


@settings(max_examples=80, deadline=None)
@given(data=st.data(), bias=st.booleans(), k=st.integers(1, 9))
def test_running_sums_word_by_word(data: st.DataObject, bias: bool, k: int) -> None:
    """The sum after t products is the product of the first t columns, with the flips among its words."""
    m, n = 2, 3
    a = torch.tensor(data.draw(st.lists(st.integers(-128, 127), min_size=m * k, max_size=m * k))).view(1, m, k)
    b = torch.tensor(data.draw(st.lists(st.integers(-128, 127), min_size=n * k, max_size=n * k))).view(n, k)
    added = torch.tensor([2**31 - 1, -7, 5], dtype=torch.int32) if bias else None
    cuts = data.draw(st.sets(st.integers(1, k), max_size=4))
    ends = tuple(sorted({*cuts, k}))
    sums = k - 1 + bias
    faults = data.draw(faults_over({"mul": (m * n * k, 16), "add": (m * n * sums, 32)}))
    inputs = (a.to(torch.int8), b.to(torch.int8), added)
    operator = Linear()
    machine = Faulty(Clean(), flips_at("here", faults))
    machine.begin({here(): read_cost(operator, inputs, here())}, torch.tensor([0]))
    products = matrices(operator, inputs, here())
    got = machine.apply(Accumulated(whole=operator, products=products, ends=ends), inputs, here())
    for place, end in enumerate(ends):
        with_bias = bias and end == k
        kept = []
        for kind, index, bit in faults:  # of the words up to there, at their places in the shorter chain
            size, short = (k, end) if kind == "mul" else (sums, end - 1 + with_bias)
            output, t = divmod(index, size)
            if t < short:
                kept.append((kind, output * short + t, bit))
        left = a[:, :, :end].tolist()
        want = gemm(left, [b[:, :end].T.tolist()], [added.tolist()] if with_bias else None, kept)
        assert [got[place, 0].tolist()] == want


def test_plain_running_sums() -> None:
    a, b = floats(4, 6).mul(50).to(torch.int8), floats(4, 6, seed=1).mul(50).to(torch.int8)
    index = torch.arange(4)
    bias = torch.tensor([2**31 - 1, 0, 1, -1], dtype=torch.int32)
    got = Plain().gemm(Rows(a, index), Rows(b, index), bias, (2, 5, 6))
    for place, end in enumerate((2, 5)):
        assert torch.equal(got[:, place], (a[:, :end].int() * b[:, :end].int()).sum(1).int())
    assert torch.equal(got[:, 2], Plain().gemm(Rows(a, index), Rows(b, index), bias))


@pytest.mark.parametrize("case", PRODUCTS)
@pytest.mark.parametrize("step", [1, 2, 4, 99])
def test_an_operator_taken_apart_has_the_same_faults(case: str, step: int) -> None:
    """Accumulators and write-back in two applications, and slabs, against the operator whole: equal under any fault."""
    chosen = CASES[case]
    ids = torch.tensor([4, 0, 9, 2])
    differ = 0
    for seed in range(4):
        faults = Faults(ber=3e-4, kinds=frozenset({"mul", "add", "scale"}), seed=seed)
        whole = Faulty(Clean(), faults)
        whole.begin(chosen.costs, ids)
        want = whole.apply(chosen.operator, chosen.inputs, chosen.site)
        apart = Faulty(Clean(), faults)
        apart.begin(chosen.costs, ids)
        work = work_of(chosen, apart)
        got = work.write(work.accumulators(step)[-1])
        assert got.dtype == want.dtype
        assert torch.equal(got.nan_to_num(), want.nan_to_num())
        assert torch.equal(whole.non_finite, apart.non_finite)
        differ += not torch.equal(want, chosen.clean())
    assert differ


@pytest.mark.parametrize("case", ["softmax between words", "gelu between words", "layer norm"])
def test_a_quantised_operator_taken_apart_has_the_same_faults(case: str) -> None:
    chosen = CASES[case]
    differ = 0
    for seed in range(8):
        faults = Faults(ber=1e-3, kinds=frozenset({"mul", "add", "scale", "special"}), seed=seed)
        whole, apart = Faulty(Clean(), faults), Faulty(Clean(), faults)
        outs = []
        for machine in (whole, apart):
            machine.begin(chosen.costs, torch.arange(BATCH))
            if machine is whole:
                outs.append(machine.apply(chosen.operator, chosen.inputs, chosen.site))
            else:  # a range that holds every finite number; what is not finite becomes 0, as it does in an int8 word
                outs.append(protect(Ranges(low=-3.4e38, high=3.4e38), work_of(chosen, machine)))
        finite = whole.non_finite == 0
        assert torch.equal(outs[0][finite], outs[1][finite])
        differ += not torch.equal(outs[0], chosen.clean())
    assert differ >= 4


def protect(scheme: Scheme, application: ProtectedApplication) -> Tensor:
    return scheme.protect(application, Checks(application, exposed=True, stored=ChecksumCache()))


def work_of(case: Case, machine: Faulty) -> ProtectedApplication:
    return ProtectedApplication(operator=case.operator, inputs=case.inputs, site=case.site, machine=machine)


# --- parts of a site ---


def test_a_part_has_the_faults_of_its_pieces() -> None:
    """Some pieces in any order, against all of them: each row is what it is among all."""
    x, y = (torch.arange(2 * 5 * 4 * 3, dtype=torch.int32).view(2, 5, 4, 3) * c for c in (3, -7))
    faults = Faults(ber=2e-3, seed=5)

    def run(pairs: list[tuple[int, int]], ids: list[int]) -> Tensor:
        slot, piece = np.array(pairs).T
        machine = Faulty(Clean(), faults)
        machine.begin(CASES["linear"].costs, torch.tensor(ids))
        site = Site(name="here/check/x", of="here", part=Part(slot=slot, piece=piece, pieces=5))
        images = [ids[s] - 7 for s in slot]  # the values follow the image
        return machine.apply(Dot(), (x[images, piece], y[images, piece]), site)

    all_pairs = [(s, p) for s in range(2) for p in range(5)]
    whole = run(all_pairs, [7, 8])
    assert not torch.equal(whole, x.flatten(0, 1) @ y.flatten(0, 1).mT)
    some = [(1, 4), (0, 2), (1, 0)]
    assert torch.equal(run(some, [7, 8]), whole[[9, 2, 5]])
    assert torch.equal(run([(0, 3), (0, 0)], [8]), whole[[8, 5]])


def test_flips_of_a_check_are_followed_to_the_letter() -> None:
    case = CASES["linear"]
    x = torch.full((BATCH, 1, 3), 5, dtype=torch.int32)
    rows = [(2, "here/check/x", "mul", 1, 4), (2, "here", "mul", 0, 1)]
    machine = Faulty(Clean(), flips_of(rows))
    machine.begin(case.costs, torch.arange(BATCH))
    site = Site(
        name="here/check/x",
        of="here",
        part=Part(slot=np.arange(BATCH), piece=np.zeros(BATCH, np.int64), pieces=1),
    )
    got = machine.apply(Dot(), (x, x), site)
    assert got.flatten().tolist() == [75, 75, 75 - 25 + (25 ^ 16), 75]
    wrong = Faulty(Clean(), flips_of([(2, "here/check/x", "mul", 3, 4)]))
    wrong.begin(case.costs, torch.arange(BATCH))
    with pytest.raises(InputError, match="index 3 at site 'here/check/x'"):
        wrong.apply(Dot(), (x, x), site)
    unknown: Flips = flips_of([(0, "nowhere", "mul", 0, 0)])
    with pytest.raises(InputError, match="'nowhere' is not one"):
        Faulty(Clean(), unknown).begin(case.costs, torch.arange(BATCH))


def test_counting_counts_what_is_executed() -> None:
    counting = Counting()
    site = Site(name="c/check/x", part=Part(slot=np.array([0, 3]), piece=np.array([4, 1]), pieces=9))
    x = torch.ones(2, 6, dtype=torch.int32)
    counting.apply(Add(), (x, x), site)
    assert counting.costs[site].operations("add") == 12


@pytest.mark.parametrize("dtype", [torch.int8, torch.float32])
def test_a_bias_that_overflows_wraps_in_the_kernel_as_in_the_text(dtype: torch.dtype) -> None:
    a, b = torch.full((1, 1, 2), 127, dtype=torch.int8), torch.full((3, 2), 127, dtype=torch.int8)
    bias = torch.tensor([2**31 - 1, -(2**31), 0], dtype=torch.int32)
    operator = Linear(write_back=WriteBack(multiplier=torch.tensor([2.0**-24]), dtype=dtype))
    kernel = Clean().apply(operator, (a, b, bias), here())
    units = operator.units((a, b, bias))
    text = operator.definition(Plain(), *units.gather(torch.arange(3)))
    sums = torch.tensor([signed(2 * 127 * 127 + int(x), 32) for x in bias], dtype=torch.int32)
    wrapped = (sums.float() / 2**24).tolist()
    assert kernel.flatten().tolist() == text.tolist()
    assert text.tolist() == (wrapped if dtype == torch.float32 else [round(x) for x in wrapped])
