"""ATen operations that only move or compare data: they multiply and add nothing, so nothing is exposed.

A quantised value is words of 8 bits with a scale. `MOVES` says of each operation which of them it may be given:

* "any": it moves or selects words whatever they stand for;
* "zero": it also makes zeros or compares with 0, which is the word 0 only where the zero point is 0;
* "plain": it compares or changes numbers, so it is given float32.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from radhard.kernels.octets import OCTETS
from radhard.operators.aten import claim, claim_ours, pair

MovedWords = Literal["any", "zero", "plain"]


@dataclass(frozen=True, kw_only=True)
class MoveRule:
    """`function` computes the operation, on the words that `words` allows."""

    function: Callable[..., Any]
    words: MovedWords


def _reshape(x: Tensor, shape: list[int]) -> Tensor:
    return x.reshape(shape)


def _nothing(*_: Any, **__: Any) -> None:
    """A check of the exporter that carries no data."""


def _pad(x: Tensor, pad: list[int], mode: str = "constant", value: float | None = None) -> Tensor:
    if mode != "constant" and not x.is_floating_point():  # which a GPU pads in these ways alone
        return functional.pad(x.to(torch.float32), pad, mode).to(x.dtype)
    return functional.pad(x, pad, mode, value)


@dataclass(frozen=True)
class _Around:
    """A function around an ATen operation. It is pickled by the operation's name: torch pickles no operation."""

    op: Any

    def __reduce__(self) -> tuple[Any, ...]:
        return _around, (type(self), *str(self.op.name()).split("::")[1].partition(".")[::2])


class _InFloats(_Around):
    """The operation, which torch computes of floats only: they hold words of 8 bits exactly."""

    def __call__(self, x: Tensor, *rest: Any, **options: Any) -> Any:
        if x.dtype in OCTETS and x.is_cpu and self.op == _ATEN.max_pool2d.default:
            found = _max_pool(x, *rest, **options)
            if found is not None:
                return found
        return self.op(x.to(torch.float32), *rest, **options).to(x.dtype)


def _max_pool(
    x: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> Tensor | None:
    """Pooling of 8-bit words as comparisons of shifted images: first of rows, then of columns; None if it rounds up."""
    if ceil_mode:
        return None
    sizes = pair(kernel_size)
    steps, (top, left), apart = pair(stride) if stride else sizes, pair(padding), pair(dilation)
    x = functional.pad(x, (left, left, top, top), value=torch.iinfo(x.dtype).min)
    for axis, taps, step, distance in zip((-2, -1), sizes, steps, apart, strict=True):
        last = (x.shape[axis] - distance * (taps - 1) - 1) // step * step + 1
        parts = [x.narrow(axis, tap * distance, last) for tap in range(taps)]
        shifted = [part[..., ::step, :] if axis == -2 else part[..., ::step] for part in parts]
        x = reduce(torch.maximum, shifted[1:], shifted[0])
    return x.contiguous()


class _OfSizes(_Around):
    """The operation on a float32 tensor of the same sizes: the words of the one it is given may be int8."""

    def __call__(self, x: Tensor, *rest: Any, **options: Any) -> Any:
        return self.op(torch.empty(x.shape, device=x.device), *rest, **options)


def _around(kind: type[_Around], name: str, overload: str) -> _Around:
    return kind(getattr(getattr(torch.ops.aten, name), overload or "default"))


_ATEN = torch.ops.aten

# copies, and dropout at rest: the program never writes in place, so the tensor itself will do
ALIASES = frozenset(
    {
        _ATEN.clone.default,
        _ATEN.contiguous.default,
        _ATEN.alias.default,
        _ATEN.detach.default,
        _ATEN.lift_fresh_copy.default,
    }
)

DROPOUT = _ATEN.dropout.default  # an alias at rest, and refused elsewhere

_ANY = (
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
    _ATEN.narrow.default,
    _ATEN.index.Tensor,
    _ATEN._unsafe_index.Tensor,
    _ATEN.index_select.default,
    _ATEN.gather.default,
    _ATEN.expand.default,
    _ATEN.squeeze.default,
    _ATEN.squeeze.dim,
    _ATEN.squeeze.dims,
    _ATEN.unsqueeze.default,
    _ATEN.roll.default,
    _ATEN.flip.default,
    _ATEN.repeat.default,
    _ATEN.repeat_interleave.self_int,
    _ATEN.select_scatter.default,
    _ATEN.slice_scatter.default,
    _ATEN.copy.default,
    _ATEN.unfold.default,
    _ATEN.pixel_shuffle.default,
    _ATEN.pixel_unshuffle.default,
    _ATEN.channel_shuffle.default,
    operator.getitem,
    operator.add,
    operator.sub,
    operator.mul,
    operator.floordiv,
    operator.truediv,
    operator.mod,
    operator.neg,
    torch.sym_sum,
    torch.sym_max,
    torch.sym_min,
)
_PLAIN = (
    _ATEN.neg.default,
    _ATEN.abs.default,
    _ATEN.sign.default,
    _ATEN.floor.default,
    _ATEN.ceil.default,
    _ATEN.round.default,
    _ATEN.maximum.default,
    _ATEN.minimum.default,
    _ATEN.amax.default,
    _ATEN.amin.default,
    _ATEN.max.dim,
    _ATEN.min.dim,
    _ATEN.argmax.default,
    _ATEN.topk.default,
    _ATEN.sort.default,
    _ATEN.where.self,
    _ATEN.where.ScalarOther,
    _ATEN.where.ScalarSelf,
    _ATEN.masked_fill.Scalar,
    _ATEN.masked_fill.Tensor,
    _ATEN.sgn.default,
    _ATEN.trunc.default,
    _ATEN.copysign.Tensor,
    _ATEN.signbit.default,
    _ATEN.fmax.default,
    _ATEN.fmin.default,
    _ATEN.isnan.default,
    _ATEN.isinf.default,
    _ATEN.any.default,
    _ATEN.any.dim,
    _ATEN.any.dims,
    _ATEN.bucketize.Tensor,
    _ATEN.searchsorted.Tensor,
    _ATEN.logical_xor.default,
    _ATEN.bitwise_xor.Tensor,
    _ATEN.logical_not.default,
    _ATEN.logical_and.default,
    _ATEN.logical_or.default,
    _ATEN.bitwise_not.default,
    _ATEN.bitwise_and.Tensor,
    _ATEN.bitwise_or.Tensor,
    _ATEN.adaptive_max_pool2d.default,
    _ATEN.type_as.default,
    _ATEN._to_copy.default,
    _ATEN.to.dtype,
    _ATEN.to.dtype_layout,
    *(getattr(_ATEN, name).Scalar for name in ("eq", "ne", "gt", "ge", "lt", "le")),
    *(getattr(_ATEN, name).Tensor for name in ("eq", "ne", "gt", "ge", "lt", "le")),
)

# what takes from a tensor its sizes alone: what is computed from them is the same for all images
OF_SIZES = (
    _ATEN.sym_size.int,
    _ATEN.full_like.default,
    _ATEN.zeros_like.default,
    _ATEN.ones_like.default,
    _ATEN.new_zeros.default,
    _ATEN.new_ones.default,
    _ATEN.new_full.default,
    _ATEN.new_empty.default,
)

MOVES: dict[Any, MoveRule] = {
    **{op: MoveRule(function=_OfSizes(op), words="any") for op in OF_SIZES},
    **{op: MoveRule(function=op, words="any") for op in _ANY},
    **{op: MoveRule(function=op, words="plain") for op in _PLAIN},
    _ATEN.view.default: MoveRule(function=_reshape, words="any"),
    _ATEN._unsafe_view.default: MoveRule(function=_reshape, words="any"),
    _ATEN.reshape.default: MoveRule(function=_reshape, words="any"),
    _ATEN._assert_tensor_metadata.default: MoveRule(function=_nothing, words="any"),
    _ATEN.max_pool2d.default: MoveRule(function=_InFloats(_ATEN.max_pool2d.default), words="any"),
    _ATEN.upsample_nearest2d.vec: MoveRule(function=_InFloats(_ATEN.upsample_nearest2d.vec), words="any"),
    _ATEN.relu.default: MoveRule(function=_ATEN.relu.default, words="zero"),
    _ATEN.pad.default: MoveRule(function=_pad, words="zero"),
    _ATEN.constant_pad_nd.default: MoveRule(function=_ATEN.constant_pad_nd.default, words="zero"),
    _ATEN.im2col.default: MoveRule(function=_InFloats(_ATEN.im2col.default), words="zero"),
}
claim([*MOVES, *ALIASES], None)
claim_ours(*MOVES, *ALIASES)
WRAPPED: dict[str, type[_Around]] = {"in_floats": _InFloats, "of_sizes": _OfSizes}
"""What stands around an ATen operation, by the name that a program's file has for it."""
FUNCTIONS: dict[str, Callable[..., Any]] = {
    f"{rule.function.__module__}.{rule.function.__qualname__}": rule.function
    for rule in MOVES.values()
    if not isinstance(rule.function, _Around | torch._ops.OpOverload)
}
"""The other functions that moves call, by the names that a program's file has for them; none that users register."""
_PADDINGS = {_ATEN.pad.default: 3, _ATEN.constant_pad_nd.default: 2}  # where the padded value stands


def words_of(op: Any, arguments: tuple[Any, ...], /, **options: Any) -> MovedWords:
    """Which words the move `op` with these arguments may be given: a padding of anything but 0 wants floats."""
    value = None
    if op in _PADDINGS:
        value = options.get("value", next(iter(arguments[_PADDINGS[op] :]), None))
    return "plain" if value else MOVES[op].words


def register_move(op: Any, function: Callable[..., Any] | None = None, *, words: MovedWords = "plain") -> None:
    """Declare that the ATen operation `op` only moves or compares data; `function` computes it (default: itself).

    It is given float32, unless `words` says that words of 8 bits will do (see this module's text).
    """
    claim([op], None)
    MOVES[op] = MoveRule(function=function or op, words=words)
