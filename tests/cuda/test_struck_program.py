"""A whole integer program with flips in all of its operators on a device: what it is on the CPU."""

import pytest
import torch
from torch import Tensor

from radhard.faults import Faults, Faulty
from radhard.kernels import on_device
from radhard.machine import Clean
from radhard.program import Program, run
from tests.support.models import images, tiny_program


def _faulty(program: Program, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    machine = Faulty(Clean(), Faults(ber=1e-5, seed=3))
    result = run(program, x, machine)
    return result.logits.cpu(), result.non_finite.cpu(), machine.counts.cpu()


def test_a_program_with_many_flips_is_that_of_the_cpu(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    x = images(2)
    with monkeypatch.context() as patch:
        patch.setattr(on_device, "kernels", lambda: None)
        program = tiny_program("int8")
        logits, non_finite, counts = _faulty(program, x)
    found = _faulty(program if device.type == "cpu" else program.to(device), x.to(device))
    assert torch.equal(found[2], counts)
    assert int(counts.min()) > 30
    assert torch.equal(found[1], non_finite)
    if device.type == "cpu":  # elsewhere a special function may differ in its last bits, and a word by a step
        assert torch.equal(found[0], logits)
    assert torch.equal(found[0].argmax(1), logits.argmax(1))
