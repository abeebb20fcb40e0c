"""`Calibrating`: a machine that observes the range of each operator's output, before it is quantised."""

from collections.abc import Sequence

from torch import Tensor

from radhard.machine import Clean, Machine, Operator, Site, Wrapping


class Calibrating(Wrapping):
    """Lets `inner` compute; `ranges` holds the least and the largest value at each site, over all runs."""

    def __init__(self, inner: Machine | None = None) -> None:
        super().__init__(inner or Clean())
        self.ranges: dict[str, tuple[float, float]] = {}

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The inner machine's output."""
        out = value = self.inner.apply(operator, inputs, site)
        if operator.unwritten is not operator:
            value = Clean().apply(operator.unwritten, inputs, site)
        low, high = (float(bound) for bound in value.aminmax())
        known = self.ranges.get(site.name, (low, high))
        self.ranges[site.name] = (min(low, known[0]), max(high, known[1]))
        return out
