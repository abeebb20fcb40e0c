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
from radhard.kernels.octets import every_octet
from radhard.machine import Site
from radhard.operators import Quantized


class Kernel(Step):
    """An operator's own fused kernel."""

    def compute(self, *inputs: Tensor | None) -> Tensor:
        """-> the operator's output."""
        return self.operator.kernel(inputs, _ignore)


class LookUpTable(Step):
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
        out: Tensor = torch.ops.radhard.quantize.default(x, writes.factor, list(grid.limits), grid.dtype)
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
