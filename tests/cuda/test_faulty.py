"""Faults in every operator of the table on a device: what they make of it on the CPU."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import torch
from torch import Tensor

from radhard.faults import Faults, Faulty
from radhard.machine import KINDS, Clean, read_cost
from radhard.ops import on_device
from radhard.ops.octets import OCTETS
from radhard.ops.on_device import interpreted
from tests.operators import BARE, BATCH, Case

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


def to(operator: object, device: torch.device) -> None:
    """Move what an operator's write-back multiplies by."""
    write_back = getattr(operator, "write_back", None)
    if write_back is not None:
        object.__setattr__(write_back, "multiplier", write_back.multiplier.to(device))


def struck(case: Case, inputs: tuple[Tensor | None, ...], faults: Faults) -> tuple[Tensor, Tensor]:
    """The output under faults of all kinds, and what is not finite of each image."""
    machine = Faulty(Clean(), faults)
    with torch.no_grad():
        cost = read_cost(case.operator, case.part(0, 1), case.site)
        machine.begin({case.site: cost}, torch.arange(BATCH))
        out = machine.apply(case.operator, inputs, case.site)
    assert machine.flips is not None
    return out, machine.non_finite


@pytest.mark.parametrize("name", BARE)
def test_every_operator(name: str, device: torch.device, host: Host) -> None:
    case = BARE[name]
    bits = 32 * sum(case.count.values())
    for flips in (6,) if interpreted() else (2, 30):  # an image
        ber = flips / bits if bits else 0.5
        faults = Faults(ber=min(ber, 0.5), kinds=KINDS, seed=5)
        with host():
            to(case.operator, torch.device("cpu"))
            expected, strange = struck(case, case.inputs, faults)
        to(case.operator, device)
        out, found = struck(case, tuple(None if x is None else x.to(device) for x in case.inputs), faults)
        to(case.operator, torch.device("cpu"))
        assert found.tolist() == strange.tolist()
        assert out.dtype == expected.dtype
        apart = out.cpu() != expected
        apart &= ~(out.cpu().isnan() & expected.isnan())
        if case.exact or (expected.dtype in OCTETS and device.type == "cpu"):
            assert not apart.any()
        elif expected.dtype in OCTETS:
            assert (out.cpu().int() - expected.int()).abs().max() <= 1
        else:
            torch.testing.assert_close(out.cpu(), expected, rtol=1e-5, atol=1e-6, equal_nan=True)
