"""8-bit dtypes: int8, or uint8 for values that cannot be negative.

The left factor of a product may be either, the right one is int8: products are words of 16 bits, -32640 ... 32385.
Tables of a function list its values for the 256 words in one order, that of their bits read as int8.
"""

import torch
from torch import Tensor

OCTETS = (torch.int8, torch.uint8)
_LARGEST = {torch.int8: 128, torch.uint8: 255}  # magnitude of a word


def every_octet(dtype: torch.dtype) -> Tensor:
    """The 256 words of int8 or uint8 in the order of tables: [256] `dtype`."""
    return torch.arange(-128, 128, dtype=torch.int8, device="cpu").view(dtype)


def as_signed(x: Tensor) -> Tensor:
    """Words [...] of 8 bits -> the same bits as int8, without a copy: the place in a table, less 128."""
    return x.view(torch.int8) if x.dtype == torch.uint8 else x


def lowered(x: Tensor) -> Tensor:
    """Words [...] uint8 -> int8, each 128 lower."""
    return (x ^ 128).view(torch.int8)


def exact_terms(dtype: torch.dtype) -> int:
    """How many products with int8 words float32 adds exactly: 2^24 over the largest of them."""
    return (1 << 24) // (128 * _LARGEST[dtype])
