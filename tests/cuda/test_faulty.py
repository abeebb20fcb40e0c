"""Faults in every operator of the table on a device: what they make of it on the CPU."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import torch
from torch import Tensor

from radhard.faults import Faults, Faulty
from radhard.faults.device.striking_proof import moved
from radhard.kernels import on_device
from radhard.kernels.octets import OCTETS
from radhard.kernels.on_device import interpreted
from radhard.machine import KINDS, Clean, read_cost, undisturbed
from tests.support.operators import BARE, BATCH, Case

Host = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """A context in which the loops of the host do the work, whether or not kernels are interpreted."""

    @contextmanager
    def within() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(on_device, "kernels", lambda: None)
            yield

    return within


def struck(case: Case, device: torch.device, faults: Faults) -> tuple[Tensor, Tensor]:
    """The output under faults of all kinds, and what is not finite of each image."""
    machine = Faulty(Clean(), faults)
    inputs = tuple(None if x is None else x.to(device) for x in case.inputs)
    with undisturbed(device):
        machine.begin({case.site: read_cost(case.operator, case.part(0, 1), case.site)}, torch.arange(BATCH))
        out = machine.apply(moved(case.operator, device), inputs, case.site)
    assert machine.settled()
    assert machine.flips is not None
    return out.cpu(), machine.non_finite.cpu()


@pytest.mark.parametrize("name", BARE)
def test_every_operator(name: str, device: torch.device, host: Host) -> None:
    case = BARE[name]
    bits = 32 * sum(case.count.values())
    for flips in (6,) if interpreted() else (2, 30):  # an image
        faults = Faults(ber=min(flips / bits, 0.5) if bits else 0.5, kinds=KINDS, seed=5)
        with host():
            expected, non_finite = struck(case, torch.device("cpu"), faults)
        out, found = struck(case, device, faults)
        assert out.dtype == expected.dtype
        apart = (out != expected) & ~(out.isnan() & expected.isnan())
        if case.exact or (expected.dtype in OCTETS and device.type == "cpu"):
            assert not apart.any()
            assert found.tolist() == non_finite.tolist()
        elif expected.dtype in OCTETS:  # a flip may make much of the last bits of a special function, rarely
            assert ((out.int() - expected.int()).abs() > 1).float().mean() <= 0.01
        else:
            close = torch.isclose(out, expected, rtol=1e-5, atol=1e-5, equal_nan=True)
            assert (~close).float().mean() <= (0.0 if device.type == "cpu" else 0.03)
