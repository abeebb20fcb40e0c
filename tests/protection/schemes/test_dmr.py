"""DMR: every case of three runs by hand, and what it is expected to cost against what it executes.

That this file and the scheme's are all that it takes: the tests of the registry, of plans, of methods, of the schema
and of the tables of schemes take it from the registry.
"""

import itertools

import pytest
import torch
from torch import Tensor

from radhard.deploy import harden
from radhard.errors import InputError
from radhard.faults import Faulty
from radhard.machine import Clean, Shape
from radhard.operators import Gelu, Identity, Linear
from radhard.protection import SCHEMES, Account, Operations, Protected, Protection, read_method, scheme_dict
from radhard.protection.planning.method import methods
from radhard.protection.schemes.dmr import Dmr
from radhard.words import Words
from tests.support.flips import Fault, flips_of
from tests.support.models import tiny_program
from tests.support.protections import here, int8s, int32s

M, K, N = 4, 6, 3
INPUTS = (int8s(2, M, K, seed=2), int8s(N, K, seed=3), int32s(N))
CLEAN = Clean().apply(Linear(), INPUTS, here())
RUNS = ("here", "here/check/copy2", "here/check/copy3")


def run(faults: list[tuple[str, Fault]], *, image: int = 0) -> tuple[Tensor, Account]:
    """Two images; `faults`: site of a run, and what flips there, in one of them."""
    flips = flips_of([(image, site, *fault) for site, fault in faults])
    machine = Protected(Faulty(Clean(), flips), {"here": Dmr()}, checks="exposed")
    return machine.apply(Linear(), INPUTS, here()), machine.accounts["here"]


def last(i: int, j: int, bit: int) -> Fault:
    return ("add", (i * N + j) * K + K - 1, bit)


@pytest.mark.parametrize("hit", list(itertools.product([None, 3, 17], repeat=3)))
@pytest.mark.parametrize("image", [0, 1])
def test_what_two_of_three_runs_agree_on(hit: tuple[int | None, ...], image: int) -> None:
    """One word, with no flip or one of two in each run: the outcome by counting."""
    faults = [(site, last(2, 1, bit)) for site, bit in zip(RUNS, hit, strict=True) if bit is not None]
    out, account = run(faults, image=image)
    first, second, third = hit
    if first == second:
        want, told = first, {}
    else:
        agreed = third if third in (first, second) else first
        left = third not in (first, second)
        want, told = agreed, {"alarms": 1, "flagged": 1, "uncorrected": int(left), "recomputed": int(not left)}
    expected = CLEAN.clone()
    if want is not None:
        expected[image, 2, 1] ^= 1 << want
    assert torch.equal(out, expected)
    names = ("alarms", "flagged", "recomputed", "uncorrected", "repaired", "corrupted")
    assert {name: getattr(account, name) for name in names} == {**dict.fromkeys(names, 0), **told}


def test_the_third_run_is_of_images_in_doubt_alone() -> None:
    shape = Shape(m=M, k=K, n=N, bias=True)
    want = Dmr().expected(shape, ber=0.0, words=Words())
    once = Operations(mul=M * K * N, add=M * N * K)
    assert want.total == once + Operations(cmp=M * N)
    assert run([])[1].executed == want.total.times(2)  # images
    hit = run([(RUNS[0], last(0, 0, 5)), (RUNS[0], last(3, 2, 5))])[1]
    assert hit.executed == want.total.times(2) + once + Operations(cmp=2 * 2)
    sure = Dmr().expected(shape, ber=1.0, words=Words())
    assert sure.recovery == once + Operations(cmp=2 * M * N)


def test_nan_are_one() -> None:
    x = torch.tensor([[1.0, float("nan")]])
    machine = Protected(Clean(), {"here": Dmr()})
    out = machine.apply(Gelu(), (x,), here())
    assert machine.accounts["here"].alarms == 0
    assert torch.equal(out.isnan(), x.isnan())


def test_any_operator_is_protected() -> None:
    x = int8s(2, 5)
    flips = flips_of([(1, "here/check/vote", "load", 3, 2)])  # the word that leaves is exposed, as one that is loaded
    out = Protected(Faulty(Clean(), flips), {"here": Dmr()}).apply(Identity(), (x,), here())
    assert int((out != x).sum()) == 1


def test_its_file_makes_it_known() -> None:
    assert SCHEMES["dmr"] is Dmr
    assert "dmr" in methods()
    assert read_method("dmr:ranges=none").scheme_of(Shape(m=1, k=1, n=1), ber=0.0, words=Words()) == Dmr()
    with pytest.raises(InputError, match=r"dmr has no option 'vote'; it has ranges"):
        read_method("dmr:vote=word")
    assert Protection.from_dict({"sites": {"a": scheme_dict(Dmr())}}, place="here").schemes == {"a": Dmr()}


def test_it_is_not_deployed_and_says_so() -> None:
    program = tiny_program("int8")
    with pytest.raises(InputError, match=r"dmr is not deployed: .* third run .*row-check.*tmr"):
        harden(program, Protection.of({"head": Dmr()}))
