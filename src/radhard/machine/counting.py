"""`Counting`: a machine that counts the operations of each site."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from radhard.machine.clean import Clean, Machine
from radhard.machine.cost import Cost, read_cost
from radhard.machine.operator import Operator
from radhard.machine.site import Site
from radhard.machine.wrapping import Wrapping


class Counting(Wrapping):
    """Lets `inner` compute and reads what each site costs from the definitions.

    >>> import torch
    >>> import radhard as rh
    >>> machine = rh.Counting()
    >>> out = machine.gemm(torch.ones(2, 3), torch.ones(3, 4))
    >>> [(site.name, cost.operations("mul"), cost.operations("add")) for site, cost in machine.costs.items()]
    [('gemm', 24, 16)]
    """

    def __init__(self, inner: Machine | None = None) -> None:
        super().__init__(inner or Clean())
        self.costs: dict[Site, Cost] = {}

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """Start a new count."""
        self.costs = {}
        super().begin(costs, ids)

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The inner machine's output; the cost for one image goes to `costs[site]`."""
        self.costs[site] = read_cost(operator, tuple(inputs), site)
        return self.inner.apply(operator, inputs, site)
