"""`Recording`: a machine that stores the output of each site, so that other runs can start from there."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from radhard.machine.clean import Machine, together
from radhard.machine.cost import Cost
from radhard.machine.operator import Operator
from radhard.machine.site import Site
from radhard.machine.wrapping import Wrapping


class Recording(Wrapping):
    """Lets `inner` compute, and keeps of each site its output and the values [B] int64 noted as not finite there."""

    def __init__(self, inner: Machine) -> None:
        super().__init__(inner)
        self.outputs: dict[Site, Tensor] = {}
        self.notes: dict[Site, Tensor] = {}

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """Start afresh."""
        self.outputs, self.notes = {}, {}
        super().begin(costs, ids)

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The inner machine's output, kept."""
        self.outputs[site], self.notes[site] = applied(self.inner, operator, inputs, site=site)
        return self.outputs[site]


def applied(
    machine: Machine, operator: Operator, inputs: Sequence[Tensor | None], *, site: Site
) -> tuple[Tensor, Tensor]:
    """An operator's output, and the values [B] int64 of each image that the machine noted as not finite at it."""
    before = machine.non_finite
    out = machine.apply(operator, inputs, site)
    return out, together(machine.non_finite, -before)
