"""The order in which products are protected: by vulnerability (Algorithm 1) or by gain per operation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from radhard.analysis.intervals import Interval
from radhard.protection.planning.grounds import Estimate, OrderedProduct

Strategy = Literal["algorithm1", "gain"]
Grain = Literal["site", "layer"]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A product: its site and layer, the factors of both, and the weighted operations an image of protecting it."""

    site: str
    layer: str
    factor: Interval
    layer_factor: float
    operations: float
    guessed: bool = False

    @property
    def recorded(self) -> OrderedProduct:
        """The candidate as the file of a plan has it."""
        return OrderedProduct(**{**vars(self), "factor": Estimate(**vars(self.factor))})


def ordered(candidates: Sequence[Candidate], strategy: Strategy) -> tuple[Candidate, ...]:
    """The candidates, first to be protected first; equal ones as in the program.

    "algorithm1": layers by their factors, within a layer products by theirs (Algorithm 1, lines 2 to 8). "gain": by
    accuracy for each operation; those come first whose factor is surely above 0, by its lower limit.
    """
    if strategy == "gain":
        return tuple(sorted(candidates, key=_gain, reverse=True))
    first: dict[str, int] = {}  # of equal layers, as "blocks.2" before "blocks.10"
    for place, candidate in enumerate(candidates):
        first.setdefault(candidate.layer, place)
    return tuple(sorted(candidates, key=lambda c: (-c.layer_factor, first[c.layer], -c.factor.rate)))


def _gain(candidate: Candidate) -> tuple[float, float]:
    each = max(candidate.operations, 1.0)
    return max(candidate.factor.low, 0.0) / each, candidate.factor.rate / each
