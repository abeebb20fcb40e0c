"""Expected operations against executed ones: of a single fault exactly, of many runs within their interval."""

import math
from dataclasses import replace

import pytest
import torch

from radhard.faults import Faults, Faulty
from radhard.machine import Clean, Gemm
from radhard.operators import Linear
from radhard.protection import (
    Account,
    Block,
    Exact,
    ExactRows,
    HuangAbraham,
    IntensityGuided,
    LbAbft,
    Operations,
    Protected,
    RowAbft,
    Scheme,
    Shape,
    StandardAbft,
    boxes,
    optimal_block,
)
from radhard.words import Words
from tests.support.flips import flips_at
from tests.support.protections import ABFT, ANY, here, int8s, int32s

M, K, N = 7, 11, 9
SHAPE = Shape(m=M, k=K, n=N, bias=True)


def executed(scheme: object, faults: list[tuple[str, int, int]]) -> Account:
    inputs = (int8s(1, M, K), int8s(N, K, seed=1), int32s(N))
    machine = Protected(Faulty(Clean(), flips_at("here", faults)), {"here": scheme})  # type: ignore[dict-item]
    want = Clean().apply(Linear(), inputs, here())
    assert torch.equal(machine.apply(Linear(), inputs, here()), want)
    return machine.accounts["here"]


def product(i: int, j: int, t: int, bit: int) -> tuple[str, int, int]:
    return ("mul", (i * N + j) * K + t, bit)


@pytest.mark.parametrize("block", [Block(m=3, k=4, n=4), Block(m=2, k=99, n=5)], ids=str)
@pytest.mark.parametrize("place", [(0, 0, 0), (6, 8, 10), (3, 5, 5)])
def test_rows_after_one_fault(block: Block, place: tuple[int, int, int]) -> None:
    i, j, t = place
    account = executed(RowAbft(block=block), [product(i, j, t, 9)])
    assert (account.flagged, account.repaired) == (1, 1)
    h, w = min(block.m, M - i // block.m * block.m), min(block.n, N - j // block.n * block.n)
    depth = min(block.k, K - t // block.k * block.k)
    last = t // block.k == (K - 1) // block.k
    terms, later, slabs = depth + last, t >= block.k, -(-K // block.k)
    want = Operations(
        mul=h * terms + 2 * w + 2 * terms + w + 1,
        add=h * w * later  # the slab
        + h * (w - 1) + h * (terms - 1) + h  # rows, what they must be, what they are off by
        + 2 * (w - 1) + 2 * (terms - 1) + 2  # weighted
        + (3 if slabs > 1 else 1)  # put right, taken from the output
        + w - 1,
        cmp=h + w + 1 + 1,
    )  # fmt: skip
    detection = ExactRows()(SHAPE, block, ber=1.0).detection
    assert account.executed == detection + want


def test_rows_after_two_faults_in_one() -> None:
    block = Block(m=3, k=99, n=4)
    account = executed(RowAbft(block=block), [product(1, 0, 1, 13), product(1, 2, 5, 14)])
    assert (account.flagged, account.recomputed) == (1, 1)
    w, terms, h = 4, K + 1, 3
    want = Operations(
        mul=h * terms + 2 * w + 2 * terms + w + w * terms,
        add=h * (w - 1) + h * (terms - 1) + h + 2 * (w - 1) + 2 * (terms - 1) + 2 + w * (terms - 1) + w - 1,
        cmp=h + w + w + 1,
    )
    assert account.executed == ExactRows()(SHAPE, block, ber=1.0).detection + want


@pytest.mark.parametrize("name", ["lb-abft", "rows"])
def test_expectation_agrees_with_simulated_executions(name: str) -> None:
    """4,000 products with faults in them, checks immune; the mean within 4 standard errors, and 1 % for pairs."""
    m, k, n, images, ber = 16, 24, 20, 500, 4e-7
    shape = Shape(m=m, k=k, n=n, bias=True)
    block = Block(m=5, k=10, n=6) if name == "lb-abft" else Block(m=4, k=12, n=20)
    scheme, model = (LbAbft(block=block), Exact()) if name == "lb-abft" else (RowAbft(block=block), ExactRows())
    weight, bias = int8s(n, k, seed=1), int32s(n)
    totals = []
    for seed in range(80):
        inputs = (int8s(images // 10, m, k, seed=seed), weight, bias)
        faulty = Faulty(Clean(), Faults(ber=ber, seed=seed))
        machine = Protected(faulty, {"here": scheme}, checks="immune")  # type: ignore[dict-item]
        assert torch.equal(machine.apply(Linear(), inputs, here()), Clean().apply(Linear(), inputs, here()))
        totals.append(machine.accounts["here"].executed.times(10 / images))
    expected = model(shape, block, ber=ber)
    certain = model(shape, block, ber=0.0).total
    for kind in ("mul", "add", "cmp"):
        values = torch.tensor([getattr(total, kind) for total in totals], dtype=torch.float64)
        error = float(values.std()) / math.sqrt(len(values))
        due = getattr(expected.total, kind) - getattr(certain, kind)
        found = float(values.mean()) - getattr(certain, kind)
        assert due > 5 * error > 0.0  # there is something to see
        assert abs(found - due) < 4 * error + 0.01 * due, (kind, found, due, error)


@pytest.mark.parametrize(("m", "k", "n"), [(197, 768, 3072), (197, 3072, 768)])
@pytest.mark.parametrize("ber", [1e-10, 1e-9, 1e-8, 1e-7])
def test_rows_take_at_most_half_of_what_lb_abft_takes(m: int, k: int, n: int, ber: float) -> None:
    """Each with the block that costs it least, of ViT-B's MLP: LB-ABFT's a cube, the other's no larger than that."""
    shape = Shape(m=m, k=k, n=n, bias=True)
    cubes = optimal_block(shape, ber=ber, model=Exact(), most_flips=1.0)
    some = [b for b in boxes(shape) if b.m in (2, 3, 4, 6, 8, 12) and b.n in (32, 48, 64, 128, 384, 768) and b.k >= 96]
    rows = optimal_block(shape, ber=ber, model=ExactRows(), most_flips=cubes.overhead.flips, candidates=some)
    assert rows.overhead.total.arithmetic < 0.5 * cubes.overhead.total.arithmetic


def test_boxes_have_all_proportions() -> None:
    found = set(boxes(Shape(m=5, k=3, n=1)))
    assert found == {Block(m=m, k=k, n=1) for m in (1, 2, 3, 4, 5) for k in (1, 2, 3)}


COSTED = {
    name: scheme
    for name, scheme in {**ABFT, **ANY}.items()
    if scheme.expected(SHAPE, ber=0.0, words=Words()) is not None
}


def test_every_scheme_of_a_product_has_a_cost_model() -> None:
    """But for ranges, which compare alone, and the roofline, which asks for the bytes of the output."""
    without = {type(scheme).__name__ for name, scheme in {**ABFT, **ANY}.items() if name not in COSTED}
    assert without == {"Ranges", "IntensityGuided"}
    assert IntensityGuided() in COSTED.values()


@pytest.mark.parametrize("name", COSTED)
@pytest.mark.parametrize("bias", [True, False])
def test_detection_is_what_each_scheme_executes_without_faults(name: str, bias: bool) -> None:
    shape, scheme = replace(SHAPE, bias=bias), COSTED[name]
    inputs = (int8s(1, M, K), int8s(N, K, seed=1), int32s(N) if bias else None)
    machine = Protected(Clean(), {"here": scheme})
    machine.apply(Linear(), inputs, here())
    want = scheme.expected(shape, ber=0.0, words=Words())
    assert want is not None
    assert want.recovery.arithmetic == want.recovery.cmp == 0
    assert machine.accounts["here"].executed == want.detection
    activations = replace(shape, stored=False, bias=False)
    machine.apply(Gemm(), (int8s(1, M, K), int8s(1, K, N, seed=1)), here())
    want = scheme.expected(activations, ber=0.0, words=Words())
    assert want is not None
    assert machine.accounts["here"].executed == want.detection


@pytest.mark.parametrize("scheme", [StandardAbft(), HuangAbraham()], ids=["standard", "full checksums"])
def test_one_correction_is_what_is_executed_after_one_fault(scheme: Scheme) -> None:
    sure = scheme.expected(SHAPE, ber=1.0, words=Words())
    assert sure is not None
    assert executed(scheme, [product(3, 4, 2, 9)]).executed == sure.total
