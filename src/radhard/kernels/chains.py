"""Memory addresses of the running sums of an integer matrix product: inputs read and output written."""

from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.kernels.write import WriteBack

Four = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Window:
    """A filter of `size` that reads an image of `image` (height, width): its place by `step`, its words by `dilation`.

    What it reads outside, above and left of it by `before`, is `pad`.
    """

    size: tuple[int, int]
    image: tuple[int, int]
    step: tuple[int, int]
    dilation: tuple[int, int]
    before: tuple[int, int]
    pad: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Chains:
    """The chains of k products of the outputs of `grid`, five axes, in canonical order.

    Output (i0, i1, i2, i3, i4) reads words t = 0 ... k - 1 of `a` (int8 or uint8) from offset i0 a0 + i1 a1 + i2 a2 +
    i3 a3, `a_step` apart, and of `b` (int8) from i0 b0 + i1 b1 + i4 b4, `b_step` apart. It is written to `out` at the
    sum of its indices times `to`. With a `window`, i2 and i3 are its place, a2 and a3 the strides of rows and columns
    of the image, `a_step` that of channels, and t counts channels, rows, columns of the filter.

    Its `bias` int32 and its multiplier are those of the column i0 c0 + i1 c1 + i4 c4. Accumulators are written `back`;
    without a write-back they stay int32.
    """

    grid: tuple[int, int, int, int, int]
    k: int
    a: Tensor
    of_a: Four
    a_step: int
    b: Tensor
    of_b: tuple[int, int, int]
    b_step: int
    out: Tensor
    to: tuple[int, int, int, int, int]
    column: tuple[int, int, int] = (0, 0, 1)
    bias: Tensor | None = None
    back: WriteBack | None = None
    window: Window | None = None


def chains_of_rows(
    left: Tensor,
    right: Tensor,
    out: Tensor,
    *,
    bias: Tensor | None = None,
    back: WriteBack | None = None,
) -> Chains:
    """Rows left [..., m, k] by rows right [..., n, k] of the same groups -> `out` of as many words, [..., m, n]."""
    left, right = _two_groups(left), _two_groups(right)
    (g, h, m, k), n = left.shape, right.shape[2]
    to = out.view(g, h, m, n).stride()
    return Chains(
        grid=(g, h, m, 1, n),
        k=k,
        a=left,
        of_a=(left.stride(0), left.stride(1), left.stride(2), 0),
        a_step=left.stride(3),
        b=right,
        of_b=(right.stride(0), right.stride(1), right.stride(2)),
        b_step=right.stride(3),
        out=out,
        to=(to[0], to[1], to[2], 0, to[3]),
        bias=bias,
        back=back,
    )


def chains_of_pairs(left: Tensor, right: Tensor, out: Tensor, *, bias: Tensor | None, k: int) -> Chains:
    """Row u of left [u, >= k] by row u of right [u, >= k] -> out [u] int32, of any stride; bias [u]."""
    return Chains(
        grid=(len(left), 1, 1, 1, 1),
        k=k,
        a=left,
        of_a=(left.stride(0), 0, 0, 0),
        a_step=left.stride(1),
        b=right,
        of_b=(right.stride(0), 0, 0),
        b_step=right.stride(1),
        out=out,
        to=(out.stride(0), 0, 0, 0, 0),
        column=(1, 0, 0),
        bias=bias,
    )


def _two_groups(x: Tensor) -> Tensor:
    """[..., r, k] -> [g, h, r, k]: a view where there are no more than two axes of groups."""
    while x.ndim < 4:
        x = x[None]
    return x if x.ndim == 4 else x.reshape(-1, *x.shape[-3:])


def served(chains: Chains) -> bool:
    """Whether the keys of flips hold its numbers, and its words are of the types that kernels read."""
    units = 1
    for size in chains.grid:
        units *= size
    typed = chains.a.dtype in (torch.int8, torch.uint8) and chains.b.dtype == torch.int8
    return typed and chains.k < 1 << 20 and units < (1 << 36) - 1
