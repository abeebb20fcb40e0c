"""A GPU that is not there: tensors that say they are on one and hold no values.

Operations of tensors on two devices are refused as a GPU refuses them, and so is whatever waits for a value.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.overrides import TorchFunctionMode

GPU = torch.device("cuda", 0)


@contextmanager
def fake_gpu() -> Iterator[None]:
    """Within it tensors are made on `GPU`, and kernels compute shapes alone."""
    with FakeTensorMode(allow_non_fake_inputs=True), _Unguarded():
        yield


class _Unguarded(TorchFunctionMode):
    """The methods for which a torch without CUDA looks for a GPU, by operations for which it does not."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.__getitem__:
            return _indexed(*args)
        if func is Tensor.contiguous:
            return args[0] if args[0].is_contiguous() else args[0].clone(memory_format=torch.contiguous_format)
        if func is Tensor.copy_:
            return torch.ops.aten.copy_.default(*args)
        if func is Tensor.__invert__:
            return torch.bitwise_not(args[0])
        return func(*args, **(kwargs or {}))


def _indexed(x: Tensor, key: Any) -> Tensor:
    given = key if isinstance(key, tuple) else (key,)
    axes = sum(one is not None and one is not Ellipsis for one in given)
    whole: list[Any] = []
    for one in given:
        whole += [slice(None)] * (x.ndim - axes) if one is Ellipsis else [one]
    at: list[Tensor | None] = []
    for one in whole:
        if isinstance(one, int):
            x = x.select(len(at), one)
            continue
        if one is None:
            x = x.unsqueeze(len(at))
        elif isinstance(one, slice):
            x = torch.ops.aten.slice.Tensor(x, len(at), one.start, one.stop, one.step or 1)
        at.append(one if isinstance(one, Tensor) else None)
    return torch.ops.aten.index.Tensor(x, at) if any(one is not None for one in at) else x
