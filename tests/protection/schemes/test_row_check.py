"""The row check: every outcome by hand, changed weights against the deployed operator, costs against execution."""

import pytest
import torch
from torch import Tensor

from radhard.faults import Faulty
from radhard.kernels import store
from radhard.kernels.library import no_events
from radhard.machine import CHECK, Clean, Counting, Gemm, Shape, WriteBack
from radhard.operators import Linear
from radhard.protection import Account, Operations, Protected
from radhard.protection.schemes.row_check import RowCheckAbft
from radhard.words import Words
from tests.support.flips import Fault, flips_at, flips_of
from tests.support.protections import here, int8s, int32s, scales

M, K, N = 6, 9, 5
INPUTS = (int8s(1, M, K, seed=2), int8s(N, K, seed=3), int32s(N))
CLEAN = Clean().apply(Linear(), INPUTS, here())


def last(i: int, j: int, bit: int) -> Fault:
    """A flip of the finished accumulator of word (i, j)."""
    return ("add", (i * N + j) * K + K - 1, bit)


def run(faults: list[Fault]) -> tuple[Tensor, Account]:
    machine = Protected(Faulty(Clean(), flips_at("here", faults)), {"here": RowCheckAbft()})
    return machine.apply(Linear(), INPUTS, here()), machine.accounts["here"]


def events(account: Account) -> dict[str, int]:
    names = ("alarms", "flagged", "recomputed", "repaired", "false_alarms", "inconsistent", "uncorrected", "corrupted")
    return {name: getattr(account, name) for name in names if getattr(account, name)}


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ([(0, 0)], 1),
        ([(5, 4)], 1),
        ([(2, 0), (2, 3), (2, 4)], 1),
        ([(0, 1), (3, 1), (5, 1)], 3),
        ([(i, j) for i in (1, 2) for j in (2, 3)], 2),
        ([(i, j) for i in range(M) for j in range(N)], M),
    ],
)
def test_any_words_are_put_right(words: list[tuple[int, int]], rows: int) -> None:
    for bit in (0, 9, 30):
        faults = [last(i, j, (bit + j) % 31) for i, j in words]  # no two of a row are off by as much
        hit = Faulty(Clean(), flips_at("here", faults)).apply(Linear(), INPUTS, here())
        assert int((hit != CLEAN).sum()) == len(words)
        out, account = run(faults)
        assert torch.equal(out, CLEAN)
        assert account.checks == M
        assert events(account) == {"alarms": 1, "flagged": rows, "recomputed": rows}


def test_errors_of_a_row_that_cancel_pass() -> None:
    """Twice the sign bit is 2^32: nothing, in sums of 32 bits."""
    faults = [last(1, 0, 31), last(1, 3, 31)]
    out, account = run(faults)
    assert torch.equal(out, Faulty(Clean(), flips_at("here", faults)).apply(Linear(), INPUTS, here()))
    assert not torch.equal(out, CLEAN)
    assert events(account) == {}
    assert torch.equal(run([last(1, 0, 31), last(2, 3, 31)])[0], CLEAN)  # in two rows they do not


@pytest.mark.parametrize("where", ["digits", "wanted", "wanted/bias", "rows"])
def test_a_check_that_is_hit_changes_nothing(where: str) -> None:
    flips = flips_of([(0, f"here/check/{where}", "add", 1, 12)])
    machine = Protected(Faulty(Clean(), flips), {"here": RowCheckAbft()})
    assert torch.equal(machine.apply(Linear(), INPUTS, here()), CLEAN)
    assert events(machine.accounts["here"]) == {"alarms": 1, "flagged": 1, "false_alarms": 1}


def test_a_repair_that_is_hit_is_noticed() -> None:
    flips = flips_of([(0, "here", *last(2, 1, 20)), (0, "here/check/again", "mul", 2 * N * (K + 1) + 4, 13)])
    machine = Protected(Faulty(Clean(), flips), {"here": RowCheckAbft()})
    machine.apply(Linear(), INPUTS, here())
    assert events(machine.accounts["here"]) == {"alarms": 1, "flagged": 1, "uncorrected": 1}


def test_accumulators_that_wrap_raise_no_alarm() -> None:
    bias = torch.full((N,), 2**31 - 1, dtype=torch.int32)
    machine = Protected(Clean(), {"here": RowCheckAbft()})
    out = machine.apply(Linear(), (*INPUTS[:2], bias), here())
    assert torch.equal(out, Clean().apply(Linear(), (*INPUTS[:2], bias), here()))
    assert events(machine.accounts["here"]) == {}


# --- weights that change after their sums were made ---


CHANGES: dict[str, list[tuple[int, int, int]]] = {
    "one word": [(3, 4, 64)],
    "its sign": [(0, 0, -128)],
    "two words of a row": [(3, 4, 64), (3, 7, 1)],
    "two words of a column": [(1, 4, 8), (2, 4, 1)],
    "two words of a column that cancel": [],
    "a bias": [],
}


def changed(name: str, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    weight, bias = weight.clone(), bias.clone()
    for row, column, mask in CHANGES[name]:
        weight[row, column] ^= mask
    if name == "a bias":
        bias[2] ^= 1 << 9
    if "cancel" in name:
        weight[1, 4], weight[2, 4] = weight[1, 4] ^ 1, weight[2, 4] + (1 if weight[1, 4] & 1 else -1)
    return weight, bias


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_weight_is_met_as_the_deployed_operator_meets_it(name: str) -> None:
    """The same words, and the same numbers: the operator keeps its weight in memory, where it changes."""
    multiplier, grid = scales(N), [0, -127, 127]
    operator = Linear(write_back=WriteBack(multiplier=multiplier, dtype=torch.float32))
    x, weight, bias = INPUTS[0], INPUTS[1].clone(), INPUTS[2].clone()
    machine = Protected(Clean(), {"here": RowCheckAbft()})
    machine.apply(operator, (x, weight, bias), here())
    kept = store(weight, bias)
    new_weight, new_bias = changed(name, weight, bias)
    weight.copy_(new_weight)
    bias.copy_(new_bias)
    out = machine.apply(operator, (x, weight, bias), here())
    account = machine.accounts["here"]

    counter, wide = no_events(), kept.weight.clone()
    wide[:N] = new_weight
    deployed = torch.ops.radhard.linear_checked(
        x, wide, new_bias, kept.columns, kept.rows, multiplier, grid, torch.float32, "warn", "here", counter
    ) if name.startswith(("one", "its", "a bias", "two words of a column that")) else None  # fmt: skip
    if deployed is None:
        with pytest.warns(RuntimeWarning, match="more places than can be told apart"):
            deployed = torch.ops.radhard.linear_checked(
                x, wide, new_bias, kept.columns, kept.rows, multiplier, grid, torch.float32, "warn", "here", counter
            )
    assert torch.equal(out, deployed)
    checked, alarms, flagged, repaired, false_alarms, corrupted, left = counter.tolist()
    assert account.checks == checked
    assert (account.alarms, account.flagged, account.corrupted) == (alarms, flagged, corrupted)
    assert (account.recomputed, account.false_alarms, account.uncorrected) == (repaired, false_alarms, left)
    if name in ("one word", "its sign", "a bias"):
        assert corrupted == 1
        assert torch.equal(out, Clean().apply(operator, INPUTS, here()))  # as it was


@pytest.mark.parametrize("which", ["columns", "rows", "digits"])
def test_changed_sums_change_no_word(which: str) -> None:
    machine = Protected(Clean(), {"here": RowCheckAbft()})
    machine.apply(Linear(), INPUTS, here())
    (part,) = machine.stored["here"]  # type: ignore[misc]
    if which == "digits":
        part.weight[N, 3] ^= 4
    else:
        getattr(part, which)[3] += 16
    out = machine.apply(Linear(), INPUTS, here())
    assert torch.equal(out, CLEAN)
    account = machine.accounts["here"]
    # rows are read only where the weight is looked into, columns only where a row is computed again
    assert (account.false_alarms, account.corrupted > 0) == (
        (0, False) if which != "digits" else (account.flagged, True)
    )
    assert account.uncorrected == account.recomputed == 0
    assert torch.equal(machine.apply(Linear(), (INPUTS[0], INPUTS[1].clone(), INPUTS[2]), here()), CLEAN)
    assert events(machine.accounts["here"]) == {}  # another weight has its own sums


# --- costs ---


def executed(shape: Shape, faults: list[Fault]) -> Account:
    a = int8s(1, shape.m, shape.k)
    if shape.stored:
        b, bias = int8s(shape.n, shape.k, seed=1), int32s(shape.n) if shape.bias else None
        operator, inputs = Linear(), (a, b, bias)
    else:
        operator, inputs = Gemm(), (a, int8s(1, shape.k, shape.n, seed=1))  # type: ignore[assignment]
    counting = Counting(Faulty(Clean(), flips_at("here", faults)) if faults else None)
    machine = Protected(counting, {"here": RowCheckAbft()})
    machine.apply(operator, inputs, here())
    account = machine.accounts["here"]
    if not faults:  # each site once
        counted = {
            kind: sum(cost.operations(kind) for site, cost in counting.costs.items() if CHECK in site.name)  # type: ignore[arg-type]
            for kind in ("mul", "add")
        }
        assert counted == {"mul": account.executed.mul, "add": account.executed.add}
    return account


SHAPES = [
    Shape(m=m, k=k, n=n, bias=bias, stored=stored)
    for m, k, n in ((1, 1, 1), (1, 7, 4), (5, 3, 1), (6, 9, 5), (17, 4, 33))
    for bias, stored in ((False, True), (True, True), (False, False))
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_is_expected_is_what_is_executed(shape: Shape) -> None:
    want = RowCheckAbft().expected(shape, ber=0.0, words=Words())
    assert want.recovery == Operations()
    assert executed(shape, []).executed == want.detection
    k = shape.k - 1 + shape.bias
    if k == 0:
        return  # the one product of a chain is no addition
    rows = sorted({0, shape.m - 1})
    account = executed(shape, [("add", (i * shape.n) * k + k - 1, 9) for i in rows])
    assert account.recomputed == len(rows)
    n, t = shape.n, shape.terms
    once = Operations(add=0 if shape.stored else (n - 1) * shape.k)
    row = Operations(mul=n * t + t, add=n * (t - 1) + n - 1 + t - 1, cmp=n + 1)
    assert account.executed == want.detection + once + row.times(len(rows))
    sure = RowCheckAbft().expected(shape, ber=1.0, words=Words())  # every row is off
    assert sure.recovery == once + row.times(shape.m)
