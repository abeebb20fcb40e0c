"""The hardware-fault interpreter: running sums as faulty parts compute them.

A permanent fault changes every word that passes through the faulty part, so chains are executed word by word, but only
those of the units that the fault reaches.
"""

import numpy as np
import torch
from numba import njit
from torch import Tensor

from radhard.hardware.fault import FaultEffect
from radhard.kernels.threads import split
from radhard.kernels.twos_complement import wrapped
from radhard.machine import Plain, Rows


class HardwareFaultInterpreter(Plain):
    """Interprets a matrix product's definition on the units [u] of `effect`, with the fault in it."""

    def __init__(self, effect: FaultEffect) -> None:
        self._effect = effect

    def gemm(self, a: Rows, b: Rows, bias: Tensor | None, ends: tuple[int, ...] = ()) -> Tensor:
        """Each chain word by word -> int32 [u], or [u, e] with `ends`."""
        effect, k = self._effect, a.matrix.shape[1]
        left, right = a.arrays, b.arrays
        rows = left[1] if effect.reads is None else left[1][effect.reads]
        given = np.empty(0, np.int64) if bias is None else bias.to(torch.int64).contiguous().numpy()
        stops = np.array(ends or (k,), np.int64)
        total = np.empty((len(a.index), len(stops)), np.int64)
        flips = np.zeros(len(total), np.int64) if effect.upset_flip is None else effect.upset_flip
        chosen = (
            *(left[0], rows, *right, given, stops),
            (effect.misread_at, effect.misread_a, effect.misread_b),
            (effect.phase, effect.phase + effect.span, effect.period),
            (effect.a_keep, effect.a_put, effect.b_keep, effect.b_put),
            (effect.product_keep, effect.product_put, effect.sum_keep, effect.sum_put),
            (effect.idle, effect.segment, effect.bias_first),
            (effect.upset_at, effect.upset_keep, effect.late),
            flips,
            a.matrix.dtype == torch.uint8,
        )
        split(len(total), 1 + k + effect.idle, lambda i, j: _chains(*chosen, i, j, total))
        found = torch.from_numpy(total).to(torch.int32)
        return found if ends else found[:, 0]


@njit(cache=True, nogil=True)
def _chains(  # type: ignore[no-untyped-def]
    a, a_row, b, b_row, bias, ends, misread, stuck, operands, results, sums, upset, flips, unsigned, first, last, out
):
    """Rows `a`[a_row] and `b`[b_row] int8 [.., k] -> out [u, e] int64, the sums after `ends` [e]; the bias comes last.

    Tuples and `flips` [u] are the fields of `FaultEffect`; `unsigned` says that the words of a are uint8, not int8.
    """
    misread_at, misread_a, misread_b = misread
    phase, end, period = stuck
    a_keep, a_put, b_keep, b_put = operands
    product_keep, product_put, sum_keep, sum_put = results
    idle, segment, bias_first = sums
    upset_at, upset_keep, late = upset
    k = a.shape[1]
    terms = k + idle
    for u in range(first, last):
        x, y = a[a_row[u]], b[b_row[u]]
        total = np.int64(0)
        base = -bias[u] if bias_first and len(bias) else np.int64(0)  # the register holds total - base
        if upset_at < 0:
            total = _upset(total, base, upset_keep, flips[u])
        e, place, held = 0, period - 1, segment - 1  # t mod period and t mod segment, counted: a division takes long
        for t in range(terms + (1 if len(bias) else 0)):
            place = place + 1 if place + 1 < period else 0
            held = held + 1 if held + 1 < segment else 0
            if segment > 0 and held == 0:
                base = total
            here = phase <= place < end
            if t == terms:
                word = bias[u]
                here = here and segment == 0 and not bias_first
            else:
                left, right = (np.int64(x[t]), np.int64(y[t])) if t < k else (np.int64(0), np.int64(0))
                if t == misread_at:
                    left, right = _octet(left ^ misread_a, unsigned), wrapped(right ^ misread_b, 8)
                if here:
                    left, right = _octet((left & a_keep) | a_put, unsigned), wrapped((right & b_keep) | b_put, 8)
                word = left * right
                if here:
                    word = wrapped((word & product_keep) | product_put, 16)
            before = total
            total = wrapped(total + word, 32)
            if here:
                total = wrapped(base + ((wrapped(total - base, 32) & sum_keep) | sum_put), 32)
            if t == upset_at:
                flip = flips[u] & (wrapped(before - base, 32) ^ wrapped(total - base, 32)) if late else flips[u]
                total = _upset(total, base, upset_keep, flip)
            while e < len(ends) and t + 1 == ends[e]:
                out[u, e] = total
                e += 1
        out[u, len(ends) - 1] = total  # with the bias


@njit(cache=True, nogil=True)
def _octet(word, unsigned):  # type: ignore[no-untyped-def]
    """The low 8 bits of a word of A."""
    return word & 255 if unsigned else wrapped(word, 8)


@njit(cache=True, nogil=True)
def _upset(total, base, keep, flip):  # type: ignore[no-untyped-def]
    """A sum [] int64 -> what it is once the register that holds total - base is AND `keep` XOR `flip`."""
    held = wrapped((wrapped(total - base, 32) & keep) ^ flip, 32)
    return wrapped(base + held, 32)
