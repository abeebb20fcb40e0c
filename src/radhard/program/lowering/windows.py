"""Rewrites operations over windows that have no operator as exact sums and moves.

Each has the additions that it takes and no others, but for words that stand for zero where a window reaches beyond what
there is: these are added like any other, as in padded convolutions.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from radhard.errors import CaptureError

_ATEN = torch.ops.aten


def col2im(
    x: Tensor,
    size: Sequence[int],
    kernel: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Tensor:
    """torch's `fold`: columns [B, c p q, h' w'] -> [B, c, *size], columns that meet in a pixel summed.

    Pixels fall into stride x stride phases; the columns that meet in a phase are one sum, in the order of the window.
    """
    counts = [(size[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) // stride[d] + 1 for d in (0, 1)]
    maps = x.reshape(x.shape[0], -1, kernel[0], kernel[1], counts[0], counts[1])
    rows, columns = (_phases(size[d], kernel[d], dilation[d], padding[d], stride[d], counts[d]) for d in (0, 1))
    lengths = [-(-size[d] // stride[d]) for d in (0, 1)]
    lines = [
        torch.stack([_phase(maps, row, column, lengths=lengths) for column in columns], -1).flatten(-2) for row in rows
    ]
    whole = torch.stack(lines, -2).flatten(-3, -2)
    return whole[:, :, : size[0], : size[1]].contiguous()


Phase = list[tuple[int, int, int]]
"""For one phase of an axis, each place in the window that meets it: (place, zeros before its columns, after them)."""


def _phases(size: int, kernel: int, dilation: int, padding: int, stride: int, count: int) -> list[Phase]:
    """The phases of an axis, in the order of its first pixels; negative numbers of zeros are columns left out."""
    met: defaultdict[int, list[int]] = defaultdict(list)
    for place in range(kernel):
        met[(place * dilation) % stride].append(place)
    phases = []
    for first in range(stride):
        start = first + padding  # of the phase's first pixel, in the padded image
        length = -(-(size - first) // stride)
        before = [(place, (place * dilation - start) // stride) for place in met[start % stride]]
        phases.append([(place, shift, length - shift - count) for place, shift in before])
    return phases


def _phase(maps: Tensor, rows: Phase, columns: Phase, *, lengths: Sequence[int]) -> Tensor:
    """[B, c, *lengths] of one phase of the pixels: the sum of the columns that meet in it."""
    met = [
        functional.pad(maps[:, :, i, j], (left, right, above, below))
        for i, above, below in rows
        for j, left, right in columns
    ]
    if not met:  # a stride beyond the window leaves pixels that no column meets
        return maps.new_zeros(maps.shape[0], maps.shape[1], *lengths)
    out: Tensor = met[0] if len(met) == 1 else _ATEN.sum.dim_IntList(torch.stack(met, 2), [2])
    return functional.pad(out, (0, lengths[1] - out.shape[3], 0, lengths[0] - out.shape[2]))


def adaptive_avg_pool2d(x: Tensor, size: Sequence[int]) -> Tensor:
    """Adaptive average pooling to sizes that are no divisors: windows of several sizes, filled up with zeros.

    Those with divisors stay as they are, for the operator that does them whole.
    """
    have, wanted = x.shape[-2:], tuple(size)
    if all(h % w == 0 for h, w in zip(have, wanted, strict=True)):
        return NotImplemented  # type: ignore[no-any-return]
    shares = torch.ones(())
    for axis, h, w in ((-2, have[0], wanted[0]), (-1, have[1], wanted[1])):
        spans = [(place * h // w, -(-(place + 1) * h // w)) for place in range(w)]
        longest = max(end - start for start, end in spans)
        beside = [0, 0] if axis == -2 else []  # padding is said from the last axis on
        windows = [
            functional.pad(x.narrow(axis, start, end - start), [*beside, 0, longest - end + start])
            for start, end in spans
        ]
        x = torch.stack(windows, axis - 1)
        each = torch.stack([torch.full((), 1.0 / (end - start)) for start, end in spans])
        shares = shares * (each[:, None] if axis == -2 else each)
    out: Tensor = _ATEN.sum.dim_IntList(x, [-3, -1])
    return out * shares


def avg_pool3d(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0, 0),
    ceil_mode: Any = False,
    count_include_pad: Any = True,
    divisor_override: int | None = None,
) -> Tensor:
    """An average over the first axis of three, as in local response normalisation, is one over two, the second flat."""
    steps = list(stride) or list(kernel)
    flat = list(kernel[1:]) == steps[1:] == [1, 1] and list(padding[1:]) == [0, 0]
    if not flat or divisor_override is not None:
        raise CaptureError(f"average pooling over windows {list(kernel)}: of three axes, only the first may be pooled")
    pooled: Tensor = _ATEN.avg_pool2d.default(
        x.flatten(-2), [kernel[0], 1], [steps[0], 1], [padding[0], 0], ceil_mode, count_include_pad
    )
    out: Tensor = pooled.unflatten(-1, x.shape[-2:])
    return out
