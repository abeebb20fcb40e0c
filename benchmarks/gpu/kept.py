"""A program in a file, to be run by another process of the same code; the exported graph stays behind."""

import pickle
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch._ops import OpOverload
from torch.fx import Graph, GraphModule

from radhard.program import Program


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Operators of torch by their names, for they cannot be pickled; values by their fields, without caches."""
        if isinstance(value, OpOverload):
            namespace, name = value._schema.name.split("::")
            return _operator, (namespace, name, value._overloadname)
        if is_dataclass(value) and not isinstance(value, type) and type(value).__module__.startswith("radhard."):
            return _value, (type(value), {field.name: getattr(value, field.name) for field in fields(value)})
        return NotImplemented


def _value(kind: type[Any], found: dict[str, Any]) -> Any:
    made = object.__new__(kind)
    for name, value in found.items():
        object.__setattr__(made, name, value)
    return made


def _operator(namespace: str, name: str, overload: str) -> OpOverload:
    found: OpOverload = getattr(getattr(getattr(torch.ops, namespace), name), overload)
    return found


def keep(program: Program, path: Path) -> None:
    """Write the program; the file is there once it is whole."""
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        _Pickler(file).dump(replace(program, graph=GraphModule({}, Graph())))
    new.replace(path)


def kept(path: Path) -> Program:
    """The program of a file that `keep` wrote."""
    program: Program = pickle.loads(path.read_bytes())
    return program
