"""Launches a kernel on the device of its tensors, since Triton uses the current device."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from radhard.kernels.on_device import interpreted

_NOWHERE: AbstractContextManager[None] = nullcontext()


def on(x: Tensor) -> AbstractContextManager[object]:
    """Within it kernels are launched on the device of `x`.

    Interpreted ones compute infinities and NaN as quietly as a device does.
    """
    if not x.is_cuda:
        return np.errstate(all="ignore")
    if x.device.index == torch.cuda.current_device():
        return _NOWHERE
    return torch.cuda.device(x.device)


def _read_numbers() -> None:
    """Have Triton's interpreter read the ends of loops: numpy 2.4 takes no array of one element for a number."""
    from triton.runtime import interpreter

    patch = interpreter._patch_lang_tensor

    def patched(tensor: Any, scope: Any) -> None:
        patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    interpreter._patch_lang_tensor = patched


if interpreted():
    _read_numbers()
