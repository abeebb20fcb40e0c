"""What the plain path of the CPU computes, kernels for GPUs left aside."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest
from torch import Tensor

from radhard.kernels import on_device

T = TypeVar("T")


@contextmanager
def without_kernels() -> Iterator[None]:
    """Within it torch and the loops of the host serve every tensor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_device, "kernels", lambda: None)
        yield


def plain(compute: Callable[..., T], *inputs: Tensor | None) -> T:
    """What `compute` gives there for `inputs` on the CPU."""
    with without_kernels():
        return compute(*inputs)
