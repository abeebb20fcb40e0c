"""Kernels prove themselves on each device before they are used: what a proof said is remembered."""

from collections.abc import Callable

import torch

_SAID: dict[tuple[str, torch.device], bool] = {}


def proven(name: str, device: torch.device, proof: Callable[[], bool]) -> bool:
    """Whether `proof`, made once for each kernel and device, says that kernel `name` is right on `device`.

    A kernel that a device cannot compile or launch is not.
    """
    key = (name, device)
    if (said := _SAID.get(key)) is None:
        said = _SAID[key] = _tried(proof)
    return said


def proofs(device: torch.device) -> dict[str, bool]:
    """What was proved on `device` so far: kernel -> whether it is right."""
    return {name: said for (name, where), said in _SAID.items() if where == device}


def _tried(proof: Callable[[], bool]) -> bool:
    try:
        return proof()
    except torch.OutOfMemoryError:  # says nothing of the kernel
        raise
    except Exception:  # Triton, its compiler and the driver each raise their own
        return False
