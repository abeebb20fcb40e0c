"""The values of a program as JSON and back: numbers, texts, trees of them, tensors, operators, sites, moves of data.

Only what is named here is written or read: operators and machines' values of radhard, ATen operations, and the few
functions that moves of data call. An operator that a user registered, or a function, is refused.
"""

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from radhard.program.lowering.moves import FUNCTIONS, WRAPPED
from radhard.program.program import Ref
from radhard.program.saving.errors import UnreadableError, UnsavableError
from radhard.program.saving.tensors import TensorTable

_HOMES = ("radhard.operators.", "radhard.machine.", "radhard.kernels.")
_NAMED = {"dtype": torch.dtype, "layout": torch.layout, "memory_format": torch.memory_format}
_KIND = "is"


def to_json(value: Any, tensors: TensorTable) -> Any:
    """A value as JSON, its tensors put into the table. UnsavableError for what has no such form."""
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, list):
        return [to_json(part, tensors) for part in value]
    kind, content = _parts(value, tensors)
    return {_KIND: kind, "of": content}


def from_json(value: Any, tensors: Sequence[Tensor]) -> Any:
    """Inverse of `to_json`. UnreadableError for what that does not write."""
    if isinstance(value, list):
        return [from_json(part, tensors) for part in value]
    if not isinstance(value, dict):
        return value
    kind, content = value[_KIND], value["of"]
    if kind == "tuple":
        return tuple(from_json(part, tensors) for part in content)
    if kind == "dict":
        return {from_json(key, tensors): from_json(part, tensors) for key, part in content}
    if kind == "tensor":
        return tensors[content]
    if kind == "ref":
        return Ref(content)
    if kind == "float":
        return float(content)
    if kind == "device":
        return torch.device(content)
    if kind == "slice":
        return slice(*(from_json(part, tensors) for part in content))
    if kind in _NAMED:
        found = getattr(torch, content, None)
        if isinstance(found, _NAMED[kind]):
            return found
        raise UnreadableError(f"{content!r} is no {kind} of torch")
    known = {name: from_json(part, tensors) for name, part in content.items()}
    return _class(kind)(**known)


def function_name(function: Any) -> str:
    """How a file names what a move of data calls. UnsavableError for a function of the user's."""
    if isinstance(function, torch._ops.OpOverload) and function.namespace == "aten":
        return str(function)
    for name, kind in WRAPPED.items():
        if type(function) is kind:
            return f"{name}({function_name(function.op)})"
    for name, known in FUNCTIONS.items():
        if function is known:
            return name
    raise UnsavableError(f"a move of data calls {function}, which is not one of radhard's")


def function_of(name: str) -> Any:
    """Inverse of `function_name`. UnreadableError for any other name."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    around, _, inner = name.partition("(")
    if inner and around in WRAPPED:
        return WRAPPED[around](function_of(inner.removesuffix(")")))
    namespace, _, rest = name.partition(".")
    operation, _, overload = rest.partition(".")
    found = getattr(getattr(torch.ops.aten, operation, None), overload, None) if namespace == "aten" else None
    if not isinstance(found, torch._ops.OpOverload):
        raise UnreadableError(f"{name!r} is no function of a move of data")
    return found


def _parts(value: Any, tensors: TensorTable) -> tuple[str, Any]:
    """The kind of a value that is not JSON itself, and what it is made of."""
    if isinstance(value, tuple):
        return "tuple", [to_json(part, tensors) for part in value]
    if isinstance(value, Mapping):
        return "dict", [[to_json(key, tensors), to_json(part, tensors)] for key, part in value.items()]
    if isinstance(value, Tensor):
        return "tensor", tensors.number(_plain(value))
    if isinstance(value, Ref):
        return "ref", value.number
    if isinstance(value, float):
        return "float", str(value)
    if isinstance(value, torch.device):
        return "device", str(value)
    if isinstance(value, slice):
        return "slice", [to_json(part, tensors) for part in (value.start, value.stop, value.step)]
    for kind, type_ in _NAMED.items():
        if isinstance(value, type_):
            return kind, str(value).removeprefix("torch.")
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if not (is_dataclass(value) and name.startswith(_HOMES)):
        raise UnsavableError(f"a {name} is not one of radhard's operators")
    return name, {each.name: to_json(getattr(value, each.name), tensors) for each in fields(value) if each.init}


def _plain(tensor: Tensor) -> Tensor:
    """The tensor itself, where it is numbers on the CPU."""
    sparse = tensor.layout != torch.strided or tensor.is_quantized or tensor.is_conj() or tensor.is_neg()
    if sparse or tensor.device.type != "cpu" or type(tensor) not in (Tensor, torch.nn.Parameter):
        raise UnsavableError(f"a tensor is {type(tensor).__name__} on {tensor.device}, {tensor.layout}")
    return tensor


def _class(name: str) -> Any:
    """The dataclass of radhard's operators, machines or kernels with that name."""
    home, _, own = name.rpartition(".")
    if name.startswith(_HOMES):
        found = getattr(importlib.import_module(home), own, None)
        if isinstance(found, type) and is_dataclass(found) and found.__module__ == home:
            return found
    raise UnreadableError(f"{name!r} is not one of radhard's operators")
