"""A run whose flips are drawn on its device: that of a table that the host has drawn."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from radhard.faults import Faults, Faulty, Flips, Where, faulty, trace
from radhard.faults.device.sampled import Drawn, draw_on_device
from radhard.machine import Clean
from radhard.program import Program, RunResult, run
from tests.support.flips import rows_of
from tests.support.models import CLASSES, images, tiny_program


class Small(nn.Module):
    """Images [B, 1, 8, 8] -> logits [B, 5]: two linear layers, and a product of activations between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x[:, 0]).relu()
        return self.second((x @ x.transpose(1, 2)).flatten(1))


FAULTS = Faults(ber=5e-4, seed=3)
IDS = torch.tensor([4, 9])


@cache
def subject(device: torch.device) -> tuple[Program, Tensor]:
    return tiny_program("int8", Small).to(device), images(len(IDS)).to(device)


def of_table(faults: Faults, device: torch.device) -> tuple[Flips, RunResult]:
    program, given = subject(device)
    flips = trace(program.on_host, faults, IDS)
    return flips, run(program, given, Faulty(Clean(), flips), ids=IDS)


@pytest.mark.parametrize("where", [Where(), Where(operators=("linear",)), Where(operators=("matmul",))], ids=str)
def test_the_flips_of_a_table(where: Where, device: torch.device) -> None:
    program, given = subject(device)
    faults = replace(FAULTS, where=where)
    flips, expected = of_table(faults, device)
    machine = Faulty(Clean(), faults)
    found = run(program, given, machine, ids=IDS)
    assert torch.equal(found.logits, expected.logits)
    assert found.non_finite.tolist() == expected.non_finite.tolist()
    assert machine.counts.tolist() == flips.per_image(IDS.numpy()).tolist()
    assert machine.counts.min() > 3
    assert machine.flips is not None
    assert rows_of(machine.flips) == rows_of(flips)


def test_a_run_with_an_unsure_image_is_done_once_more(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    program, given = subject(device)
    flips, expected = of_table(FAULTS, device)
    asked = []

    def unsure(*args: object, header: object = None) -> Drawn | None:
        """One of whose images is not to be used."""
        assert header is None  # nothing is recorded
        drawn = draw_on_device(*args)  # type: ignore[arg-type]
        assert drawn is not None
        asked.append(len(drawn.keys))
        keys = {site: torch.full_like(key, (1 << 63) - 1) for site, key in drawn.keys.items()}
        return replace(drawn, keys=keys, unsure=torch.tensor([False, True], device=device))

    monkeypatch.setattr(faulty, "draw_on_device", unsure)
    machine = Faulty(Clean(), FAULTS)
    for times in (1, 2):
        found = run(program, given, machine, ids=IDS)
        assert torch.equal(found.logits, expected.logits)
        assert machine.counts.tolist() == flips.per_image(IDS.numpy()).tolist()
        assert len(asked) == times
    assert asked[0] == 3
