"""Hit outputs of an integer matrix product or convolution on the host: read, computed, written back in one loop.

It does for chains of products and running sums, in one compiled call a site, what reading an operator's definition does
by gathering, interpreting and scattering; words and faults are the same, bit for bit.
"""

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from radhard.faults.chains import dot
from radhard.faults.locate import Hits
from radhard.kernels.chains import Chains, served
from radhard.kernels.octets import as_signed
from radhard.kernels.threads import split
from radhard.kernels.tiled import KINDS, PRODUCTS_AN_ELEMENT, reach
from radhard.kernels.twos_complement import wrapped
from radhard.kernels.write import unscaled
from radhard.words import Words

_NO_BIAS = np.empty(0, np.int32)


def hit_chains(chains: tuple[Chains, ...], hits: Hits, words: Words) -> bool:
    """Write into `chains[0].out` what the flips of products and running sums make of it; whether it was done.

    It is not done, and may be half done, of several chains, where a step after the sums is hit, of accumulators of
    another type than int32, and where a value is not finite when it is written.
    """
    if len(chains) != 1 or words.accumulator.dtype != torch.int32 or int(hits.step.max()) > 1:
        return False
    (one,) = chains
    if not served(one) or not one.out.is_cpu:
        return False
    back = one.back or unscaled(one.out.device)
    window = one.window
    geometry = (
        (*window.size, *window.image, *window.step, *window.dilation, *window.before, window.pad)
        if window is not None
        else (0,) * 11
    )
    given = (
        hits.units, hits.place, hits.step, hits.within, hits.bit,
        one.grid, one.k, _flat(one.a), one.of_a, one.a_step, _flat(one.b), one.of_b, one.b_step,
        _flat(as_signed(one.out)), one.to, one.column,
        _NO_BIAS if one.bias is None else one.bias.to(torch.int32).contiguous().numpy(),
        back.multiplier.to(torch.float32).contiguous().numpy(), back.grid.limits, KINDS[back.dtype],
        geometry, (words.product.bits, words.accumulator.bits),
    )  # fmt: skip
    odd = split(len(hits.units), 1 + one.k // PRODUCTS_AN_ELEMENT, lambda first, last: _units(*given, first, last))
    return not any(odd)


def _flat(x: Tensor) -> NDArray[np.generic]:
    """The words of a view, from its first to its last, as they lie."""
    found: NDArray[np.generic] = torch.as_strided(x, (reach(x),), (1,), x.storage_offset()).numpy()
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _windowed(a, start, k, of_a, a_step, geometry, i2, i3, out):  # type: ignore[no-untyped-def]
    """The words that a filter at place (i2, i3) reads of an image from `start` on -> out [k]."""
    p, q, height, width, step_y, step_z, down, across, top, left, pad = geometry
    t = 0
    for c in range(k // (p * q)):
        for u in range(p):
            y = i2 * step_y - top + u * down
            for v in range(q):
                z = i3 * step_z - left + v * across
                inside = 0 <= y < height and 0 <= z < width
                out[t] = a[start + c * a_step + y * of_a[2] + z * of_a[3]] if inside else pad
                t += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _chain(x, y, bias, biased, within, bit, products, sums, end, bits):  # type: ignore[no-untyped-def]
    """x [k], y [k] -> their sum with the flips products ... sums - 1 of products and sums ... end - 1 of sums."""
    k, total, done = len(x), np.int64(0), 0
    p, s = products, sums
    while p < sums or s < end:
        if p < sums and (s == end or within[p] <= within[s] + 1):
            word = np.int64(x[within[p]]) * np.int64(y[within[p]])
            total += (word ^ wrapped(np.int64(1) << bit[p], bits[0])) - word
            p += 1
        else:
            t = within[s] + 1
            total += dot(x, y, done, min(t + 1, k))
            done = min(t + 1, k)
            if t == k and not biased:
                total += bias
                biased = True
            total = wrapped(total, bits[1]) ^ wrapped(np.int64(1) << bit[s], bits[1])
            s += 1
    total += dot(x, y, done, k)
    return wrapped(total if biased else total + bias, bits[1])


@njit(cache=True, nogil=True, error_model="numpy")
def _units(  # type: ignore[no-untyped-def]
    units, place, step, within, bit, grid, k, a, of_a, a_step, b, of_b, b_step, out, to, column,
    bias, multiplier, limits, kind, geometry, bits, first, last,
):  # fmt: skip
    """Units first ... last - 1, of which `place` tells the flips, `kind` what is written -> how many are not finite."""
    zero, low, high = limits
    left, right = np.empty(k, a.dtype), np.empty(k, b.dtype)
    f, odd = np.searchsorted(place, first), 0
    for u in range(first, last):
        rest = units[u]
        i4, rest = rest % grid[4], rest // grid[4]
        i3, rest = rest % grid[3], rest // grid[3]
        i2, rest = rest % grid[2], rest // grid[2]
        i1, i0 = rest % grid[1], rest // grid[1]
        x, y = left, right
        start = i0 * of_a[0] + i1 * of_a[1]
        if geometry[0]:
            _windowed(a, start, k, of_a, a_step, geometry, i2, i3, left)
        else:
            start += i2 * of_a[2] + i3 * of_a[3]
            if a_step == 1:
                x = a[start : start + k]
            else:
                for t in range(k):
                    left[t] = a[start + t * a_step]
        start = i0 * of_b[0] + i1 * of_b[1] + i4 * of_b[2]
        if b_step == 1:
            y = b[start : start + k]
        else:
            for t in range(k):
                right[t] = b[start + t * b_step]
        products = f
        while f < len(place) and place[f] == u and step[f] == 0:
            f += 1
        sums = f
        while f < len(place) and place[f] == u:
            f += 1
        own = i0 * column[0] + i1 * column[1] + i4 * column[2]
        biased = len(bias) == 0
        more = np.int64(0) if biased else np.int64(bias[own])
        total = np.int32(_chain(x, y, more, biased, within, bit, products, sums, f, bits))
        at = i0 * to[0] + i1 * to[1] + i2 * to[2] + i3 * to[3] + i4 * to[4]
        if kind == 2:
            out[at] = total
            continue
        value = np.float32(total) * multiplier[own if len(multiplier) > 1 else 0]
        odd += not np.isfinite(value)
        if kind == 0:
            value = min(max(np.rint(value) + np.float32(zero), np.float32(low)), np.float32(high))
            out[at] = np.int8(np.int32(value))
        else:
            out[at] = value
    return odd
