"""Average pooling; maximum pooling compares, and is a move."""

from collections.abc import Sequence

import torch
from torch.fx import Node

from radhard import operators
from radhard.errors import CaptureError
from radhard.program.lowering.products import pair
from radhard.program.lowering.registry import Lowered, register

_ATEN = torch.ops.aten


@register(_ATEN.adaptive_avg_pool2d.default, _ATEN._adaptive_avg_pool2d.default)
def _adaptive(x: Node, size: Sequence[int]) -> Lowered:
    have = tuple(x.meta["val"].shape[-2:])
    wanted = pair(size)
    if wanted == (1, 1):
        return Lowered(operator=operators.Mean(dims=(2, 3)), inputs=(x,))
    window = (have[0] // wanted[0], have[1] // wanted[1])
    return Lowered(operator=operators.AvgPool2d(size=window, stride=window), inputs=(x,))


@register(_ATEN.avg_pool2d.default)
def _avg_pool2d(
    x: Node,
    size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil_mode: object = False,
    count_include_pad: object = True,
    divisor: int | None = None,
) -> Lowered:
    if divisor is not None:
        raise CaptureError(f"average pooling with a divisor of {divisor}: write the product out in the model")
    window, step, (above, left) = pair(size), pair(stride or size), pair(padding)
    have = [h + 2 * p for h, p in zip(x.meta["val"].shape[-2:], (above, left), strict=True)]
    beyond = tuple(
        _beyond(h, w, s, p) if ceil_mode else 0 for h, w, s, p in zip(have, window, step, (above, left), strict=True)
    )
    operator = operators.AvgPool2d(
        size=window,
        stride=step,
        padding=(above, left, above, left),
        beyond=(beyond[0], beyond[1]),
        counted="all" if count_include_pad else "inside",
    )
    return Lowered(operator=operator, inputs=(x,))


def _beyond(have: int, window: int, step: int, padding: int) -> int:
    """How far the last window of torch's ceil_mode reaches beyond the padded size `have`; it starts inside of it."""
    windows = -(-(have - window) // step) + 1
    if (windows - 1) * step >= have - padding:
        windows -= 1
    return max(0, (windows - 1) * step + window - have)
