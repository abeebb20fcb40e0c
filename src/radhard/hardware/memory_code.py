"""Error codes of memories: what a read gives of a codeword of 64 data bits in which cells are flipped.

Bits 0 ... 63 of a codeword are data. `parity` adds bit 64, the parity of them all: an odd number of flips is detected,
an even one is not. `secded` is the extended Hamming code (72, 64): data bit i stands at the i-th position of 3, 5, 6,
7, 9 ... 71 (no power of two), bit 64 + i, i < 7, at position 2^i, and bit 71 is the parity of all others. The syndrome
is the XOR of the positions of the flipped bits, and their number modulo 2. One flip is corrected, two are detected.
What becomes of three and more is what the decoder makes of their syndrome: where it is that of one other bit, that bit
is flipped as well, a miscorrection.
"""

from collections.abc import Iterable
from functools import reduce
from operator import xor
from typing import Literal

Ecc = Literal["none", "parity", "secded"]
DATA = 64
CHECK: dict[Ecc, int] = {"none": 0, "parity": 1, "secded": 8}
"""Check bits of a codeword."""

_LAST = DATA + 7
POSITIONS = tuple(p for p in range(_LAST + 1) if p & (p - 1)) + tuple(1 << i for i in range(7)) + (0,)
"""The position of each bit of a codeword of `secded`; that of the parity of all others is 0."""
_BITS = {position: bit for bit, position in enumerate(POSITIONS)}


def read_codeword(flipped: Iterable[int], ecc: Literal["parity", "secded"]) -> frozenset[int] | None:
    """The bits that are flipped in what is read, of those that are `flipped` in the cells; None: an error is detected.

    >>> from radhard.hardware.memory_code import read_codeword
    >>> read_codeword({5}, "secded"), read_codeword({5, 6}, "secded"), read_codeword({5, 6}, "parity")
    (frozenset(), None, frozenset({5, 6}))
    """
    bits = frozenset(flipped)
    odd = len(bits) % 2
    if ecc == "parity":
        return None if odd else bits
    syndrome = reduce(xor, (POSITIONS[bit] for bit in bits), 0)
    if not odd:
        return None if syndrome else bits
    return None if syndrome not in _BITS else bits ^ {_BITS[syndrome]}
