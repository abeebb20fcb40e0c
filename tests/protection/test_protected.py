"""A whole program under protection: every site by a scheme that fits it."""

import torch

from radhard.faults import Faults, Faulty
from radhard.machine import Clean, Gemm
from radhard.operators import Conv2d, Linear
from radhard.program import Program, run
from radhard.program.program import Apply
from radhard.protection import Block, LbAbft, Protected, RowAbft, Scheme, Tmr
from tests.support.models_under_test import fashion_under_test


def plan_of(program: Program) -> dict[str, Scheme]:
    plan: dict[str, Scheme] = {}
    for step in program.steps:
        if not isinstance(step, Apply):
            continue
        if isinstance(step.operator, Linear | Conv2d):
            plan[step.site.name] = RowAbft(block=Block(m=4, k=64, n=32))
        elif isinstance(step.operator, Gemm):
            plan[step.site.name] = LbAbft(block=Block(m=16, k=32, n=16))
        else:
            plan[step.site.name] = Tmr()
    return plan


def test_a_program_with_every_site_protected() -> None:
    program = fashion_under_test("int8").programs["int8"]
    plan = plan_of(program)
    images = fashion_under_test("int8").images(torch.arange(3))
    clean = run(program, images).logits
    ids = torch.tensor([0, 1, 2])

    machine = Protected(Clean(), plan)
    assert torch.equal(run(program, images, machine, ids=ids).logits, clean)
    assert set(machine.accounts) == set(plan)
    assert all(account.alarms == 0 for account in machine.accounts.values())

    faults = Faults(ber=1e-6, seed=4)
    hit = run(program, images, Faulty(Clean(), faults), ids=ids).logits
    machine = Protected(Faulty(Clean(), faults), plan)
    repaired = run(program, images, machine, ids=ids).logits
    assert sum(account.alarms for account in machine.accounts.values()) > len(plan)
    assert float((repaired - clean).abs().mean()) < 0.2 * float((hit - clean).abs().mean())
    alone = Protected(Faulty(Clean(), faults), plan)
    for place in range(3):
        one = run(program, images[place : place + 1], alone, ids=ids[place : place + 1]).logits
        assert torch.equal(one[0], repaired[place])
