"""Deployed steps other than integer matrix products: kernels, look-up tables, data movement.

A step that checks has a buffer `events` [7] int64, to which each call adds (see `radhard.kernels.library`).
"""

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from radhard.deploy.step import Step
from radhard.errors import InputError
from radhard.kernels.library import no_events
from radhard.kernels.octets import every_octet
from radhard.kernels.ranges import instead_of
from radhard.machine import Machine, Operator, Site, read_cost
from radhard.operators import Affine, Quantized
from radhard.protection.abft.stages import Requantized
from radhard.protection.forms import Bounds


class Kernel(Step):
    """An operator's own fused kernel."""

    def compute(self, *inputs: Tensor | None) -> Tensor:
        """-> the operator's output."""
        return self.operator.kernel(inputs, _ignore)


class Table(Step):
    """An operator whose output word depends on one input word alone: looked up."""

    table: Tensor

    def __init__(self, operator: Quantized, numbers: Sequence[Tensor | None], *, site: Site) -> None:
        super().__init__(operator, site)
        self.register_buffer("table", operator.kernel([_words(operator), *numbers], _ignore))

    def compute(self, *given: Tensor | None) -> Tensor:
        """[...] of 8 bits -> [...]."""
        out: Tensor = torch.ops.radhard.look_up.default(given[0], self.table)
        return out


class Int8Wrapped(Step):
    """A float operator between words of 8 bits: what it reads is looked up, what it yields is quantised."""

    operator: Quantized

    def __init__(self, operator: Quantized, *, site: Site) -> None:
        super().__init__(operator, site)
        self.tables = [None if affine is None else f"table{place}" for place, affine in enumerate(operator.reads)]
        for name, affine in zip(self.tables, operator.reads, strict=True):
            if name is not None and affine is not None:
                self.register_buffer(name, affine.table)

    def compute(self, *inputs: Tensor | None) -> Tensor:
        """-> the operator's output."""
        read = [
            x if x is None or name is None else torch.ops.radhard.look_up.default(x, getattr(self, name))
            for x, name in zip(inputs, self.tables, strict=True)
        ]
        return self.finished(self.operator.inner.kernel(read, _ignore))

    def finished(self, x: Tensor) -> Tensor:
        """What the inner operator yields, as words; as it is where none are written."""
        writes = self.operator.writes
        if writes is None:
            return x
        grid = writes.grid
        out: Tensor = torch.ops.radhard.quantize.default(x, 1.0 / writes.scale, list(grid.limits), grid.dtype)
        return out


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


class TableWithin(Table):
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
        flagged = ~((values >= bounds.low) & (values <= bounds.high))
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
    factor, limits = 1.0 / writes.scale, list(grid.limits)
    out: Tensor = torch.ops.radhard.quantize_within.default(x, factor, limits, *how, grid.dtype)
    return out


def _ranged_on(
    machine: Machine, step: Int8Wrapped | Table, given: Sequence[Tensor | None], bounds: Bounds, events: Tensor
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


class Moving(nn.Module):
    """A function that moves or compares data."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *arguments: Any, **options: Any) -> Any:
        """-> what the function gives."""
        return self.function(*arguments, **options)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As any module; refused for a function that pickle does not find by its name."""
        try:
            pickle.dumps(self.function)
        except (pickle.PicklingError, AttributeError, TypeError, RuntimeError) as error:
            raise InputError(
                f"{self.function} moves data in this hardened module, and cannot be pickled: {error}; register a "
                "function of a module's top level, or save the model with `radhard harden` and load the .pt2"
            ) from error
        return super().__reduce_ex__(protocol)


class Making(Moving):
    """A function that makes tensors from sizes: on the device that the module is on, whichever it names."""

    here: Tensor

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self.register_buffer("here", torch.empty(0, device="cpu"), persistent=False)

    def forward(self, *arguments: Any, **options: Any) -> Any:
        """-> what the function gives."""
        device = self.here.device
        arguments, options = tree_map(
            lambda leaf: device if isinstance(leaf, torch.device) else leaf, (arguments, options)
        )
        return self.function(*arguments, **options)


def _words(operator: Quantized) -> Tensor:
    """The 256 words that the operator's first input may be."""
    reads = operator.reads[0]
    assert reads is not None
    return every_octet(reads.grid.dtype)


def _ignore(mask: Tensor) -> None:
    """Values that are not finite are not noted: they become words as a machine makes them."""


def _longest_run(whether: Sequence[bool]) -> list[int]:
    """The first and the last place, less 128, of the longest run of the 256 words for which `whether` is true."""
    best, start = (255, 0), 0  # none
    for place, true in enumerate(whether):
        start = start if true else place + 1
        best = max(best, (start, place), key=lambda run: run[1] - run[0])
    return [best[0] - 128, best[1] - 128]
