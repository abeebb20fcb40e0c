"""Deployed steps whose values are compared with a range before they are written."""

from collections.abc import Sequence

import torch
from torch import Tensor

from radhard.deploy.applied import Applied
from radhard.deploy.forms.registry import build
from radhard.deploy.products import OPS, IntegerProduct
from radhard.deploy.step import Step
from radhard.deploy.steps import Int8Wrapped, Kernel, LookUpTable
from radhard.kernels.library import OnUncorrectable, no_events
from radhard.kernels.ranges import instead_of, outside_of
from radhard.machine import Machine, MatrixProduct, Operator, Site, read_cost
from radhard.operators import Affine, Quantized
from radhard.protection.abft.stages import Requantized
from radhard.protection.forms import Bounds


class KernelWithin(Kernel):
    """As `Kernel`, its output brought into a range."""

    events: Tensor

    def __init__(self, operator: Operator, bounds: Bounds, *, site: Site) -> None:
        super().__init__(operator, site)
        self.bounds = bounds
        self.register_buffer("events", no_events())

    def compute(self, *inputs: Tensor | None) -> Tensor:
        """-> the operator's output."""
        return within(super().compute(*inputs), self.bounds, self.events)

    def on(self, machine: Machine, *given: Tensor | None) -> Tensor:
        """The machine's output, brought into the range."""
        return within(super().on(machine, *given), self.bounds, self.events)


class BetweenWithin(Int8Wrapped):
    """As `Int8Wrapped`, of numbers that are brought into a range before they are quantised."""

    events: Tensor

    def __init__(self, operator: Quantized, bounds: Bounds, *, site: Site) -> None:
        super().__init__(operator, site=site)
        self.bounds = bounds
        self.register_buffer("events", no_events())

    def finished(self, x: Tensor) -> Tensor:
        """What the inner operator yields, brought into the range, as words."""
        return quantized_within(x, self.operator.writes, self.bounds, self.events)

    def on(self, machine: Machine, *given: Tensor | None) -> Tensor:
        """The same of what a machine yields, which also writes."""
        return _ranged_on(machine, self, given, self.bounds, self.events)


class TableWithin(LookUpTable):
    """A table of an operator's values after a range: entries outside are replaced in it, and their uses counted.

    What is read is compared with the least and the greatest entry as they were made, for a table may change in memory.
    """

    operator: Quantized
    flagged: Tensor
    events: Tensor

    def __init__(self, operator: Quantized, numbers: Sequence[Tensor | None], bounds: Bounds, *, site: Site) -> None:
        super().__init__(operator.unwritten, numbers, site=site)
        self.operator = operator
        self.within = bounds
        values, writes = self.table, operator.writes
        flagged = outside_of(values, bounds.low, bounds.high)
        instead = torch.tensor(instead_of(bounds.low, bounds.high, bounds.outside), dtype=torch.float32, device="cpu")
        table, other = (quantized_within(x, writes, bounds, no_events()) for x in (values, instead))
        self.register_buffer("table", table)
        self.register_buffer("flagged", flagged)
        self.register_buffer("events", no_events())
        self.clear = _longest_run(flagged.logical_not().tolist())
        self.bounds = [float(bound) for bound in table.aminmax()]
        self.instead = [float(value) for value in other]

    def compute(self, *given: Tensor | None) -> Tensor:
        """[...] of 8 bits -> [...]."""
        out: Tensor = torch.ops.radhard.look_up_within.default(
            given[0], self.table, self.flagged, self.clear, self.bounds, self.instead, self.events
        )
        return out

    def on(self, machine: Machine, *given: Tensor | None) -> Tensor:
        """The range of what a machine yields, which also writes."""
        return _ranged_on(machine, self, given, self.within, self.events)


def within(x: Tensor, bounds: Bounds, events: Tensor) -> Tensor:
    """Numbers, or accumulators, [...] brought into a range."""
    out: Tensor = torch.ops.radhard.within.default(x, bounds.low, bounds.high, bounds.outside, events)
    return out


def quantized_within(x: Tensor, writes: Affine | None, bounds: Bounds, events: Tensor) -> Tensor:
    """Numbers [...] float32 brought into a range, and the words that stand for them where words are written."""
    if writes is None:
        return within(x, bounds, events)
    grid, how = writes.grid, (bounds.low, bounds.high, bounds.outside, events)
    factor, limits = writes.factor, list(grid.limits)
    out: Tensor = torch.ops.radhard.quantize_within.default(x, factor, limits, *how, grid.dtype)
    return out


def _ranged_on(
    machine: Machine, step: Int8Wrapped | LookUpTable, given: Sequence[Tensor | None], bounds: Bounds, events: Tensor
) -> Tensor:
    """A machine computes the step's operator and writes it; between, the range."""
    operator, site, inputs = step.operator, step.site, step.inputs(*given)
    assert isinstance(operator, Quantized)
    value = within(machine.apply(operator.unwritten, inputs, site), bounds, events)
    if operator.writes is None:
        return value
    steps = len(read_cost(operator.unwritten, inputs, site).steps)
    finish = Requantized(whole=operator, writes=operator.writes, first_step=steps)
    return machine.apply(finish, (value, *inputs), site)


class RangedProduct(IntegerProduct):
    """As `Product`, its accumulators brought into a range before they are written."""

    events: Tensor

    def __init__(
        self, operator: MatrixProduct, weight: Tensor | None, bias: Tensor | None, bounds: Bounds, *, site: Site
    ) -> None:
        super().__init__(operator, weight, bias, site=site)
        self.bounds = bounds
        self.register_buffer("events", no_events())

    def compute(self, *given: Tensor | None) -> Tensor:
        """-> the operator's output."""
        total = within(self.accumulated(*given), self.bounds, self.events)
        axis = 1 if self.operator.name == "conv2d" else -1  # the columns of the product
        words: Tensor = OPS.write_back.default(total.movedim(axis, -1), self.multiplier, self.grid, self.dtype)
        return words.movedim(-1, axis).contiguous()

    def on(self, machine: Machine, *given: Tensor | None) -> Tensor:
        """The machine accumulates and writes; between is the range."""
        work = self.work(machine, *given)
        return work.write(within(work.accumulators(work.products.shape.k)[0], self.bounds, self.events))


def _longest_run(whether: Sequence[bool]) -> list[int]:
    """The first and the last place, less 128, of the longest run of the 256 words for which `whether` is true."""
    best, start = (255, 0), 0  # none
    for place, true in enumerate(whether):
        start = start if true else place + 1
        best = max(best, (start, place), key=lambda run: run[1] - run[0])
    return [best[0] - 128, best[1] - 128]


@build.register
def _(form: Bounds, applied: Applied, *, on_uncorrectable: OnUncorrectable) -> Step:
    """The step of an operator of whatever kind; what is brought into a range needs no correction."""
    del on_uncorrectable
    operator, site = applied.operator, applied.site
    if applied.product is not None:
        return RangedProduct(applied.product, *applied.weights, form, site=site)
    if not isinstance(operator, Quantized):
        return KernelWithin(operator, form, site=site)
    numbers = applied.numbers
    if numbers is None:
        return BetweenWithin(operator, form, site=site)
    return TableWithin(operator, numbers, form, site=site)
