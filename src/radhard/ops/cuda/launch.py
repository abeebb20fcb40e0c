"""Launching a kernel on the device that its tensors are on: Triton takes the current one."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

_NOWHERE: AbstractContextManager[None] = nullcontext()


def on(x: Tensor) -> AbstractContextManager[object]:
    """Within it kernels are launched on the device of `x`."""
    if not x.is_cuda or x.device.index == torch.cuda.current_device():
        return _NOWHERE
    return torch.cuda.device(x.device)
