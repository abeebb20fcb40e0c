"""The machine that observes the range of what each operator yields, before it is quantised or written back."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from radhard.machine import Clean, Cost, Machine, Operator, Site


class Calibrating(Machine):
    """Lets `inner` compute; `ranges` holds the least and the largest value at each site, over all runs."""

    def __init__(self, inner: Machine | None = None) -> None:
        self.inner = inner or Clean()
        self.ranges: dict[str, tuple[float, float]] = {}

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """Ranges go on from run to run."""
        self.inner.begin(costs, ids)

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The inner machine's output."""
        out = value = self.inner.apply(operator, inputs, site)
        if operator.unwritten is not operator:
            value = Clean().apply(operator.unwritten, inputs, site)
        low, high = (float(bound) for bound in value.aminmax())
        known = self.ranges.get(site.name, (low, high))
        self.ranges[site.name] = (min(low, known[0]), max(high, known[1]))
        return out

    @property
    def non_finite(self) -> Tensor:
        """What the inner machine noted."""
        return self.inner.non_finite
