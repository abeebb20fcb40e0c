"""Recovery of block-wise ABFT on a GPU: faulty rows and columns of flagged blocks, and their correction.

As `radhard.protection.abft.recovery` without a check of the repair: a block with one row and one column that are off by
the same has one faulty word. Of others nothing is done, or the words where such rows and columns meet are computed
again. Sums of rows and columns are of 64 bits, since what they are off by is what the word is off by.
"""

from typing import Literal

import torch
import triton
import triton.language as tl
from torch import Tensor

from radhard.kernels.cuda.abft import Factors, Flagged, Found, Sums, span
from radhard.kernels.cuda.launch import on
from radhard.kernels.on_device import interpreted

Several = Literal["leave", "intersect"]
OUTCOMES = ("false_alarms", "inconsistent", "uncorrected", "repaired", "recomputed")
"""What became of blocks: nothing was off in them; only in rows, or only in columns; the rest as their names say."""

_PROGRAMS = 1056  # that share a list: 8 for each multiprocessor of an H100
_PAIR = 16  # rows or columns whose sums a program makes at a time


def recover(factors: Factors, found: Found, flagged: Flagged, *, several: Several, words: int) -> tuple[Tensor, Tensor]:
    """Put the last of `found.sums` right in place -> how many blocks had each of `OUTCOMES` [5] int32, and [1] int32.

    The latter is how many words were to be put right: no more than the first `words` of them were.
    """
    total, device = found.sums[-1], found.sums.device
    rows = _off(factors, found, flagged, side="rows")
    columns = _off(factors, found, flagged, side="columns")
    outcomes = torch.zeros(len(OUTCOMES), dtype=torch.int32, device=device)
    places = torch.empty(words, dtype=torch.int64, device=device)
    lost = torch.empty(words, dtype=torch.int32, device=device)
    count = torch.zeros(1, dtype=torch.int32, device=device)
    (g, m, k), (h, n, _), (slabs, i, j) = factors.a.shape, factors.b.shape, factors.counts
    high, deep, wide = factors.block
    programs = 2 if interpreted() else _PROGRAMS
    with on(total):
        _decide[(programs,)](
            found.sums,
            factors.a,
            factors.b,
            factors.a if factors.bias is None else factors.bias,
            rows,
            columns,
            flagged.places,
            flagged.count,
            outcomes,
            places,
            lost,
            count,
            words,
            g,
            m,
            n,
            k,
            h,
            slabs,
            i,
            j,
            high,
            deep,
            wide,
            BIASED=factors.bias is not None,
            AGAIN=several == "intersect",
            ROWS=_room(high, 256),
            COLUMNS=_room(wide, 512),
            T=span(deep),
        )
        _put[(programs,)](total, places, lost, count, words, WIDE=256)
    return outcomes, count


def _room(size: int, least: int) -> int:
    """Of few different numbers, each of which is a compilation."""
    return int(triton.next_power_of_2(size if interpreted() else max(size, least)))


def _off(factors: Factors, found: Found, flagged: Flagged, *, side: Literal["rows", "columns"]) -> Tensor:
    """What the sums of the rows, or the columns, of flagged blocks are off by: [room, size] int64."""
    (g, m, k), (h, n, _), (slabs, i, j) = factors.a.shape, factors.b.shape, factors.counts
    high, deep, wide = factors.block
    of_rows = side == "rows"
    factor, sums = (factors.a, found.right) if of_rows else (factors.b, found.left)
    across = wide if of_rows else high
    bias = _bias(factors, found.right, of_rows=of_rows)
    off = torch.empty(len(flagged.places), high if of_rows else wide, dtype=torch.int64, device=found.sums.device)
    with on(off):
        _residual[(2 if interpreted() else _PROGRAMS,)](
            found.sums,
            factor,
            sums.blocks,
            bias,
            off,
            flagged.places,
            flagged.count,
            g,
            m,
            n,
            k,
            h,
            slabs,
            i,
            j,
            high,
            deep,
            wide,
            OF_ROWS=of_rows,
            BIASED=factors.bias is not None,
            E=_PAIR,
            S=span(across),
            T=span(deep),
        )
    return off


def _bias(factors: Factors, right: Sums, *, of_rows: bool) -> Tensor:
    """What a sum of a row has of the bias, [h, j] int64, or of a column for each of its rows, [h, n] int32."""
    bias = right.bias if of_rows else factors.bias
    return factors.a if bias is None else bias


@triton.jit(  # type: ignore[untyped-decorator]
    do_not_specialize=["g", "m", "n", "k", "h", "slabs", "i", "j", "high", "deep", "wide"]
)
def _residual(  # type: ignore[no-untyped-def]
    sums, factor, others, bias, off, places, count, g, m, n, k, h, slabs, i, j, high, deep, wide,
    OF_ROWS: tl.constexpr, BIASED: tl.constexpr, E: tl.constexpr, S: tl.constexpr, T: tl.constexpr,
):  # fmt: skip
    """Programs take parts of E rows or columns of flagged blocks in turns."""
    size = wide
    if OF_ROWS:
        size = high
    parts = tl.cdiv(size, E)
    plane = g.to(tl.int64) * m * n
    for item in range(tl.program_id(0), tl.load(count) * parts, tl.num_programs(0)):
        f = item // parts
        place = tl.load(places + f)
        c, r, q, x = place % j, place // j % i, place // (j * i) % slabs, place // (j * i * slabs)
        top, start, side = r * high, q * deep, c * wide
        height, end, width = tl.minimum(m - top, high), tl.minimum(start + deep, k), tl.minimum(n - side, wide)
        e = item % parts * E + tl.arange(0, E)
        values = sums + q * plane + (x * m + top) * n + side
        total = tl.zeros([E], tl.int64)
        if OF_ROWS:
            own, own_factor, other = e < height, x * m + top + e, x % h * j + c
            for first in range(0, width, S):
                s = first + tl.arange(0, S)
                here = own[:, None] & (s < width)[None, :]
                word = values + e[:, None] * n + s[None, :]
                now = tl.load(word, mask=here, other=0).to(tl.int64)
                total += tl.sum(now - tl.load(word - plane, mask=here & (q > 0), other=0), 1)
        else:
            own, own_factor, other = e < width, x % h * n + side + e, x * i + r
            for first in range(0, height, S):
                s = first + tl.arange(0, S)
                here = (s < height)[:, None] & own[None, :]
                word = values + s[:, None] * n + e[None, :]
                now = tl.load(word, mask=here, other=0).to(tl.int64)
                total += tl.sum(now - tl.load(word - plane, mask=here & (q > 0), other=0), 0)
        for first in range(start, end, T):
            t = first + tl.arange(0, T)
            word = tl.load(
                factor + own_factor[:, None] * k + t[None, :], mask=own[:, None] & (t < end)[None, :], other=0
            )
            one = tl.load(others + other * k + t, mask=t < end, other=0)
            total -= tl.sum((word.to(tl.int32) * one[None, :]).to(tl.int64), 1)
        if BIASED:
            if OF_ROWS:
                total -= tl.load(bias + other + e * 0, mask=own & (end == k), other=0)
            else:
                total -= height * tl.load(bias + own_factor, mask=own & (end == k), other=0).to(tl.int64)
        tl.store(off + f * size + e, tl.where(own, total, 0), mask=e < size)


@triton.jit(  # type: ignore[untyped-decorator]
    do_not_specialize=["words", "g", "m", "n", "k", "h", "slabs", "i", "j", "high", "deep", "wide"]
)
def _decide(  # type: ignore[no-untyped-def]
    sums, a, b, bias, rows, columns, flagged, flags, outcomes, places, lost, count, words,
    g, m, n, k, h, slabs, i, j, high, deep, wide,
    BIASED: tl.constexpr, AGAIN: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, T: tl.constexpr,
):  # fmt: skip
    """Programs take flagged blocks in turns, and list the words that are to be put right, with what they are off by."""
    row, col, steps = tl.arange(0, ROWS), tl.arange(0, COLUMNS), tl.arange(0, T)
    plane = g.to(tl.int64) * m * n
    for f in range(tl.program_id(0), tl.load(flags), tl.num_programs(0)):
        off = tl.load(rows + f * high + row, mask=row < high, other=0)
        off_columns = tl.load(columns + f * wide + col, mask=col < wide, other=0)
        wrong, wrong_columns = (off != 0).to(tl.int32), (off_columns != 0).to(tl.int32)
        down, across = tl.sum(wrong, 0), tl.sum(wrong_columns, 0)
        delta = tl.sum(off, 0)  # of one row alone it is what this is off by
        one = (down == 1) & (across == 1) & (delta == tl.sum(off_columns, 0))
        both = (down > 0) & (across > 0)
        outcome = tl.where(down + across == 0, 0, tl.where(~both, 1, tl.where(one, 3, tl.where(AGAIN, 4, 2))))
        tl.atomic_add(outcomes + outcome, 1)

        place = tl.load(flagged + f)
        c, r, q, x = place % j, place // j % i, place // (j * i) % slabs, place // (j * i * slabs)
        top, left, start = x * m + r * high, c * wide, q * deep
        if one:
            alone = tl.atomic_add(count, 1)
            first_of = (top + tl.max(tl.where(wrong != 0, row, 0), 0)) * n + left
            tl.store(places + alone, first_of + tl.max(tl.where(wrong_columns != 0, col, 0), 0), mask=alone < words)
            tl.store(lost + alone, delta.to(tl.int32), mask=alone < words)
        elif AGAIN and both:
            end = tl.minimum(start + deep, k)
            rank, rank_columns = tl.cumsum(wrong, 0) - 1, tl.cumsum(wrong_columns, 0) - 1
            for pair in range(down * across):
                y = top + tl.max(tl.where((wrong != 0) & (rank == pair // across), row, 0), 0)
                z = left + tl.max(tl.where((wrong_columns != 0) & (rank_columns == pair % across), col, 0), 0)
                again = tl.zeros([T], tl.int32)
                for first in range(start, end, T):
                    t = first + steps
                    left_word = tl.load(a + y * k + t, mask=t < end, other=0).to(tl.int32)
                    again += left_word * tl.load(b + (x % h * n + z) * k + t, mask=t < end, other=0).to(tl.int32)
                right = tl.sum(again.to(tl.int64), 0)
                if BIASED:
                    right += tl.load(bias + x % h * n + z, mask=end == k, other=0)
                word = sums + q * plane + y * n + z
                old = tl.load(word).to(tl.int64) - tl.load(word - plane, mask=q > 0, other=0)
                at = tl.atomic_add(count, 1)
                tl.store(places + at, y * n + z, mask=at < words)
                tl.store(lost + at, (old - right).to(tl.int32), mask=at < words)


@triton.jit(do_not_specialize=["words"])  # type: ignore[untyped-decorator]
def _put(total, places, lost, count, words, WIDE: tl.constexpr):  # type: ignore[no-untyped-def]
    """Words of the output less what they are off by; a word that was hit in several slabs is put right by each."""
    number = tl.minimum(tl.load(count), words)
    for start in range(tl.program_id(0) * WIDE, number, tl.num_programs(0) * WIDE):
        at = start + tl.arange(0, WIDE)
        here = at < number
        tl.atomic_add(
            total + tl.load(places + at, mask=here, other=0), -tl.load(lost + at, mask=here, other=0), mask=here
        )
