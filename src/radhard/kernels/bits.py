"""Access to the bits of a tensor's words."""

import torch
from torch import Tensor

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def bits(x: Tensor) -> Tensor:
    """`x` [...] -> its words as integers of their width [...]: -0 is not 0, and a NaN is itself."""
    return x.view(_INTEGERS[x.element_size()])
