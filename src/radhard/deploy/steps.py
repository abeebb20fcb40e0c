"""Steps of a deployed model that are no integer matrix products: kernels, tables, and what moves data.

A step that checks has a buffer `events` [7] int64, to which each call adds (see `radhard.kernels.library`).
"""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from radhard.deploy.fixed import Fixed
from radhard.errors import InputError
from radhard.kernels.library import no_events
from radhard.kernels.octets import every_octet
from radhard.kernels.ranges import instead_of
from radhard.machine import Operator
from radhard.operators import Affine, Quantized
from radhard.protection.forms import Bounds


class Kernel(nn.Module):
    """An operator's own fused kernel."""

    def __init__(self, operator: Operator) -> None:
        super().__init__()
        self.operator = operator

    def forward(self, *inputs: Tensor | None) -> Tensor:
        """-> the operator's output."""
        return self.operator.kernel(inputs, _ignore)


class Table(Fixed):
    """An operator whose output word depends on one input word alone: looked up."""

    table: Tensor

    def __init__(self, operator: Quantized, numbers: Sequence[Tensor | None]) -> None:
        super().__init__()
        self.register_buffer("table", operator.kernel([_words(operator), *numbers], _ignore))

    def forward(self, x: Tensor, *_: Tensor | None) -> Tensor:
        """`x` [...] of 8 bits -> [...]."""
        out: Tensor = torch.ops.radhard.look_up.default(x, self.table)
        return out


class TableWithin(Fixed):
    """A table of an operator's values after a range: entries outside are replaced in it, and their uses counted.

    What is read is compared with the least and the greatest entry as they were made, for a table may change in memory.
    """

    table: Tensor
    flagged: Tensor
    events: Tensor

    def __init__(self, operator: Quantized, numbers: Sequence[Tensor | None], ranges: Bounds) -> None:
        super().__init__()
        values = replace(operator, writes=None).kernel([_words(operator), *numbers], _ignore)
        finish = Within(ranges) if operator.writes is None else QuantizeWithin(operator.writes, ranges)
        table, flagged = finish(values), ~((values >= ranges.low) & (values <= ranges.high))
        instead = finish(
            torch.tensor(instead_of(ranges.low, ranges.high, ranges.outside), dtype=torch.float32, device="cpu")
        )
        self.register_buffer("table", table)
        self.register_buffer("flagged", flagged)
        self.register_buffer("events", no_events())
        self.clear = _longest_run(flagged.logical_not().tolist())
        self.bounds = [float(bound) for bound in table.aminmax()]
        self.instead = [float(value) for value in instead]

    def forward(self, x: Tensor, *_: Tensor | None) -> Tensor:
        """`x` [...] of 8 bits -> [...]."""
        out: Tensor = torch.ops.radhard.look_up_within.default(
            x, self.table, self.flagged, self.clear, self.bounds, self.instead, self.events
        )
        return out


class Between(Fixed):
    """A float operator between words of 8 bits: what it reads is looked up, what it yields is given to `finish`."""

    def __init__(self, operator: Quantized, finish: nn.Module) -> None:
        super().__init__()
        self.inner = operator.inner
        self.tables = [None if affine is None else f"table{place}" for place, affine in enumerate(operator.reads)]
        for name, affine in zip(self.tables, operator.reads, strict=True):
            if name is not None and affine is not None:
                self.register_buffer(name, affine.table)
        self.finish = finish

    def forward(self, *inputs: Tensor | None) -> Tensor:
        """-> what `finish` makes of the operator's output."""
        read = [
            x if x is None or name is None else torch.ops.radhard.look_up.default(x, getattr(self, name))
            for x, name in zip(inputs, self.tables, strict=True)
        ]
        out: Tensor = self.finish(self.inner.kernel(read, _ignore))
        return out


class Quantize(Fixed):
    """Numbers to the words that stand for them."""

    def __init__(self, writes: Affine) -> None:
        super().__init__()
        self.factor = 1.0 / writes.scale
        self.grid = list(writes.grid.limits)
        self.dtype = writes.grid.dtype

    def forward(self, x: Tensor) -> Tensor:
        """`x` [...] float32 -> [...] words."""
        out: Tensor = torch.ops.radhard.quantize.default(x, self.factor, self.grid, self.dtype)
        return out


class QuantizeWithin(Quantize):
    """As `Quantize`, of numbers that are brought into a range on the way."""

    events: Tensor

    def __init__(self, writes: Affine, ranges: Bounds) -> None:
        super().__init__(writes)
        self.ranges = ranges
        self.register_buffer("events", no_events())

    def forward(self, x: Tensor) -> Tensor:
        """`x` [...] float32 -> [...] words."""
        ranges = self.ranges
        out: Tensor = torch.ops.radhard.quantize_within.default(
            x, self.factor, self.grid, ranges.low, ranges.high, ranges.outside, self.events, self.dtype
        )
        return out


class Within(Fixed):
    """Numbers, or accumulators, brought into a range."""

    events: Tensor

    def __init__(self, ranges: Bounds) -> None:
        super().__init__()
        self.ranges = ranges
        self.register_buffer("events", no_events())

    def forward(self, x: Tensor) -> Tensor:
        """`x` [...] -> [...]."""
        ranges = self.ranges
        out: Tensor = torch.ops.radhard.within.default(x, ranges.low, ranges.high, ranges.outside, self.events)
        return out


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
