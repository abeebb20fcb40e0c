"""Moves a program's values to another device: tensors, and the device names inside them.

What a graph was exported with says `cpu` where it makes tensors, such as the zeros that a pad adds or the positions of
tokens: these are made on the new device, too.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from radhard.machine import Site


def relocated(value: Any, device: torch.device, *, copies: dict[int, Tensor]) -> Any:
    """`value`, a tree of frozen dataclasses, mappings and sequences, on `device`; itself where it holds no tensor.

    `copies`: by their id, the tensors that were copied so far, so that one that is shared stays shared.
    """
    if isinstance(value, Tensor):
        if value.device == device:
            return value
        return copies.setdefault(id(value), value.to(device))
    if isinstance(value, torch.device):
        return device
    if isinstance(value, Site):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        own = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        new = {name: relocated(part, device, copies=copies) for name, part in own.items()}
        changed = {name: part for name, part in new.items() if part is not own[name]}
        return replace(value, **changed) if changed else value
    if isinstance(value, Mapping):
        return _unless_same(value, {key: relocated(part, device, copies=copies) for key, part in value.items()})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return _unless_same(value, type(value)(*(relocated(part, device, copies=copies) for part in value)))
    if isinstance(value, tuple | list):
        parts = [relocated(part, device, copies=copies) for part in value]
        return _unless_same(value, tuple(parts) if isinstance(value, tuple) else parts)
    return value


def makes_tensors(function: Any) -> bool:
    """Whether an ATen operation makes a tensor from none, on the CPU unless it is given a device."""
    schema = getattr(function, "_schema", None)
    if schema is None:
        return False
    arguments = schema.arguments
    tensors = any("Tensor" in str(argument.type) for argument in arguments)
    return not tensors and any(argument.name == "device" for argument in arguments)


def _unless_same(old: Any, new: Any) -> Any:
    """`new`, or `old` where all their parts are the same."""
    pairs = zip(old.values(), new.values(), strict=True) if isinstance(old, Mapping) else zip(old, new, strict=True)
    return old if all(a is b for a, b in pairs) else new
