"""What surrounds a call and would change what it computes: gradients, autocast."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch


@contextmanager
def undisturbed(device: torch.device | None = None) -> Iterator[None]:
    """Within it floats are computed in their own type on `device` (default: the CPU), and no gradient is."""
    kind = "cpu" if device is None else device.type
    floats = torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()
    with torch.no_grad(), floats:
        yield
