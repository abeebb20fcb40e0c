"""Exact products of 8-bit matrices on the CPU by tiles, written back while their sums are in the processor's cache."""

from functools import cache
from types import ModuleType

import torch
from torch import Tensor

from radhard.kernels.octets import OCTETS
from radhard.kernels.threads import split
from radhard.kernels.write import WriteBack

KINDS = {**dict.fromkeys(OCTETS, 0), torch.float32: 1, torch.int32: 2}
"""The number by which loops are told what they write."""
PRODUCTS_AN_ELEMENT = 16  # that take about as long as an element of other work


@cache
def tiles() -> ModuleType | None:
    """The compiled loops, or None without numba or on a processor that lacks their instruction."""
    try:
        from radhard.kernels import tile
    except ImportError:
        return None
    if not tile.available():
        return None
    from radhard.kernels import packed

    return packed


def tiled(a: Tensor, b: Tensor, *, bias: Tensor, back: WriteBack) -> Tensor:
    """`a` [g, m, k] int8 or uint8, b [g, n, k] int8 of any strides, bias [n] int32 -> [g, m, n] as `back` writes.

    Raises RuntimeError where `tiles` are not to be had.
    """
    loops = tiles()
    if loops is None:
        raise RuntimeError("tiles: no numba, or a processor without AVX2")
    (g, m, k), n = a.shape, b.shape[1]
    panels, pairs = -(-m // loops.ROWS), (k + 1) // 2
    left = torch.empty(g * panels, pairs, loops.ROWS, 2, dtype=torch.int16, device=a.device)
    out = torch.empty(g, m, n, dtype=back.dtype, device=a.device)
    if not out.numel() or not k:
        return out.zero_()
    pack = loops.pack_unsigned if a.dtype == torch.uint8 else loops.pack_signed
    x, rows = a.data_ptr(), left.data_ptr()
    split(g * panels, loops.ROWS * k, lambda i, j: pack(x, reach(a), m, k, *a.stride(), rows, i, j))
    y, multiplier, blocks = b.data_ptr(), back.of_columns(n), -(-n // loops.WIDTH)
    more, scale, target, kind, limits = (
        bias.data_ptr(),
        multiplier.data_ptr(),
        out.data_ptr(),
        KINDS[back.dtype],
        back.grid.limits,
    )
    split(
        g * blocks,
        m * min(n, loops.WIDTH) * k // PRODUCTS_AN_ELEMENT,
        lambda i, j: loops.product(rows, m, y, reach(b), n, k, *b.stride(), more, scale, *limits, target, kind, i, j),
    )
    return out


def reach(x: Tensor) -> int:
    """Words from the first of a view to its last."""
    return 1 + sum((size - 1) * stride for size, stride in zip(x.shape, x.stride(), strict=True))
