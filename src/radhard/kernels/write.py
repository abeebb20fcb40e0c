"""Write-back: int32 accumulators and float32 results to 8-bit words, in one pass each.

On the host these are compiled loops where numba is installed; elsewhere torch operations that compute the same, bit
for bit (tests hold the two together). Words are int8, or uint8, which the loops write and read by the same bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from radhard.kernels.grid import SYMMETRIC, Grid, grid_of
from radhard.kernels.octets import OCTETS, as_signed
from radhard.kernels.on_device import on_device
from radhard.kernels.operands import SPARE
from radhard.kernels.threads import split

_LOOK_UPS = {**dict.fromkeys(OCTETS, "look_up_words"), torch.float32: "look_up_floats"}


@dataclass(frozen=True, kw_only=True, eq=False)
class WriteBack:
    """An int32 accumulator times `multiplier` (float32, [n]: one a column, or [1]) becomes a word of `dtype`.

    `dtype` is that of `grid` (recipe int8: an integer accelerator) or float32 (recipe int8-float). An activation that
    belongs to the write-back narrows the grid: ReLU is saturation at 0. int32 leaves accumulators as they are.
    """

    multiplier: Tensor
    dtype: torch.dtype
    grid: Grid = SYMMETRIC

    @classmethod
    def of(cls, multiplier: Tensor, grid: Sequence[int], dtype: torch.dtype) -> "WriteBack":
        """As operators of `torch.ops.radhard` are told: the multiplier, (zero, low, high), the type."""
        return cls(multiplier=multiplier, dtype=dtype, grid=grid_of(*grid, dtype))

    def of_columns(self, n: int) -> Tensor:
        """The multiplier of each of n columns: [n] float32, contiguous."""
        own = self.multiplier
        if own.shape[0] != n:
            own = own.expand(n)
        if own.dtype is not torch.float32:
            own = own.to(torch.float32)
        return own.contiguous()

    def of_groups(self, groups: int, *, n: int) -> "list[WriteBack]":
        """Those of `groups` of columns, `n` together."""
        return [replace(self, multiplier=own) for own in self.of_columns(n).chunk(groups)]


@cache
def loops() -> ModuleType | None:
    """The compiled loops, or None without numba."""
    try:
        from radhard.kernels import compiled
    except ImportError:
        return None
    return compiled


def on_host(x: Tensor) -> Any:
    """The compiled loops for `x`, or None where torch operations do."""
    return loops() if x.is_cpu else None


def saturate(x: Tensor, grid: Grid = SYMMETRIC) -> Tensor:
    """[...] float32 -> words of `grid`: rounded half to even, moved by the zero point, saturated; NaN counts as 0."""
    return (x.nan_to_num(nan=0.0).round() + grid.zero).clamp(grid.low, grid.high).to(grid.dtype)


def write(total: Tensor, bias: Tensor, back: WriteBack) -> Tensor:
    """`total` [m, >= n] int32 (or float32 holding integers), bias [n] int32, contiguous -> [m, n] as `back` says.

    float32(total + bias) times the multiplier; in 8 bits rounded half to even, moved and saturated on the grid. int32
    leaves the accumulators with their bias.
    """
    host, dtype = on_host(total), back.dtype
    if host is None or dtype == torch.int32:
        return _written(_biased(total, bias), back)
    total = total.to(torch.int32).contiguous()
    (m, width), n = total.shape, bias.shape[0]
    multiplier, out = back.of_columns(n), torch.empty(m, n, dtype=dtype, device=total.device)
    x, b, scale, y = total.data_ptr(), bias.data_ptr(), multiplier.data_ptr(), out.data_ptr()
    if dtype in OCTETS:
        grid = back.grid.limits
        split(m, n, lambda i, j: host.words(x + 4 * i * width, width, b, scale, *grid, y + i * n, j - i, n))
    else:
        split(m, n, lambda i, j: host.floats(x + 4 * i * width, width, b, scale, y + 4 * i * n, j - i, n))
    return out


def write_checked(total: Tensor, bias: Tensor, back: WriteBack, *, offset: Tensor) -> tuple[Tensor, Tensor | None]:
    """As `write`, of `total` [m, >= n + 3], and the rows [f] int64 that do not add up; None where all do.

    Columns n, n + 1 and n + 2 are what the digits of the factor's sum give: the row's accumulators, with their bias,
    are to add up to these times 1, 256 and 65536 and the last element of `offset` [.] int64, modulo 2^32.
    """
    host, dtype = on_host(total), back.dtype
    if host is None or dtype == torch.int32:
        return write(total, bias, back), mismatched(total, bias, offset=offset)
    total = total.to(torch.int32).contiguous()
    (m, width), n = total.shape, bias.shape[0]
    multiplier, out = back.of_columns(n), torch.empty(m, n, dtype=dtype, device=total.device)
    x, b, scale, y = total.data_ptr(), bias.data_ptr(), multiplier.data_ptr(), out.data_ptr()
    extra = offset.data_ptr() + 8 * (offset.shape[0] - 1)
    if dtype in OCTETS:
        grid = back.grid.limits
        wrong = split(
            m,
            n,
            lambda i, j: host.checked_words(x + 4 * i * width, width, b, scale, *grid, extra, y + i * n, j - i, n),
        )
    else:
        wrong = split(
            m,
            n,
            lambda i, j: host.checked_floats(x + 4 * i * width, width, b, scale, extra, y + 4 * i * n, j - i, n),
        )
    return out, _located(total, bias, offset=offset) if any(wrong) else None


def write_checked_planes(
    total: Tensor, bias: Tensor, back: WriteBack, *, offsets: Tensor, groups: int
) -> tuple[Tensor, bool]:
    """As `write_checked` on the CPU, of channels as rows, and whether all places add up.

    `total` [b, groups (n + 3), places] int32, bias [groups n], `offsets` [groups, .] int64 -> [b, groups n, places] of
    8 bits or float32. RuntimeError without numba.
    """
    host = on_host(total)
    if host is None:
        raise RuntimeError("checked channels: no numba")
    (b, _, places), n = total.shape, len(bias) // groups
    multiplier, out = back.of_columns(len(bias)), torch.empty(b, len(bias), places, dtype=back.dtype)
    parts = b * groups * -(-places // host.PLACES)
    given = (total.data_ptr(), bias.data_ptr(), multiplier.data_ptr())
    check = (offsets.data_ptr(), offsets.shape[1], out.data_ptr(), groups, n, places)
    if back.dtype in OCTETS:
        work = partial(host.checked_planes, *given, *back.grid.limits, *check)
    else:
        work = partial(host.checked_planes_of_floats, *given, *check)
    return out, not any(split(parts, n * host.PLACES, work))


def mismatched(total: Tensor, bias: Tensor, *, offset: Tensor) -> Tensor | None:
    """The check of `write_checked` alone: the rows [f] int64 that do not add up; None where all do."""
    host = on_host(total)
    if host is not None:
        total = total.to(torch.int32).contiguous()
        (m, width), n = total.shape, bias.shape[0]
        x, b, extra = total.data_ptr(), bias.data_ptr(), offset.data_ptr() + 8 * (offset.shape[0] - 1)
        if not any(split(m, n, lambda i, j: host.mismatches(x + 4 * i * width, width, b, extra, j - i, n))):
            return None
    found = _located(total, bias, offset=offset)
    return found if len(found) else None


def _located(total: Tensor, bias: Tensor, *, offset: Tensor) -> Tensor:
    digits = total[:, len(bias) : len(bias) + SPARE].to(torch.int64)
    predicted = digits[:, 0] + (digits[:, 1] << 8) + (digits[:, 2] << 16) + offset[-1]
    found = _biased(total, bias).sum(1, dtype=torch.int32)
    return (found != predicted.to(torch.int32)).nonzero()[:, 0]


def write_float(x: Tensor, factor: float, grid: Grid = SYMMETRIC) -> tuple[Tensor, Tensor | None]:
    """`x` [...] float32 -> x * factor as words on `grid` [...], rounded half to even; which are not finite [...] bool.

    None says that all are finite: the loops of the host know it. What a device found nobody waits for.
    """
    device, host = on_device(x), on_host(x)
    if device is not None:
        found: tuple[Tensor, Tensor] | None = device.write_numbers(x, factor, grid, marked=True)
        if found is not None:
            return found
    if host is None:
        value = x * factor
        return saturate(value, grid), ~value.isfinite()
    x = x.contiguous()
    out, limits = torch.empty(x.shape, dtype=grid.dtype, device=x.device), grid.limits
    source, target = x.data_ptr(), out.data_ptr()
    non_finite = split(x.numel(), 1, lambda i, j: host.from_float(source + 4 * i, factor, *limits, target + i, j - i))
    return out, ~(x * factor).isfinite() if any(non_finite) else None


def quantize(x: Tensor, factor: float, grid: Grid = SYMMETRIC) -> Tensor:
    """The words of `write_float` alone."""
    device = on_device(x)
    if device is not None:
        found: tuple[Tensor, None] | None = device.write_numbers(x, factor, grid, marked=False)
        if found is not None:
            return found[0]
    return write_float(x, factor, grid)[0]


def look_up(x: Tensor, table: Tensor) -> Tensor:
    """`x` [...] of 8 bits, `table` [256] -> the entry of each, [...] lying in memory as x does.

    That is table[x + 128] for the bits of x read as int8.
    """
    x = as_signed(x)
    device, host = on_device(x), on_host(x)
    if device is not None and table.dtype in _LOOK_UPS:
        found: Tensor | None = device.look_up(x, table.to(x.device))
        if found is not None:
            return found
    if host is None or table.dtype not in _LOOK_UPS:
        return table.to(x.device)[x.to(torch.int64) + 128]
    if not x.is_contiguous():  # as it lies in memory: no copy of a permuted tensor
        order = sorted(range(x.ndim), key=x.stride, reverse=True)
        dense = look_up(x.permute(order).contiguous(), table)
        return dense.permute([order.index(d) for d in range(x.ndim)])
    out, loop = torch.empty(x.shape, dtype=table.dtype, device=x.device), _LOOK_UPS[table.dtype]
    source, target, entries, size = x.data_ptr(), out.data_ptr(), table.data_ptr(), table.itemsize
    call = getattr(host, loop)
    split(x.numel(), 1, lambda i, j: call(source + i, entries, target + size * i, j - i))
    return out


def _biased(total: Tensor, bias: Tensor) -> Tensor:
    return total[:, : len(bias)].to(torch.int32) + bias


def _written(wide: Tensor, back: WriteBack) -> Tensor:
    if back.dtype == torch.int32:
        return wide
    value = wide.to(torch.float32) * back.multiplier.to(torch.float32)
    return saturate(value, back.grid) if back.dtype in OCTETS else value


@cache
def no_bias(n: int, device: torch.device) -> Tensor:
    """A bias of zeros [n], that nobody writes to."""
    return torch.zeros(n, dtype=torch.int32, device=device)


@cache
def unscaled(device: torch.device) -> WriteBack:
    """The write-back that leaves accumulators as they are."""
    return WriteBack(multiplier=torch.ones(1, dtype=torch.float32, device=device), dtype=torch.int32)
