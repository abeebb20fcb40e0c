"""What is deployed is what was measured: the same faults in a deployed step and in its scheme on a machine.

The two share no arithmetic of checks: a scheme executes each of them on a machine, a deployed step has kernels.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from radhard.deploy import harden
from radhard.deploy.applied import Applied
from radhard.deploy.forms.registry import build
from radhard.deploy.protected import form_of, protected_step
from radhard.deploy.step import Step, entered
from radhard.faults import Faults, Faulty, Flips
from radhard.kernels import EVENTS
from radhard.kernels.library import OnUncorrectable
from radhard.machine import KINDS, Clean, MatrixProduct, WriteBack
from radhard.program import run
from radhard.protection import SCHEMES, Account, Block, LbAbft, Protected, Protection, RowAbft, Scheme, scheme_name
from radhard.protection.forms import NoForm
from tests.support.hardened import flip_of, products
from tests.support.models import MultiheadViT, TinyViT, images, tiny_program
from tests.support.protections import ABFT, ALL, ANY, BATCH, OTHERS, PRODUCTS, Case

pytestmark = pytest.mark.filterwarnings("ignore:site:RuntimeWarning")  # what is left is warned of
WRITTEN = WriteBack(multiplier=torch.tensor([2e-4]), dtype=torch.float32)
DEPLOYED = {name: scheme for name, scheme in ABFT.items() if not isinstance(form_of(scheme), NoForm)}
DEPLOYED_ANYWHERE = {name: scheme for name, scheme in ANY.items() if not isinstance(form_of(scheme), NoForm)}


@pytest.mark.parametrize("scheme", (DEPLOYED | DEPLOYED_ANYWHERE).values(), ids=repr)
def test_every_form_has_a_module(scheme: Scheme) -> None:
    assert build.dispatch(type(form_of(scheme))) is not build.dispatch(object)


def told(account: Account) -> dict[str, int]:
    """An account as the counters of a deployed step."""
    return dict(zip(EVENTS, account.counted, strict=True))


def written(case: Case) -> Case:
    """The case with a write-back, as every product of an int8 program has one."""
    operator = case.operator
    assert isinstance(operator, MatrixProduct)
    return case if operator.write_back is not None else replace(case, operator=operator.written_as(WRITTEN))


def step_of(case: Case, scheme: Scheme) -> Step:
    stored = isinstance(case.operator, MatrixProduct) and case.operator.stored
    constants = [x if place and (stored or place not in case.carries) else None for place, x in enumerate(case.inputs)]
    applied = Applied(operator=case.operator, constants=constants, site=case.site)
    step = protected_step(applied, scheme, on_uncorrectable=OnUncorrectable(policy="warn", site="here"))
    assert isinstance(step, Step)
    return step


def given(case: Case) -> tuple[Tensor | None, ...]:
    """What the graph gives the step of a case."""
    stored = isinstance(case.operator, MatrixProduct) and case.operator.stored
    return case.inputs[:1] if stored else case.inputs


def flips(kind: str, rows: Iterable[tuple[int, int, int]]) -> Flips:
    """Flips of a kind at the case's site: image, index, bit."""
    image, index, bit = (np.array(column, np.int64) for column in zip(*sorted(set(rows)), strict=True))
    zero = np.zeros(len(image), np.int64)
    return Flips(sites=("here",), image=image, site=zero, kind=zero + KINDS.index(kind), index=index, bit=bit)


def sums(case: Case, words: list[tuple[int, int, int, int]]) -> Flips:
    """Accumulators that flip after their last addition: image, row and column of the image's first product, bit."""
    (cost,) = case.costs.values()
    adds, n = cost.operations("add") // cost.units, cost.grid[-1]
    rows = ((image, (row * n + column) % cost.units, bit) for image, row, column, bit in words)
    return flips("add", ((image, (word + 1) * adds - 1, bit) for image, word, bit in rows))


PATTERNS = {
    "nothing": [],
    "one word": [(0, 1, 2, 20)],
    "its sign": [(2, 0, 0, 31)],
    "a row": [(1, 2, column, 9 + column) for column in range(4)],
    "a row that cancels": [(1, 2, 0, 30), (1, 2, 1, 30), (1, 2, 2, 31)],
    "a column": [(3, row, 1, 14) for row in range(5)],
    "a block": [(0, row, column, 11 + row) for row in range(2) for column in range(2)],
    "everywhere": [
        (image, row, column, (7 * row + column) % 32) for image in range(4) for row in range(4) for column in (0, 3)
    ],
}


def same(case: Case, source: Flips | Faults, step: Step, machine: Protected) -> None:
    expected = machine.apply(case.operator, case.inputs, case.site)
    step.events.zero_()  # type: ignore[operator,union-attr]
    faulty = Faulty(Clean(), source)
    faulty.begin(case.costs, torch.arange(BATCH))
    with entered(faulty):
        found = step(*given(case))
    assert torch.equal(found, expected)
    events = dict(zip(EVENTS, step.events.tolist(), strict=True))  # type: ignore[operator,union-attr]
    assert events == told(machine.accounts["here"])


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("scheme", DEPLOYED)
def test_faults_in_accumulators(name: str, scheme: str) -> None:
    case, chosen = written(PRODUCTS[name]), DEPLOYED[scheme]
    step = step_of(case, chosen)
    assert torch.equal(step(*given(case)), case.clean())
    for words in PATTERNS.values():
        if words:
            table = sums(case, words)
            same(case, table, step, Protected(Faulty(Clean(), table), {"here": chosen}, checks="immune"))


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("scheme", DEPLOYED)
def test_faults_anywhere_in_the_chains(name: str, scheme: str) -> None:
    """Products, running sums at any place, and the multiplications of the write-back."""
    case, chosen = written(PRODUCTS[name]), DEPLOYED[scheme]
    step = step_of(case, chosen)
    for seed, ber in enumerate((1e-3, 5e-3)):
        faults = Faults(ber=ber, seed=seed)
        same(case, faults, step, Protected(Faulty(Clean(), faults), {"here": chosen}, checks="immune"))


def test_what_is_left_is_told_with_its_number() -> None:
    case, scheme = written(PRODUCTS["linear"]), DEPLOYED["lb-abft as in the paper"]
    table, step = sums(case, PATTERNS["a block"]), step_of(case, scheme)
    faulty = Faulty(Clean(), table)
    faulty.begin(case.costs, torch.arange(BATCH))
    with entered(faulty), pytest.warns(RuntimeWarning, match="1 blocks of a product do not add up"):
        step(*given(case))


@contextmanager
def flipped(words: Tensor, place: int, bit: int) -> Iterator[None]:
    flat = words.view(-1)
    flat[place] ^= flip_of(bit, bits=8)
    yield
    flat[place] ^= flip_of(bit, bits=8)


@pytest.mark.parametrize("name", [name for name, case in PRODUCTS.items() if "attention" not in name])
@pytest.mark.parametrize("scheme", DEPLOYED)
def test_faults_in_weights(name: str, scheme: str) -> None:
    """A word of the weight that has changed since its sums were made, alone and with faults in accumulators."""
    case, chosen = written(PRODUCTS[name]), DEPLOYED[scheme]
    case = replace(
        case, inputs=tuple(x if place != 1 or x is None else x.clone() for place, x in enumerate(case.inputs))
    )
    weight, step = case.inputs[1], step_of(case, chosen)
    assert weight is not None
    for words in (PATTERNS["nothing"], PATTERNS["one word"], PATTERNS["a block"]):
        table = sums(case, words) if words else flips("add", [(99, 0, 0)])
        machine = Protected(Faulty(Clean(), table), {"here": chosen}, checks="immune")
        machine.apply(case.operator, case.inputs, case.site)  # its sums are made
        for place, bit in ((0, 0), (weight.numel() - 2, 6), (weight.numel() // 2, 7)):
            with flipped(weight, place, bit), step.corrupted(place, bit):  # type: ignore[operator]
                same(case, table, step, machine)
    assert torch.equal(step(*given(case)), case.clean())


@pytest.mark.parametrize("name", [*PRODUCTS, *OTHERS])
@pytest.mark.parametrize("scheme", DEPLOYED_ANYWHERE)
def test_votes_and_ranges(name: str, scheme: str) -> None:
    case, chosen = (written(PRODUCTS[name]) if name in PRODUCTS else OTHERS[name]), DEPLOYED_ANYWHERE[scheme]
    step = step_of(case, chosen)
    assert torch.equal(step(*given(case)), case.clean())
    for seed, ber in enumerate((1e-4, 2e-3)):
        faults = Faults(ber=ber, seed=seed)
        machine = Protected(Faulty(Clean(), faults), {"here": chosen}, checks="immune")
        same(case, faults, step, machine)


def test_every_scheme_that_is_deployed_is_compared() -> None:
    compared = {scheme_name(scheme) for scheme in {**DEPLOYED, **DEPLOYED_ANYWHERE}.values()}
    refused = {scheme_name(scheme) for scheme in ALL.values() if isinstance(form_of(scheme), NoForm)}
    assert compared | refused == set(SCHEMES)
    assert not compared & refused


@pytest.mark.parametrize("kind", [TinyViT, MultiheadViT])
@pytest.mark.parametrize("recipe", ["int8", "int8-float"])
@pytest.mark.parametrize(
    "scheme", [LbAbft(block=Block(m=3, k=4, n=3)), RowAbft(block=Block(m=4, k=999, n=5)), "none"], ids=str
)
def test_whole_models(kind: type, recipe: str, scheme: Scheme | str) -> None:
    """A program and the module that is deployed of it, under the same faults: the same logits and events."""
    program, x = tiny_program(recipe, kind), images(3)
    protection = Protection.of(
        {} if isinstance(scheme, str) else dict.fromkeys(products(program), scheme), checks="immune"
    )
    module = harden(program, protection, policy="warn")
    for seed, ber in enumerate((1e-6, 1e-5, 1e-4)):
        faults = Faults(ber=ber, seed=seed)
        machine = protection.on(Faulty(Clean(), faults))
        expected = run(program, x, machine).logits
        module.reset()
        with module.on(Faulty(Clean(), faults)):
            assert torch.equal(module(x), expected)
        assert module.counts() == {name: told(account) for name, account in machine.accounts.items()}
