"""A machine around another forwards all but what it computes itself."""

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor

from radhard.hardware import FaultyArray, StuckProduct
from radhard.machine import Clean, Cost, Counting, Machine, Operator, Recording, Site, Wrapping
from radhard.protection import Calibrating, Protected


class Inner(Machine):
    """Notes what it was begun with; its answers are of its own."""

    def __init__(self) -> None:
        self.begun: list[Tensor] = []
        self.asked = 0

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        del costs
        self.begun.append(ids)

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        return Clean().apply(operator, inputs, site)

    @property
    def non_finite(self) -> Tensor:
        return torch.tensor([3, 5])

    def settled(self) -> bool:
        self.asked += 1
        return self.asked > 1


class Doubling(Wrapping):
    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        return 2 * self.inner.apply(operator, inputs, site)


STUCK = StuckProduct(row=0, column=0, mask=1, level=1)
WRAPPINGS = {
    "of a user": Doubling,
    "Counting": Counting,
    "Recording": Recording,
    "Calibrating": Calibrating,
    "FaultyArray": lambda inner: FaultyArray(inner, STUCK),
    "Protected": lambda inner: Protected(inner, {}),
}


@pytest.mark.parametrize("name", WRAPPINGS)
def test_begin_notes_and_settled_are_those_of_the_inner_machine(name: str) -> None:
    inner = Inner()
    machine = WRAPPINGS[name](inner)
    ids = torch.tensor([7, 8])
    machine.begin({}, ids)
    assert [given.tolist() for given in inner.begun] == [[7, 8]]
    assert machine.non_finite.tolist() == [3, 5]
    assert [machine.settled(), machine.settled()] == [False, True]


def test_a_wrapping_machine_writes_one_method() -> None:
    assert Doubling(Clean()).add(torch.ones(2), torch.ones(2)).tolist() == [4.0, 4.0]
