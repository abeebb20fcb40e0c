"""Proves each kernel on each device before its first use, and remembers the result."""

import warnings
from collections.abc import Callable

import torch

_SAID: dict[tuple[str, torch.device], str] = {}
RIGHT = "right"


def proven(name: str, device: torch.device, proof: Callable[[], bool | str]) -> bool:
    """Whether `proof`, made once for each kernel and device, says that kernel `name` is right on `device`.

    A proof says so, or what is wrong. A kernel that a device cannot compile or launch is not right. Of one that is not
    a warning tells, once.
    """
    key = (name, device)
    if (said := _SAID.get(key)) is None:
        said = _SAID[key] = _tried(proof)
        if said != RIGHT:
            warnings.warn(f"kernel {name!r} is not used on {device}, which is slower: {said}", stacklevel=2)
    return said == RIGHT


def proofs(device: torch.device) -> dict[str, str]:
    """What was proved on `device` so far: kernel -> "right", or what is wrong."""
    return {name: said for (name, where), said in _SAID.items() if where == device}


def _tried(proof: Callable[[], bool | str]) -> str:
    try:
        said = proof()
    except torch.OutOfMemoryError:  # says nothing of the kernel
        raise
    except Exception as error:  # Triton, its compiler and the driver each raise their own
        return f"{type(error).__name__}: {str(error)[:2000]}"
    if isinstance(said, str):
        return said or RIGHT
    return RIGHT if said else "it computes something else than the host"
