"""Operators alone and in every int8 wrapper: protected, deployed and tabulated, each gives what the operator gives."""

import numpy as np
import pytest
import torch

from radhard.deploy.applied import COMPUTED, Applied
from radhard.deploy.plain import plain_step
from radhard.deploy.protected import protected_step
from radhard.faults import Faulty
from radhard.kernels.library import OnUncorrectable
from radhard.machine import Clean, Machine, Operator, read_cost
from radhard.operators import Quantized
from radhard.protection import Protected, Ranges, Scheme, Tmr
from tests.support.flips import flips_of
from tests.support.operators import BARE, BATCH, Case
from tests.support.wrapped import WRAPPED, every, every_with

CASES = {name: case for name, case in (BARE | WRAPPED).items() if case.operator.name != "load"}
WIDE = Ranges(low=-3.4e38, high=3.4e38)
SCHEMES = {"tmr": Tmr(), "tmr by words": Tmr(vote="word"), "ranges": WIDE}
DEPLOYED: dict[str, Scheme | None] = {"alone": None, **SCHEMES}


def begun(machine: Machine, case: Case) -> Machine:
    cost = read_cost(case.operator, case.part(0, 1), case.site)
    machine.begin({case.site: cost}, torch.arange(BATCH))
    return machine


def kernel(case: Case) -> torch.Tensor:
    return Clean().apply(case.operator, case.inputs, case.site)


@pytest.mark.parametrize(("case", "scheme"), every_with(CASES, SCHEMES))
def test_a_scheme_without_faults_changes_nothing(case: Case, scheme: Scheme) -> None:
    machine = Protected(Clean(), {"here": scheme})
    got = begun(machine, case).apply(case.operator, case.inputs, case.site)
    assert got.dtype == kernel(case).dtype
    assert torch.equal(got, kernel(case))
    assert machine.accounts["here"].checks > 0
    assert machine.accounts["here"].alarms == 0


@pytest.mark.parametrize("case", every({name: case for name, case in CASES.items() if case.count}))
def test_a_range_that_holds_everything_leaves_faults_as_they_are(case: Case) -> None:
    """The operator is cut in two before it writes: both parts together execute its operations, under its faults."""
    draw, cost = np.random.default_rng(5), read_cost(case.operator, case.part(0, 1), case.site)
    flips = flips_of(
        [
            (image, "here", kind, int(draw.integers(cost.operations(kind))), bit)
            for image in (0, 3, 7)
            for kind in case.count
            for bit in (14, 9, 3)
            if cost.operations(kind)
        ]
    )
    plain = begun(Faulty(Clean(), flips), case).apply(case.operator, case.inputs, case.site)
    machine = begun(Protected(Faulty(Clean(), flips), {"here": WIDE}), case)
    assert torch.equal(machine.apply(case.operator, case.inputs, case.site), plain)


@pytest.mark.parametrize(("case", "scheme"), every_with(CASES, DEPLOYED))
def test_the_deployed_step_is_the_operator(case: Case, scheme: Scheme | None) -> None:
    constants = [COMPUTED if place in case.of_images else x for place, x in enumerate(case.inputs)]
    applied = Applied(operator=case.operator, constants=constants, site=case.site)
    if scheme is None:
        step = plain_step(applied)
    else:
        step = protected_step(applied, scheme, on_uncorrectable=OnUncorrectable(policy="raise", site="here"))
    given = case.inputs[:1] if applied.stores else case.inputs
    assert torch.equal(step(*given), kernel(case))


def by_table(case: Case) -> bool:
    return isinstance(case.operator, Quantized) and case.operator.by_table(case.inputs[1:])


TABULATED = {name: case for name, case in CASES.items() if by_table(case)}


@pytest.mark.parametrize("case", every(TABULATED))
def test_a_table_holds_what_the_definition_computes(case: Case) -> None:
    """Each of the 256 words: within one step of the definition, as the fused kernel is."""
    first = case.inputs[0]
    assert first is not None
    words = (torch.arange(-128, 128, dtype=torch.int8).view(first.dtype), *case.inputs[1:])
    table = case.operator.kernel(words, lambda _: None)
    defined = Operator.kernel(case.operator, words, lambda _: None)
    if table.is_floating_point():
        torch.testing.assert_close(table, defined, rtol=1e-5, atol=1e-6, equal_nan=True)
    else:
        apart = (table.int() - defined.int()).abs()
        assert apart.max() <= 1
        assert int((apart > 0).sum()) <= 5
