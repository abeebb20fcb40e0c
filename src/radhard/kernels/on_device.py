"""Decides whether GPU kernels (`radhard.kernels.cuda`) serve a tensor."""

import os
from functools import cache
from types import ModuleType
from typing import Any

from torch import Tensor


@cache
def interpreted() -> bool:
    """Whether Triton interprets its kernels (TRITON_INTERPRET=1): then they serve tensors on the CPU too, slowly.

    As Triton does, it looks at the environment once: nearly every kernel asks.
    """
    return os.environ.get("TRITON_INTERPRET") == "1"


@cache
def kernels() -> ModuleType | None:
    """The kernels for GPUs, or None without Triton."""
    try:
        from radhard.kernels import cuda
    except ImportError:
        return None
    return cuda


def on_device(x: Tensor) -> Any:
    """The kernels for GPUs for `x`, or None where loops of the host or torch operations do."""
    return kernels() if x.is_cuda or (x.is_cpu and interpreted()) else None
