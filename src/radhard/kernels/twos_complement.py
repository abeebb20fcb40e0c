"""Two's-complement arithmetic of any width, in compiled loops."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def wrapped(value, bits):  # type: ignore[no-untyped-def]
    """The low `bits` of an int64 as two's complement, sign-extended."""
    shift = np.int64(64 - bits)
    return (value << shift) >> shift
