"""The base of machines that wrap another: they change or observe what the inner machine computes."""

from collections.abc import Mapping

from torch import Tensor

from radhard.machine.clean import Machine
from radhard.machine.cost import Cost
from radhard.machine.site import Site


class Wrapping(Machine):
    """Forwards to `inner` all but `apply`, which is a subclass's own.

    Examples:
        >>> import torch
        >>> from radhard.machine import Clean, Wrapping
        >>> class Loud(Wrapping):
        ...     def apply(self, operator, inputs, site):
        ...         print(site.name)
        ...         return self.inner.apply(operator, inputs, site)
        >>> Loud(Clean()).add(torch.ones(2), torch.ones(2), site="residual")
        residual
        tensor([2., 2.])
    """

    def __init__(self, inner: Machine) -> None:
        self.inner = inner

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """The inner machine begins."""
        self.inner.begin(costs, ids)

    @property
    def non_finite(self) -> Tensor:
        """What the inner machine noted."""
        return self.inner.non_finite

    def settled(self) -> bool:
        """Whether the inner machine is."""
        return self.inner.settled()
