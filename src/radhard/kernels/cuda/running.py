"""Running sums of float32 rows in the order t = 0, 1, 2 ..., with flips: one thread a row.

The flips of a step are columns `unit`, `at` [w] int64 and `mask` [w] int64, a row for each word that is hit, by unit,
then place. `at` is t for the product p_t, and t - 1 for the running sum s_t.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from radhard.kernels.cuda.launch import on

_THREADS = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class Masks:
    """What flips in the words of one step: columns `unit`, `at`, `mask` [w] int64, a row a word, in order."""

    unit: Tensor
    at: Tensor
    mask: Tensor

    def starts(self, units: int) -> Tensor:
        """Where the rows of units 0 ... `units` - 1 begin, and where they end: [units + 1]."""
        return torch.searchsorted(self.unit, torch.arange(units + 1, device=self.unit.device))


def running_sums(x: Tensor, sums: Masks, *, bits: int = 32) -> Tensor:
    """Rows x [u, n] float32, or int64 that wrap to `bits` -> sums [u], hit."""
    x = x.contiguous()
    out = torch.empty(len(x), dtype=x.dtype, device=x.device)
    _launch(x, None, None, sums, sums, out, bits)
    return out


def running_products(a: Tensor, b: Tensor, bias: Tensor | None, *, products: Masks, sums: Masks) -> Tensor:
    """Rows a and b [u, k] float32, bias [u] or None -> sums of their products [u], hit."""
    a, b = a.contiguous(), b.contiguous()
    out = torch.empty(len(a), dtype=torch.float32, device=a.device)
    _launch(a, b, None if bias is None else bias.contiguous(), products, sums, out, 32)
    return out


def _launch(
    a: Tensor, b: Tensor | None, bias: Tensor | None, products: Masks, sums: Masks, out: Tensor, bits: int
) -> None:
    units, k = a.shape
    if not units:
        return
    with on(out):
        _running[(triton.cdiv(units, _THREADS),)](
            a,
            b,
            bias,
            products.starts(units),
            products.at,
            products.mask,
            sums.starts(units),
            sums.at,
            sums.mask,
            out,
            units,
            k,
            bits,
            UNITS=_THREADS,
            num_warps=1,
            enable_fp_fusion=False,
        )


@triton.jit(do_not_specialize=["units", "k", "bits"])  # type: ignore[untyped-decorator]
def _running(  # type: ignore[no-untyped-def]
    a,
    b,
    bias,
    p_starts,
    p_at,
    p_mask,
    s_starts,
    s_at,
    s_mask,
    out,
    units,
    k,
    bits,
    UNITS: tl.constexpr,
):
    u = tl.program_id(0).to(tl.int64) * UNITS + tl.arange(0, UNITS)
    live = u < units
    p = tl.load(p_starts + u, mask=live, other=0)
    p_end = tl.load(p_starts + u + 1, mask=live, other=0)
    p_next = tl.load(p_at + p, mask=p < p_end, other=-2)
    s = tl.load(s_starts + u, mask=live, other=0)
    s_end = tl.load(s_starts + u + 1, mask=live, other=0)
    s_next = tl.load(s_at + s, mask=s < s_end, other=-2)
    spare = (64 - bits).to(tl.int64)
    total = tl.zeros([UNITS], out.dtype.element_ty)
    for t in range(k):
        word = tl.load(a + u * k + t, mask=live, other=0)
        if b is not None:
            word = word * tl.load(b + u * k + t, mask=live, other=0)
            hit = p_next == t
            word = _flipped(word, tl.load(p_mask + p, mask=hit, other=0), hit, spare)
            p = tl.where(hit, p + 1, p)
            p_next = tl.where(hit, tl.load(p_at + p, mask=hit & (p < p_end), other=-2), p_next)
        total = tl.where(t == 0, word, total + word)
        hit = s_next == t - 1
        total = _flipped(total, tl.load(s_mask + s, mask=hit, other=0), hit, spare)
        s = tl.where(hit, s + 1, s)
        s_next = tl.where(hit, tl.load(s_at + s, mask=hit & (s < s_end), other=-2), s_next)
    if bias is not None:
        total += tl.load(bias + u, mask=live, other=0)
        hit = s_next == k - 1
        total = _flipped(total, tl.load(s_mask + s, mask=hit, other=0), hit, spare)
    if out.dtype.element_ty == tl.int64:
        total = (total << spare) >> spare
    tl.store(out + u, total, mask=live)


@triton.jit
def _flipped(word, mask, hit, spare):  # type: ignore[no-untyped-def]
    """Words with the bits `mask` int64 flipped where `hit`; a NaN is 0x7FC00000 first, integers are sign-extended."""
    if word.dtype == tl.int64:
        wrapped = (word << spare) >> spare
        word = tl.where(hit, wrapped ^ ((mask << spare) >> spare), word)
    else:
        raw = tl.where(word != word, 0x7FC00000, word.to(tl.int32, bitcast=True))
        word = tl.where(hit, (raw ^ mask.to(tl.int32)).to(tl.float32, bitcast=True), word)
    return word
