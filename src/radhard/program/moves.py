"""The ATen operations that move or compare data: no word is multiplied or added, nothing is exposed."""

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def _reshape(x: Tensor, shape: list[int]) -> Tensor:
    return x.reshape(shape)


def _nothing(*_: Any, **__: Any) -> None:
    """A check of the exporter that carries no data."""


def _pad(x: Tensor, pad: list[int], mode: str = "constant", value: float | None = None) -> Tensor:
    return functional.pad(x, pad, mode, value)


_ATEN = torch.ops.aten

# copies, and dropout at rest: the program never writes in place, so the tensor itself will do
ALIASES = frozenset(
    {
        _ATEN.clone.default,
        _ATEN.contiguous.default,
        _ATEN.alias.default,
        _ATEN.detach.default,
        _ATEN.lift_fresh_copy.default,
        _ATEN.dropout.default,
    }
)

MOVES: dict[Any, Callable[..., Any]] = {
    _ATEN.view.default: _reshape,
    _ATEN._unsafe_view.default: _reshape,
    _ATEN.reshape.default: _reshape,
    _ATEN._assert_tensor_metadata.default: _nothing,
    _ATEN.pad.default: _pad,
    torch.sym_sum: torch.sym_sum,
    **{
        op: op
        for op in (
            _ATEN.flatten.using_ints,
            _ATEN.unflatten.int,
            _ATEN.permute.default,
            _ATEN.transpose.int,
            _ATEN.t.default,
            _ATEN.cat.default,
            _ATEN.stack.default,
            _ATEN.split.Tensor,
            _ATEN.split_with_sizes.default,
            _ATEN.chunk.default,
            _ATEN.unbind.int,
            _ATEN.slice.Tensor,
            _ATEN.select.int,
            _ATEN.index.Tensor,
            _ATEN.expand.default,
            _ATEN.squeeze.default,
            _ATEN.squeeze.dim,
            _ATEN.squeeze.dims,
            _ATEN.unsqueeze.default,
            _ATEN.roll.default,
            _ATEN.repeat.default,
            _ATEN.constant_pad_nd.default,
            _ATEN.relu.default,
            _ATEN.max_pool2d.default,
            _ATEN.sym_size.int,
            operator.getitem,
            operator.add,
            operator.sub,
            operator.mul,
            operator.floordiv,
        )
    },
}


def register_move(op: Any, function: Callable[..., Any] | None = None) -> None:
    """Declare that the ATen operation `op` only moves or compares data; `function` computes it (default: itself)."""
    if op in MOVES:
        raise ValueError(f"{op} is registered as a move already")
    MOVES[op] = function or op
