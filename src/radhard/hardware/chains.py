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
            (effect.product_keep, effect.product_put, effect.phase, effect.period),
            (effect.sum_keep, effect.sum_put),
            (effect.upset_at, effect.upset_keep, effect.upset_from, effect.upset_bias),
            flips,
            a.matrix.dtype == torch.uint8,
        )
        split(len(total), 1 + k, lambda i, j: _chains(*chosen, i, j, total))
        found = torch.from_numpy(total).to(torch.int32)
        return found if ends else found[:, 0]


@njit(cache=True, nogil=True)
def _chains(a, a_row, b, b_row, bias, ends, misread, product, register, upset, flips, unsigned, first, last, out):  # type: ignore[no-untyped-def]
    """Rows `a`[a_row] and `b`[b_row] int8 [.., k] -> out [u, e] int64, the sums after `ends` [e]; t = k adds the bias.

    Tuples and `flips` [u] are the fields of `FaultEffect`; `unsigned` says that the words of a are uint8, not int8.
    """
    k = a.shape[1]
    misread_at, misread_a, misread_b = misread
    product_keep, product_put, phase, period = product
    sum_keep, sum_put = register
    upset_at, upset_keep, upset_from, upset_bias = upset
    for u in range(first, last):
        x, y = a[a_row[u]], b[b_row[u]]
        total = np.int64(0)
        base = -bias[u] if upset_bias and len(bias) else np.int64(0)  # the register that is upset holds total - base
        if upset_at < 0:
            total = _upset(total, base, upset_keep, flips[u])
        e = 0
        for t in range(k + (1 if len(bias) else 0)):
            if 0 < t == upset_from:
                base = total
            if t == k:
                word = bias[u]
            else:
                left, right = np.int64(x[t]), np.int64(y[t])
                if t == misread_at:
                    left, right = left ^ misread_a, wrapped(right ^ misread_b, 8)
                    left = left & 255 if unsigned else wrapped(left, 8)
                word = left * right
                if t % period == phase:
                    word = wrapped((word & product_keep) | product_put, 16)
            total = wrapped(((total + word) & sum_keep) | sum_put, 32)
            if t == upset_at:
                total = _upset(total, base, upset_keep, flips[u])
            while e < len(ends) and t + 1 == ends[e]:
                out[u, e] = total
                e += 1
        out[u, len(ends) - 1] = total  # with the bias


@njit(cache=True, nogil=True)
def _upset(total, base, keep, flip):  # type: ignore[no-untyped-def]
    """A sum [] int64 -> what it is once the register that holds total - base is AND `keep` XOR `flip`."""
    held = wrapped((wrapped(total - base, 32) & keep) ^ flip, 32)
    return wrapped(base + held, 32)
