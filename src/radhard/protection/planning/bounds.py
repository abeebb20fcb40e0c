"""The ranges in which the outputs of a program's non-linear operators lie, observed on calibration images."""

import math
from collections.abc import Iterable, Mapping

from torch import Tensor

from radhard.program import Program, run
from radhard.protection.calibrating import Calibrating

NON_LINEAR = "NLF"
"""The module category whose sites have ranges: softmax, activations, normalisations, means."""

LIMIT_BITS = 10
"""Significant bits of a limit: at most 0.2 % farther out than what was seen."""

Limits = Mapping[str, tuple[float, float]]


def observed_limits(program: Program, batches: Iterable[Tensor]) -> Limits:
    """The least and the largest value that each non-linear site yields on `batches` of images, before it is written.

    Rounded outwards to LIMIT_BITS bits: processors of two kinds, whose float kernels differ in the last, find the same.
    A program on a GPU is observed on the CPU, so that its limits are the same there.
    """
    machine = Calibrating()
    for batch in batches:
        run(program.on_host, batch, machine)
    wanted = {site.name for site in program.costs if site.module == NON_LINEAR}
    return {name: (-_at_least(-low), _at_least(high)) for name, (low, high) in machine.ranges.items() if name in wanted}


def _at_least(value: float) -> float:
    """The least number of LIMIT_BITS significant bits that is at least `value`; what is not finite stays."""
    if not math.isfinite(value):
        return value
    fraction, exponent = math.frexp(value)
    return math.ldexp(math.ceil(fraction * 2**LIMIT_BITS), exponent - LIMIT_BITS)
