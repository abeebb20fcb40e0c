"""Steps of a deployed model that are no integer matrix products: kernels, tables, and what moves data."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from radhard.machine import Operator
from radhard.operators import Affine, Quantized


class Kernel(nn.Module):
    """An operator's own fused kernel."""

    def __init__(self, operator: Operator) -> None:
        super().__init__()
        self.operator = operator

    def forward(self, *inputs: Tensor | None) -> Tensor:
        """-> the operator's output."""
        return self.operator.kernel(inputs, _ignore)


class Table(nn.Module):
    """An operator whose output word depends on one input word alone: looked up."""

    table: Tensor

    def __init__(self, operator: Operator, numbers: Sequence[Tensor | None]) -> None:
        super().__init__()
        words = torch.arange(-128, 128, dtype=torch.int8)
        self.register_buffer("table", operator.kernel([words, *numbers], _ignore))

    def forward(self, x: Tensor, *_: Tensor | None) -> Tensor:
        """`x` [...] int8 -> [...]."""
        out: Tensor = torch.ops.radhard.look_up.default(x, self.table)
        return out


class Between(nn.Module):
    """A float operator between int8 words: what it reads is looked up, what it writes is quantised."""

    def __init__(self, operator: Quantized) -> None:
        super().__init__()
        self.inner = operator.inner
        self.tables = [None if affine is None else f"table{place}" for place, affine in enumerate(operator.reads)]
        for name, affine in zip(self.tables, operator.reads, strict=True):
            if name is not None and affine is not None:
                self.register_buffer(name, affine.table)
        self.quantize = None if operator.writes is None else Quantize(operator.writes)

    def forward(self, *inputs: Tensor | None) -> Tensor:
        """-> the operator's output."""
        read = [
            x if x is None or name is None else torch.ops.radhard.look_up.default(x, getattr(self, name))
            for x, name in zip(inputs, self.tables, strict=True)
        ]
        value = self.inner.kernel(read, _ignore)
        return value if self.quantize is None else self.quantize(value)


class Quantize(nn.Module):
    """Numbers to the int8 words that stand for them."""

    def __init__(self, writes: Affine) -> None:
        super().__init__()
        self.factor = 1.0 / writes.scale
        self.grid = list(writes.grid.limits)

    def forward(self, x: Tensor) -> Tensor:
        """`x` [...] float32 -> [...] int8."""
        out: Tensor = torch.ops.radhard.quantize.default(x, self.factor, self.grid)
        return out


class Moving(nn.Module):
    """A function that moves or compares data."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *arguments: Any, **options: Any) -> Any:
        """-> what the function gives."""
        return self.function(*arguments, **options)


def _ignore(mask: Tensor) -> None:
    """Values that are not finite are not noted: they become words as a machine makes them."""
