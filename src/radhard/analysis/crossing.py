"""Where a curve falls below a level: the two bit error rates around the crossing, and the interpolated rate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from radhard.analysis.curve import Point


class CrossingRecord(TypedDict):
    """A `Crossing` as JSON values."""

    level: float | None
    ber: float | None
    above: float | None
    below: float | None
    flips_an_inference: float | None


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """Where accuracy is first at `level` or less: at `ber`, between the measured rates `above` and `below`.

    All three are None if it is not reached. If the first rate measured is there already, `above` is 0 and `ber` None:
    nothing can be interpolated in the logarithm. Of a curve over numbers of flips an inference these are what is
    between, and the interpolated one is `flips_an_inference` in place of `ber`.
    """

    level: float
    ber: float | None = None
    above: float | None = None
    below: float | None = None
    flips_an_inference: float | None = None

    def as_dict(self) -> CrossingRecord:
        """The crossing as JSON values; a level that is not known is null."""
        return {
            "level": None if math.isnan(self.level) else self.level,
            "ber": self.ber,
            "above": self.above,
            "below": self.below,
            "flips_an_inference": self.flips_an_inference,
        }


def crossing(points: Sequence[Point], *, level: float) -> Crossing:
    """The first two neighbouring rates between which `kept` falls to `level`, linear in log BER between them."""
    found = falls_to([(p.amount, p.kept) for p in points if p.amount > 0 and p.n > 0], level=level)
    if any(p.flips_an_inference for p in points):
        return replace(found, ber=None, flips_an_inference=found.ber)
    return found


def falls_to(values: Sequence[tuple[float, float]], *, level: float) -> Crossing:
    """(BER > 0, value) -> the first two neighbouring rates between which the value falls to `level`, as above."""
    before = None
    for ber, value in sorted(values):
        if value <= level:
            if before is None:
                return Crossing(level=level, above=0.0, below=ber)
            share = (before[1] - level) / (before[1] - value)
            between = math.exp((1 - share) * math.log(before[0]) + share * math.log(ber))
            return Crossing(level=level, ber=between, above=before[0], below=ber)
        before = (ber, value)
    return Crossing(level=level)
