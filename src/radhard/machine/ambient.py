"""Runs code with torch's global modes off: gradients, autocast, reduced float precision on GPUs."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch


@contextmanager
def undisturbed(device: torch.device | None = None) -> Iterator[None]:
    """Within it floats are computed in their own type on `device` (default: the CPU), and no gradient is."""
    kind = "cpu" if device is None else device.type
    floats = torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()
    with torch.no_grad(), floats, _whole_floats() if kind == "cuda" else nullcontext():
        yield


@contextmanager
def _whole_floats() -> Iterator[None]:
    """Convolutions of float32 are not computed in TF32, as cuDNN does unless it is told otherwise."""
    convolutions = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = convolutions.fp32_precision
    convolutions.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolutions.fp32_precision = before
