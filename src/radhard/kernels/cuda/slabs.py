"""The product in slabs of its inner dimension: running sums are stored after each slab, for checks of its blocks."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from radhard.kernels.cuda.launch import on
from radhard.kernels.on_device import interpreted
from radhard.kernels.written import written

_WIDE = (128, 128)  # rows and columns of a tile
_NARROW = (16, 16)  # where kernels are interpreted


def running_sums(a: Tensor, b: Tensor, bias: Tensor | None, *, step: int) -> Tensor:
    """`a` [g, m, k] int8 or uint8, `b` [h, n, k] int8, bias [h, n] int32 -> [q, g, m, n] int32, which wrap.

    Products x of a with x % h of b, after every `step` terms and at the end, where the bias is added. All contiguous.
    """
    (g, m, k), (h, n, _), slabs = a.shape, b.shape, -(-a.shape[2] // step)
    if slabs == 1 and h == 1:
        return written(a.view(g * m, k), b[0], bias=None if bias is None else bias[0], back=None).view(1, g, m, n)
    if slabs == 1 and h == g and bias is None:
        return written(a, b, bias=None, back=None)[None]
    out = torch.empty(slabs, g, m, n, dtype=torch.int32, device=a.device)
    if h == 1:  # one product of all rows
        g, m = 1, g * m
    rows, columns = _NARROW if interpreted() else _WIDE
    depth = 32 if interpreted() or step <= 32 else 64
    with on(a):
        _slabs[(triton.cdiv(m, rows) * triton.cdiv(n, columns), g)](
            a.view(torch.int8),
            b,
            a if bias is None else bias,
            out,
            m,
            n,
            k,
            h,
            step,
            slabs,
            out.stride(0),
            UNSIGNED=a.dtype == torch.uint8,
            BIASED=bias is not None,
            M=rows,
            N=columns,
            K=depth,
            num_warps=8,
            num_stages=3,
        )
    return out


@triton.jit(do_not_specialize=["m", "h", "slabs"])  # type: ignore[untyped-decorator]
def _slabs(  # type: ignore[no-untyped-def]
    a,
    b,
    bias,
    out,
    m,
    n,
    k,
    h,
    step,
    slabs,
    plane,
    UNSIGNED: tl.constexpr,
    BIASED: tl.constexpr,
    M: tl.constexpr,
    N: tl.constexpr,
    K: tl.constexpr,
):
    across = tl.cdiv(n, N)
    g = tl.program_id(1).to(tl.int64)
    top, left = tl.program_id(0) // across * M, tl.program_id(0) % across * N
    a += (g * m + top) * k
    b += (g % h * n + left) * k
    bias += g % h * n + left
    out += (g * m + top) * n + left
    i, j, steps = tl.arange(0, M), tl.arange(0, N), tl.arange(0, K)
    inside = j < n - left
    # a row or column too many is the last one again
    x_at = tl.minimum(i, m - 1 - top)[:, None] * k + steps[None, :]
    y_at = tl.minimum(j, n - 1 - left)[None, :] * k + steps[:, None]
    at, here = i[:, None] * n + j[None, :], (i < m - top)[:, None] & inside[None, :]
    total = tl.zeros([M, N], tl.int32)
    shift = tl.zeros([N], tl.int32)
    for q in range(slabs):
        start = q * step
        end = tl.minimum(start + step, k)
        for t in range(start, end, K):
            own = steps < end - t
            x = tl.load(a + t + x_at, mask=own[None, :], other=0)
            y = tl.load(b + t + y_at, mask=own[:, None], other=0)  # where it is 0, x does not matter
            if UNSIGNED:  # a b = (a - 128) b + 128 sum(b)
                x = x ^ -128
                shift += 128 * tl.sum(y.to(tl.int32), 0)
            total = tl.dot(x, y, total, out_dtype=tl.int32)
        written = total + shift[None, :]
        if BIASED:
            written += tl.load(bias + j, mask=inside & (end == k), other=0)[None, :]
        tl.store(out + at, written, mask=here)
        out += plane
