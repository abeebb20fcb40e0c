"""torch.ops.radhard.within, .quantize_within and .look_up_within: range checks fused with other passes.

A comparison has no pass of its own where another loop has the value in a register already: the loop that quantises it,
or looks it up. Values outside become 0 ("zero") or the nearer bound ("clamp"); NaN is outside too, and becomes 0, or
with "clamp" the value of the range that is nearest to 0.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from radhard.kernels.grid import grid_of
from radhard.kernels.library import note_repaired, operator, sound
from radhard.kernels.octets import as_signed
from radhard.kernels.threads import split
from radhard.kernels.write import look_up, on_host
from radhard.kernels.write import quantize as written

_LOOK_UPS = {
    torch.int8: "look_up_words_within",
    torch.uint8: "look_up_unsigned_within",
    torch.float32: "look_up_floats_within",
}


def instead_of(low: float, high: float, outside: str) -> tuple[float, float, float]:
    """What stands for a value below `low`, for one above `high`, and for NaN."""
    return (0.0, 0.0, 0.0) if outside == "zero" else (low, high, min(max(0.0, low), high))


def outside_of(x: Tensor, low: float, high: float) -> Tensor:
    """`x` [...] -> where it is not from `low` to `high`, such as where it is NaN: [...] bool."""
    return ~((x >= low) & (x <= high))


@operator()
def within(x: Tensor, low: float, high: float, outside: str, events: Tensor) -> Tensor:
    """`x` [...] -> values from low to high as they are, and others replaced [...]; adds to `events`."""
    host = on_host(x)
    if host is None or x.dtype != torch.float32 or not x.is_contiguous():
        return _brought(x, low, high, outside, events)
    out, size = torch.empty_like(x), x.numel()
    source, target = x.data_ptr(), out.data_ptr()
    if all(split(size, 1, lambda i, j: host.copy_in_range(source + 4 * i, low, high, target + 4 * i, j - i))):
        sound(events, checks=size)
        return out
    bounds = (low, high, *instead_of(low, high, outside))
    found = sum(split(size, 1, lambda i, j: host.into_range(source + 4 * i, *bounds, target + 4 * i, j - i)))
    note_repaired(events, checks=size, flagged=found)
    return out


def _like_words(x: Tensor, dtype: torch.dtype | None) -> Tensor:
    return x.new_empty(x.shape, dtype=dtype or torch.int8)


@operator(fake=_like_words)
def quantize_within(
    x: Tensor,
    factor: float,
    grid: Sequence[int],
    low: float,
    high: float,
    outside: str,
    events: Tensor,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """`x` [...] float32 -> what `within` leaves of it, times factor, as words on `grid` [...]; adds to `events`.

    Words are int8 unless `dtype` says uint8.
    """
    host, words = on_host(x), dtype or torch.int8
    if host is None:
        value = _brought(x, low, high, outside, events)
        return written(value, factor, grid_of(*grid, words)).contiguous()
    x, size = x.contiguous(), x.numel()
    out = torch.empty_like(x, dtype=words)
    source, target = x.data_ptr(), out.data_ptr()
    inside = split(size, 1, lambda i, j: host.from_range(source + 4 * i, low, high, factor, *grid, target + i, j - i))
    if all(inside):
        sound(events, checks=size)
        return out
    return written(within(x, low, high, outside, events), factor, grid_of(*grid, words))


def _like_entries(x: Tensor, table: Tensor) -> Tensor:
    return torch.empty_like(x, dtype=table.dtype)


@operator(fake=_like_entries)
def look_up_within(
    x: Tensor,
    table: Tensor,
    flagged: Tensor,
    clear: Sequence[int],
    bounds: Sequence[float],
    instead: Sequence[float],
    events: Tensor,
) -> Tensor:
    """`x` [...] int8 or uint8, table [256], flagged [256] bool -> the entry of each, lying in memory as x does.

    Entries that are `flagged` were outside a range when the table was made, and were replaced there: each use of one
    is counted in `events`. No word from clear[0] to clear[1], read as int8, uses one. What is read from the table,
    which may have changed since, must lie within `bounds`, its least and its greatest entry; `instead` stands for what
    does not, in the order of `instead_of`.
    """
    host, x = on_host(x), as_signed(x)
    if host is None or not x.is_contiguous() or table.dtype not in _LOOK_UPS:
        return _examined(x, look_up(x, table), flagged, bounds, instead, events)
    out, size, each = torch.empty_like(x, dtype=table.dtype), x.numel(), table.itemsize
    source, target, entries, how = x.data_ptr(), out.data_ptr(), table.data_ptr(), (*clear, *bounds)
    loop = getattr(host, _LOOK_UPS[table.dtype])
    non_finite = split(size, 1, lambda i, j: loop(source + i, entries, *how, target + each * i, j - i))
    if not any(non_finite):
        sound(events, checks=size)
        return out
    if max(non_finite) > 1:
        return _examined(x, out, flagged, bounds, instead, events)
    marks = flagged.data_ptr()
    found = sum(split(size, 1, lambda i, j: host.uses(source + i, marks, j - i)))
    note_repaired(events, checks=size, flagged=found)
    return out


def _examined(
    x: Tensor, out: Tensor, flagged: Tensor, bounds: Sequence[float], instead: Sequence[float], events: Tensor
) -> Tensor:
    """What was looked up, brought into its bounds; what was replaced in the table counts as well."""
    low, high = bounds
    value = out.to(torch.float32)
    wrong = outside_of(value, low, high)
    if not x.is_cpu:
        note_repaired(events, checks=x.numel(), flagged=(wrong | look_up(x, flagged)).count_nonzero())
        return torch.where(wrong, _instead(value, low, high, instead).to(out.dtype), out)
    found = int((wrong | look_up(x, flagged)).count_nonzero())
    if bool(wrong.any()):
        out = torch.where(wrong, _instead(value, low, high, instead).to(out.dtype), out)
    note_repaired(events, checks=x.numel(), flagged=found)
    return out


def _instead(value: Tensor, low: float, high: float, instead: Sequence[float]) -> Tensor:
    """What stands for each value [...] float32 that is outside its bounds."""
    below, above, neither = instead
    return torch.where(value > high, above, torch.where(value < low, below, neither))


def _brought(x: Tensor, low: float, high: float, outside: str, events: Tensor) -> Tensor:
    """As `within`, of any type: the bounds of integers are the integers within them."""
    wrong = outside_of(x, low, high)
    out = torch.empty_like(x)
    if not x.is_cpu:
        note_repaired(events, checks=x.numel(), flagged=wrong.count_nonzero())
        return out.copy_(replaced(x, wrong, low=low, high=high, outside=outside))
    found = int(wrong.count_nonzero())
    out.copy_(replaced(x, wrong, low=low, high=high, outside=outside) if found else x)
    note_repaired(events, checks=x.numel(), flagged=found)
    return out


def replaced(x: Tensor, wrong: Tensor, *, low: float, high: float, outside: str) -> Tensor:
    """`x` [...] with what is `wrong` [...] bool, outside low ... high, as `outside` says.

    The bounds of integers are the integers within them.
    """
    if outside == "zero":
        return x.masked_fill(wrong, 0)
    if x.is_floating_point():
        return torch.where(x.isnan(), 0.0, x).clamp(low, high)
    words = torch.iinfo(x.dtype)
    return x.clamp(max(words.min, math.ceil(low)), min(words.max, math.floor(high)))
