"""Selects the device of a run by name; a missing or too old device is reported with the fix."""

import warnings

import torch

from radhard.errors import InputError
from radhard.kernels.on_device import kernels

CPU = torch.device("cpu")
LEAST_CAPABILITY = (7, 0)
"""Of a GPU that Triton compiles for: Volta's."""


def choose_device(definition: str | torch.device = "cpu") -> torch.device:
    """`cpu`, `cuda`, `cuda:N` or `auto` -> the device; of `cuda` the current one, of `auto` a GPU where one is usable.

    InputError for another name, and for a GPU that is not there or cannot be used, saying why and what to do.
    """
    name = str(definition)
    if name == "cpu":
        return CPU
    kind, _, number = name.partition(":")
    if name != "auto" and (kind != "cuda" or not (number.isdecimal() or name == "cuda")):
        raise InputError(f"device {name!r} is not known: write cpu, cuda, cuda:N or auto")
    if problem := why_no_gpu():
        if name == "auto":
            return CPU
        raise InputError(f"device {name}: {problem}")
    index = int(number) if number else torch.cuda.current_device()
    if index >= torch.cuda.device_count():
        there = ", ".join(f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count()))
        raise InputError(f"device {name} is not there: this machine has cpu, {there}")
    if problem := _why_not(index):
        if name == "auto":
            return CPU
        raise InputError(f"device {name}: {problem}")
    return torch.device("cuda", index)


def device_name(device: torch.device) -> str:
    """How results name a device: `cpu`, or what the GPU calls itself."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def why_no_gpu() -> str:
    """Why no GPU can be used, and what to do; empty where one can."""
    if torch.version.cuda is None:
        return (
            f"torch {torch.__version__} is built without CUDA: install one with CUDA, by the command that PyTorch's "
            "page `Start locally` gives for this system, or leave --device out"
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        return _of_driver(" ".join(str(one.message) for one in caught))
    if kernels() is None:
        return 'Triton, which makes the kernels for GPUs, is not installed: pip install "radhard[cuda]"'
    return ""


def _of_driver(message: str) -> str:
    """Why torch finds no GPU, from its `message`, or the one that it gives when it is initialised."""
    if not message:
        try:
            torch.cuda.init()
        except (RuntimeError, AssertionError) as error:
            message = str(error)
    built = f"torch {torch.__version__} is built for CUDA {torch.version.cuda}"
    reason = " ".join(message.split()).partition(" Please ")[0].rstrip(".") or "it finds no GPU"
    if "too old" in message or "insufficient" in message:
        return f"the driver is too old ({built}; {reason}): update the driver, or install a torch of an older CUDA"
    return f"no GPU is there ({built}; {reason}): install the GPU's driver, or leave --device out"


def _why_not(index: int) -> str:
    """Why the GPU of this number cannot be used; empty where it can."""
    found = torch.cuda.get_device_capability(index)
    if found >= LEAST_CAPABILITY:
        return ""
    least = ".".join(map(str, LEAST_CAPABILITY))
    return (
        f"{torch.cuda.get_device_name(index)} has compute capability {found[0]}.{found[1]}, and kernels are compiled "
        f"for {least} or more: take a newer GPU, or --device cpu"
    )


def out_of_memory(device: torch.device, *, batch: int) -> str:
    """What to say where the memory of `device` ran out in a batch of so many images."""
    definition = f"the memory of {device} ran out in a batch of {batch} images"
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device)
        definition = (
            f"the memory of {device} ({device_name(device)}) ran out in a batch of {batch} images: of "
            f"{total / 2**30:.1f} GiB {(free + held) / 2**30:.1f} are free for this process"
        )
    return f"{definition}; take smaller batches (--batch), below {batch}"
