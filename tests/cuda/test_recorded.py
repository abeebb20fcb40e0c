"""DeviceGraph runs give what runs give, of other images, identities and trials than those that were recorded."""

import pytest
import torch

from radhard.errors import InputError
from radhard.faults import Faults, Faulty
from radhard.machine import Clean, Machine
from radhard.models.data.fashion import MEAN, STD, fashion_mnist
from radhard.models.load import load
from radhard.program import Program, capture, quantize, run
from radhard.program.device_graph import DeviceGraph
from tests.cuda.reference import plain

BATCH = 3
PLACES = ((0, 1, 2), (3, 4, 5), (8, 7, 6), (1, 1, 2))


@pytest.fixture(scope="module")
def program() -> Program:
    data = fashion_mnist("calibration")
    batch = data.batch(torch.arange(8), mean=MEAN, std=STD)
    loaded = load("fashion-vit")
    return plain(lambda: quantize(capture(loaded.module, batch, name="vit"), [batch]))


def machine(ber: float, trial: int) -> Machine:
    return Faulty(Clean(), Faults(ber=ber, seed=5, trial=trial)) if ber else Clean()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="only a GPU records")
@pytest.mark.parametrize("ber", [0.0, 1e-6, 3e-5])
def test_what_is_launched_again_is_what_a_run_gives(program: Program, device: torch.device, ber: float) -> None:
    moved, data = program.to(device), fashion_mnist("test")
    recorded = DeviceGraph(moved, batch=BATCH)
    launched = 0
    for trial, places in enumerate(PLACES):
        images = data.batch(torch.tensor(places), mean=MEAN, std=STD).to(device)
        ids = torch.tensor(places) + 100
        own = machine(ber, trial)
        expected = run(moved, images, own, ids=ids)
        found, did = recorded.run(images, machine(ber, trial), ids=ids)
        launched += did is recorded._recorded
        assert torch.equal(found.logits, expected.logits)
        assert torch.equal(found.non_finite, expected.non_finite)
        if isinstance(own, Faulty) and isinstance(did, Faulty):
            assert torch.equal(did.counts, own.counts)
            assert int(own.counts.sum()) > 0
    assert launched == len(PLACES) - 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="only a GPU records")
def test_a_recording_refuses_faults_of_another_rate(program: Program, device: torch.device) -> None:
    moved, recorded = program.to(device), DeviceGraph(program.to(device), batch=BATCH)
    images = torch.zeros(BATCH, *moved.input_shape, device=device)
    recorded.run(images, machine(1e-6, 0))
    with pytest.raises(InputError, match="record another"):
        recorded.run(images, machine(1e-5, 0))


def test_what_cannot_be_recorded_runs() -> None:
    small = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3)).eval()
    images = torch.linspace(-1, 1, 24).view(2, 3, 2, 2)
    program = plain(lambda: quantize(capture(small, images, name="small"), [images]))
    recorded = DeviceGraph(program, batch=2)
    for _ in range(2):
        found, did = recorded.run(images, own := Clean())
        assert did is own
        assert torch.equal(found.logits, run(program, images).logits)
    with pytest.raises(InputError, match="batch=0"):
        DeviceGraph(program, batch=0)
