"""Philox-4x32-10, a counter-based random function: four 32-bit words from a counter and a key.

Source: Salmon, Moraes, Dror, Shaw, *Parallel Random Numbers: As Easy as 1, 2, 3*, SC 2011. Checked against
the known answers that its authors publish (Random123, `kat_vectors`).
"""

from functools import lru_cache

import numpy as np
from numba import njit

from radhard.errors import InputError

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)  # the golden ratio
_WEYL_1 = np.uint64(0xBB67AE85)  # the square root of three, less one


@njit(cache=True, nogil=True)
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Counter `c0..c3` and key `k0, k1`, each below 2^32 -> four words below 2^32, all integer scalars."""
    w0, w1, w2, w3 = np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3)
    key_0, key_1 = np.uint64(k0), np.uint64(k1)
    for _ in range(10):
        product_0 = _MULTIPLIER_0 * w0
        product_1 = _MULTIPLIER_1 * w2
        w0, w2 = (product_1 >> _HALF) ^ w1 ^ key_0, (product_0 >> _HALF) ^ w3 ^ key_1
        w1, w3 = product_1 & _LOW, product_0 & _LOW
        key_0 = (key_0 + _WEYL_0) & _LOW
        key_1 = (key_1 + _WEYL_1) & _LOW
    return w0, w1, w2, w3


@lru_cache(maxsize=1024)
def stream_key(*, seed: int, trial: int) -> tuple[int, int]:
    """Seed below 2^64, trial below 2^32 -> Philox key: words 0, 1 at counter (seed low, high, trial, 0)."""
    for name, value, bits in (("seed", seed, 64), ("trial", trial, 32)):
        if not 0 <= value < 2**bits:
            raise InputError(f"{name}={value}: give an integer from 0 to 2**{bits} - 1")
    word_0, word_1, _, _ = philox(seed & 0xFFFFFFFF, seed >> 32, trial, 0, 0x5EED, 0)
    return int(word_0), int(word_1)
