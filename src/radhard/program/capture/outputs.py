"""The outputs that a module may return, and the wrapper to write for other outputs."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

_HOOK = "model.register_forward_hook(lambda module, images, out: {logits})"


def logits_in(out: Any) -> str | None:
    """Where the one tensor of logits [B, n] is in what a module returns, in Python; None where it is not certain.

    It is certain where there is one tensor, or one that is called logits.
    """
    found = [(place, tensor) for place, tensor in tensors_in(out) if tensor.ndim == 2 and tensor.is_floating_point()]
    named = [place for place, _ in found if place in ("out['logits']", "out.logits")]
    if named:
        return named[0]
    return found[0][0] if len(found) == 1 == len(list(tensors_in(out))) else None


def tensor_at(out: Any, place: str) -> Tensor:
    """The tensor at a place that `logits_in` gave for another output of the same module."""
    return next(tensor for other, tensor in tensors_in(out) if other == place)


def wrapper_for(out: Any, *, name: str) -> str:
    """The end of a sentence `... returns`: what `out` is, and the line that makes a module return logits alone.

    For a model FILE.py:FUNCTION it is a function to write beside that one.
    """
    floats = [(place, tensor) for place, tensor in tensors_in(out) if tensor.is_floating_point() and tensor.ndim]
    likely = next((one for one in floats if one[1].ndim == 2), floats[0] if floats else None)
    if likely is None:
        return f"{described(out)}; a classifier returns float logits [B, classes]"
    place, tensor = likely
    axes = {1: "[:, None]", 2: "", 3: ".mean(1)"}
    logits = place + axes.get(tensor.ndim, f".mean({tuple(range(2, tensor.ndim))})")
    hook = _HOOK.format(logits=logits)
    file, colon, function = name.rpartition(":")
    if colon and file.endswith(".py"):
        code = f"def logits(): model = {function}(); {hook}; return model"
        fix = f"write `{code}` into {file} and give {file}:logits"
    else:
        fix = f"make it return these alone by `{hook}`"
    return f"{described(out)}, and a classifier returns one tensor of logits [B, classes]: {fix}"


def described(out: Any) -> str:
    """What an output is, in words: a tensor's dtype and shape, or its type and what is in it."""
    if isinstance(out, Tensor):
        return f"{str(out.dtype).removeprefix('torch.')} {list(out.shape)}"
    inside = [f"{place.removeprefix('out')} {list(tensor.shape)}" for place, tensor in tensors_in(out)]
    more = f" and {len(inside) - 4} more" if len(inside) > 4 else ""
    return f"a {type(out).__name__}" + (f" ({', '.join(inside[:4])}{more})" if inside else "")


def tensors_in(out: Any, place: str = "out") -> Iterator[tuple[str, Tensor]]:
    """Every tensor in an output, with the Python that takes it from there."""
    if isinstance(out, Tensor):
        yield place, out
    elif isinstance(out, Mapping):
        for key, value in out.items():
            yield from tensors_in(value, f"{place}[{key!r}]")
    elif isinstance(out, tuple) and hasattr(out, "_fields"):
        for field in out._fields:
            yield from tensors_in(getattr(out, field), f"{place}.{field}")
    elif isinstance(out, list | tuple):
        for number, value in enumerate(out):
            yield from tensors_in(value, f"{place}[{number}]")
    elif dataclasses.is_dataclass(out):
        for each in dataclasses.fields(out):
            yield from tensors_in(getattr(out, each.name), f"{place}.{each.name}")
