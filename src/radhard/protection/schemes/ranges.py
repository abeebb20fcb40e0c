"""Range checks (Xue et al., section IV.B): outputs outside fixed bounds are replaced.

The value is compared where it is computed: float results before they are quantised, accumulators of a matrix product
before they are written back. Comparisons are no operations that a fault hits.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from torch import Tensor

from radhard.errors import InputError
from radhard.kernels.events import Events
from radhard.kernels.ranges import outside_of, replaced
from radhard.machine import MatrixProduct, Shape, read_cost
from radhard.operators import Quantized
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from radhard.protection.abft.stages import Requantized
from radhard.protection.forms import Bounds, Form
from radhard.protection.schemes.options import check_options
from radhard.protection.schemes.registry import scheme
from radhard.words import Words

Outside = Literal["zero", "clamp"]


@scheme(
    "ranges",
    about="Outputs are compared with two bounds; values outside are replaced.",
    takes="any operator",
    spellings=(),
)
@dataclass(frozen=True, kw_only=True)
class Ranges:
    """Values from `low` to `high` pass. Outside, "zero" makes them 0 (the paper), "clamp" the nearer bound.

    NaN is outside: it becomes 0, or with "clamp" the value of the range that is nearest to 0.
    """

    low: Annotated[float, "Values from here on pass."]
    high: Annotated[float, "Values up to here pass."]
    outside: Annotated[Outside, "Replacement of values outside: 0, or the nearer bound."] = "zero"

    def __post_init__(self) -> None:
        if not self.low <= self.high or not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise InputError(f"range from {self.low} to {self.high}: give two finite bounds, the lower one first")
        check_options(self)

    def protect(self, application: ProtectedApplication, checks: Checks) -> Tensor:
        """Two comparisons a value."""
        operator, inputs, site = application.operator, application.inputs, application.site
        if isinstance(operator, MatrixProduct) and operator.write_back is not None:
            x = application.products
            total = application.accumulators(x.shape.k)[0]
            return application.write(self._within(application, checks, total, layout=x.merge))
        if not isinstance(operator, Quantized) or operator.writes is None:
            return self._within(application, checks, application.compute())
        before = operator.unwritten
        value = self._within(application, checks, application.machine.apply(before, inputs, site))
        steps = len(read_cost(before, inputs, site).steps)
        finish = Requantized(whole=operator, writes=operator.writes, first_step=steps)
        return application.machine.apply(finish, (value, *inputs), site)

    def expected(self, shape: Shape, *, ber: float, words: Words) -> None:
        """None: comparisons alone, two a value."""
        del shape, ber, words

    @property
    def deployed(self) -> Form:
        """The same bounds."""
        return Bounds(low=self.low, high=self.high, outside=self.outside)

    def _within(
        self,
        application: ProtectedApplication,
        checks: Checks,
        x: Tensor,
        *,
        layout: Callable[[Tensor], Tensor] = lambda mask: mask,
    ) -> Tensor:
        """The values, those outside replaced; `layout` makes of a mask of them one of the operator's output."""
        outside = outside_of(x, self.low, self.high)
        found = int(outside.sum())
        checks.count(cmp=2 * x.numel())
        checks.note(Events(checks=x.numel(), flagged=found, repaired=found))
        if not found:
            return x
        checks.note(Events(alarms=int((application.site.per_image(layout(outside)) > 0).sum())))
        return replaced(x, outside, low=self.low, high=self.high, outside=self.outside)


SOFTMAX = Ranges(low=0.0, high=1.0)


def paper_range(low: float, high: float, *, alpha: float = 0.02, outside: Outside = "zero") -> Ranges:
    """((1 + alpha) low, (1 - alpha) high) of the least and the largest value observed.

    As printed: it widens a negative lower side and cuts off the upper one, and so legitimate values with it.
    """
    return Ranges(low=(1 + alpha) * low, high=(1 - alpha) * high, outside=outside)


def observed_range(low: float, high: float, *, margin: float = 0.0, outside: Outside = "zero") -> Ranges:
    """What was observed, wider on both sides by `margin` times the distance between the two."""
    wider = margin * (high - low)
    return Ranges(low=low - wider, high=high + wider, outside=outside)
