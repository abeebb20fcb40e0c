"""The proof of the kernels that strike, and a whole program under faults: on a device as on the CPU."""

import numpy as np
import pytest
import torch

pytest.importorskip("triton")

from radhard.faults import Faults, Faulty
from radhard.faults.device import striking_proof
from radhard.faults.device.keys import Arrived, keys_of
from radhard.faults.device.striking import _strike, strike
from radhard.faults.locate import locate
from radhard.faults.reading import Application
from radhard.faults.sample import draw_all
from radhard.kernels import cuda, on_device
from radhard.machine import KINDS, Clean, read_cost
from radhard.program import run
from radhard.words import Words
from tests.support.models import images, tiny_program
from tests.support.operators import BARE, BATCH


def trusted(*_: object) -> bool:
    return True


def test_the_proof(device: torch.device) -> None:
    assert striking_proof.wrong(lambda *given: _strike(cuda, *given, trusted=trusted), device) == ""
    assert "linear of" in striking_proof.wrong(lambda *_: None, device)


def test_the_proof_sees_a_flip_that_is_left_out(device: torch.device) -> None:
    def careless(x: Application, arrived: Arrived, words: Words) -> object:
        assert arrived.hits is not None
        keys = keys_of(arrived.hits, arrived.cost)
        assert keys is not None
        return _strike(
            cuda, x, Arrived(cost=arrived.cost, keys=torch.from_numpy(keys[:-1]).to(device)), words, trusted=trusted
        )

    assert "differ" in striking_proof.wrong(careless, device)


@pytest.mark.parametrize(
    "name",
    [
        "linear written back",
        "matmul broadcast",
        "conv2d depthwise int8",
        "matmul",
        "softmax quantised",
        "gelu",
        "avg_pool2d",
        "batch_norm",
    ],
)
def test_nothing_waits_for_the_device(name: str, device: torch.device) -> None:
    """On a GPU; elsewhere, that keys alone, which is all that a device draws, do for products."""
    case, ids = BARE[name], np.arange(BATCH)
    cost = read_cost(case.operator, case.part(0, 1), case.site)
    bits = 32 * sum(case.count.values())
    flips = draw_all({case.site: cost}, Faults(ber=min(0.5, 10 / max(bits, 1)), kinds=("mul", "add"), seed=5), ids)
    hits = locate(flips, cost, case.site, ids)
    inputs = tuple(None if x is None else x.to(device) for x in case.inputs)
    operator = striking_proof.moved(case.operator, device)
    found = []
    for _ in range(2):  # the first compiles, and proves
        out = operator.empty(inputs).zero_()
        x = Application(operator=operator, inputs=inputs, site=case.site, out=out)
        if device.type == "cuda" and found:
            torch.cuda.set_sync_debug_mode("error")
        try:
            strike(x, Arrived(cost=cost, hits=hits), Words())
        finally:
            if device.type == "cuda":
                torch.cuda.set_sync_debug_mode("default")
        found.append(out)
    assert torch.equal(found[0].nan_to_num(), found[1].nan_to_num())
    if case.operator.chains(case.inputs, found[0]):
        keys = keys_of(hits, cost)
        assert keys is not None
        out = operator.empty(inputs).zero_()
        x = Application(operator=operator, inputs=inputs, site=case.site, out=out)
        strike(x, Arrived(cost=cost, keys=torch.from_numpy(keys).to(device)), Words())
        assert torch.equal(out, found[0])


@pytest.mark.parametrize("kinds", [("mul", "add"), KINDS])
def test_a_program_under_faults(kinds: tuple, device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    x, ids = images(3), torch.tensor([4, 7, 4])
    faults = Faults(ber=2e-5, kinds=kinds, seed=3)
    with monkeypatch.context() as patch:
        patch.setattr(on_device, "kernels", lambda: None)
        program, machine = tiny_program("int8"), Faulty(Clean(), faults)
        expected = run(program, x, machine, ids=ids)
        counts = machine.counts
    machine = Faulty(Clean(), faults)
    found = run(program.to(device), x.to(device), machine, ids=ids)
    assert counts.sum() > 100
    assert machine.counts.tolist() == counts.tolist()
    close = torch.isclose(found.logits.cpu(), expected.logits, rtol=1e-5, atol=1e-5)
    if device.type == "cuda":  # special functions differ in their last bits, of which a flip may make much
        assert close.float().mean() >= 0.5
    else:
        assert close.all()
        assert found.non_finite.tolist() == expected.non_finite.tolist()
