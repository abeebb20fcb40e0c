"""Sweeps with known points, for tests of what is drawn and written."""

import math
from collections.abc import Mapping, Sequence

from radhard.analysis.curve import Point
from radhard.analysis.sweep import Sweep
from tests.support.campaigns import setting


def point(ber: float, accuracy: float, *, n: int = 500) -> Point:
    return Point(
        ber=ber, trials=5, n=n, accuracy=accuracy, low=accuracy - 0.02, high=accuracy + 0.03,
        relative=accuracy / 0.9, relative_low=accuracy / 0.9 - 0.01, relative_high=accuracy / 0.9 + 0.015,
        changed=0.25, non_finite=0.125, flips_expected=12.5, flips=12.4, ended="trials",
        sdc=0.2, sdc_low=0.18, sdc_high=0.23, critical=0.15, critical_low=0.12, critical_high=0.19, due=0.05,
        due_low=0.04, due_high=0.07,
    )  # fmt: skip


NOTHING = Point(
    ber=1e-4, trials=0, n=0, accuracy=math.nan, low=0.0, high=1.0, relative=math.nan, relative_low=0.0,
    relative_high=math.inf, changed=math.nan, non_finite=math.nan, flips_expected=1e5, flips=math.nan,
    ended="incomplete",
)  # fmt: skip
POINTS = (point(1e-6, 0.3), point(1e-8, 0.85), point(0.0, 0.9), NOTHING)
CLEAN = {"float": point(0.0, 0.91), "int8": point(0.0, 0.9)}


def sweep(model: str = "toy", points: Sequence[Point] = POINTS, clean: Mapping[str, Point] = CLEAN) -> Sweep:
    """A sweep of 100 images of a model of 1,234 multiply-accumulates."""
    return Sweep(
        settings=tuple(setting(p.ber, model=model) for p in points),
        points=tuple(points),
        clean=clean,
        macs=1234,
        back_end={"static": "reference"},
        images=100,
    )
