"""Steps of a deployed model that are int8 matrix products: as they are, and with every row checked."""

from collections.abc import Sequence

import torch
from torch import Tensor

import radhard.kernels
from radhard.deploy.fixed import Fixed
from radhard.kernels.library import Recourse, no_events
from radhard.kernels.write import saturate
from radhard.machine import Gemm, WriteBack
from radhard.operators import Conv2d, Linear


class Product(Fixed):
    """`x` int8 or uint8 times a stored weight, as a linear layer or a convolution takes it; its operator writes back.

    The weight is a copy of its own: what changes in one's memory does not change in the other's.
    """

    weight: Tensor
    bias: Tensor
    multiplier: Tensor

    def __init__(self, operator: Linear | Conv2d, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        assert operator.write_back is not None
        n = len(weight)
        self.write_back = operator.write_back
        self.grid = list(operator.write_back.grid.limits)
        self.kind = operator.name
        self.groups = operator.groups if isinstance(operator, Conv2d) else 1
        self.geometry = _geometry(operator, weight) if isinstance(operator, Conv2d) else ()
        self.register_buffer("weight", weight.flatten(1).clone())
        self.register_buffer(
            "bias", torch.zeros(n, dtype=torch.int32, device=weight.device) if bias is None else bias.clone()
        )
        self.register_buffer("multiplier", operator.write_back.multiplier.expand(n).clone())

    def forward(self, x: Tensor) -> Tensor:
        """-> the operator's output."""
        return self._product(x, self.write_back.dtype)

    def accumulators(self, x: Tensor) -> Tensor:
        """-> int32 [..., n] or [b, n, h, w], the bias in them."""
        return self._product(x, torch.int32)

    def _product(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        op = torch.ops.radhard.linear if self.kind == "linear" else torch.ops.radhard.conv2d
        out: Tensor = op.default(x, self.weight, self.bias, self.multiplier, *self.geometry, self.grid, dtype)
        return out

    def write(self, total: Tensor) -> Tensor:
        """Accumulators -> the operator's output."""
        multiplier = self.multiplier if self.kind == "linear" else self.multiplier[:, None, None]
        return _write(total, multiplier, self.write_back)


class CheckedProduct(Product):
    """As `Product`, every row checked by sums of the weight that are made here, while it is trusted."""

    columns: Tensor
    rows: Tensor
    events: Tensor

    def __init__(self, operator: Linear | Conv2d, weight: Tensor, bias: Tensor | None, *, recourse: Recourse) -> None:
        super().__init__(operator, weight, bias)
        self.recourse = recourse
        parts = zip(self.weight.chunk(self.groups), self.bias.chunk(self.groups), strict=True)
        stored = [radhard.kernels.store(w, b) for w, b in parts]
        self.register_buffer("weight", torch.cat([one.weight for one in stored]))
        self.register_buffer("columns", torch.cat([one.columns for one in stored]))
        self.register_buffer("rows", torch.cat([one.rows for one in stored]))
        self.register_buffer("events", no_events())

    def forward(self, x: Tensor) -> Tensor:
        """-> the operator's output, repaired."""
        op = torch.ops.radhard.linear_checked if self.kind == "linear" else torch.ops.radhard.conv2d_checked
        out: Tensor = op.default(
            x,
            self.weight,
            self.bias,
            self.columns,
            self.rows,
            self.multiplier,
            *self.geometry,
            self.grid,
            self.write_back.dtype,
            self.recourse.policy,
            self.recourse.site,
            self.events,
        )
        return out

    def stored(self) -> list[radhard.kernels.Stored]:
        """What is stored of each group, as views of this step's memory."""
        parts = (x.chunk(self.groups) for x in (self.weight, self.bias, self.columns, self.rows))
        return [radhard.kernels.Stored(weight=w, bias=b, columns=c, rows=r) for w, b, c, r in zip(*parts, strict=True)]


class Attention(Fixed):
    """Products of activations: `a` [..., m, k] int8 or uint8 times `b` [..., k, n] int8."""

    multiplier: Tensor

    def __init__(self, operator: Gemm) -> None:
        super().__init__()
        assert operator.write_back is not None
        self.write_back = operator.write_back
        self.grid = list(operator.write_back.grid.limits)
        self.register_buffer("multiplier", operator.write_back.multiplier.clone())

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """-> [..., m, n]."""
        out: Tensor = torch.ops.radhard.matmul.default(a, b, self.multiplier, self.grid, self.write_back.dtype)
        return out

    def accumulators(self, a: Tensor, b: Tensor) -> Tensor:
        """-> int32 [..., m, n]."""
        out: Tensor = torch.ops.radhard.matmul.default(a, b, self.multiplier, self.grid, torch.int32)
        return out

    def write(self, total: Tensor) -> Tensor:
        """Accumulators -> the operator's output."""
        return _write(total, self.multiplier, self.write_back)


class CheckedAttention(Attention):
    """As `Attention`, every row checked by sums of `b` that are made as it runs."""

    events: Tensor

    def __init__(self, operator: Gemm, *, recourse: Recourse) -> None:
        super().__init__(operator)
        self.recourse = recourse
        self.register_buffer("events", no_events())

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """-> [..., m, n], repaired."""
        recourse, dtype = self.recourse, self.write_back.dtype
        out: Tensor = torch.ops.radhard.matmul_checked.default(
            a, b, self.multiplier, self.grid, dtype, recourse.policy, recourse.site, self.events
        )
        return out


def _geometry(operator: Conv2d, weight: Tensor) -> tuple[Sequence[int] | int, ...]:
    return (
        list(weight.shape[2:]),
        list(operator.stride),
        list(operator.padding),
        list(operator.dilation),
        operator.groups,
        operator.pad,
    )


def _write(total: Tensor, multiplier: Tensor, write_back: WriteBack) -> Tensor:
    value = total.to(torch.float32) * multiplier
    if write_back.dtype == torch.float32:
        return value
    return saturate(value, write_back.grid.limits, dtype=write_back.dtype)
