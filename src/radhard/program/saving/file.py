"""A program as one file: a line with the checksum of its head, the head in JSON, the bytes of its tensors.

The exported graph is not in it: a program that was read runs and is measured like the one that was written, and cannot
be quantised again. Its tensors are mapped into memory, so that processes that read one file share them.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, get_args

import numpy as np
import torch

from radhard.program.anatomy.overrides import Overrides
from radhard.program.node import NodeAccount
from radhard.program.program import Apply, Move, Program, Recipe
from radhard.program.quantization.calibration import Calibration
from radhard.program.saving.errors import UnreadableError, UnsavableError
from radhard.program.saving.graphs import graph_text
from radhard.program.saving.tensors import ALIGNED, TensorLayout, TensorTable, tensor_at
from radhard.program.saving.values import from_json, function_name, function_of, to_json

__all__ = ["UnreadableError", "UnsavableError", "read_program", "write_program"]

FORMAT = "radhard-program 1"


def write_program(program: Program, file: BinaryIO) -> str:
    """Write a program on the CPU into a file -> the checksum of its head, SHA-256: of all that the program is.

    UnsavableError for one with an operator of the user's own; OSError of the file.
    """
    tensors = TensorTable()
    head = _head(program.on_host, tensors)
    head["costs"] = [to_json(cost, tensors) for cost in program.costs.values()]  # of its sites, in their order
    text = _text(head, tensors)
    checksum = hashlib.sha256(text).hexdigest()
    first = f"{FORMAT} {checksum} {len(text)}\n".encode()
    file.write(first)
    file.write(text)
    file.write(bytes(-(len(first) + len(text)) % ALIGNED))
    for part in tensors.content():
        file.write(part)
    return checksum


def fingerprint(program: Program) -> str:
    """SHA-256 of all that a program is, its exported graph included. UnsavableError as of `write_program`."""
    host, tensors = program.on_host, TensorTable()
    state = hashlib.sha256(_text(_head(host, tensors), tensors))
    state.update(b"" if host.graph is None else graph_text(host.graph).encode())
    return state.hexdigest()


def read_program(path: Path) -> Program:
    """The program of a file, every bit of it checked. UnreadableError for what is none or damaged; OSError."""
    try:
        return _read(path)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError, RecursionError) as error:
        raise UnreadableError(f"{path} is damaged ({type(error).__name__}: {error})") from error


def _read(path: Path) -> Program:
    with path.open("rb") as file:
        first = file.readline(256)
        name, checksum, length = first.decode("ascii").rsplit(" ", 2)
        if name != FORMAT:
            raise UnreadableError(f"{path} is no program of this version of radhard")
        text = file.read(int(length))
    if hashlib.sha256(text).hexdigest() != checksum:
        raise UnreadableError(f"{path} is damaged: its head has another checksum")
    head = json.loads(text)
    begin = len(first) + len(text) + -(len(first) + len(text)) % ALIGNED
    size = path.stat().st_size
    if size != begin + head["bytes"]:
        raise UnreadableError(f"{path} is damaged: it has {size:,} bytes, {begin + head['bytes']:,} are due")
    content = np.asarray(np.memmap(path, dtype=np.uint8, mode="c", shape=(size,)))[begin:]
    tensors = [tensor_at(content, TensorLayout.from_list(each)) for each in head["tensors"]]
    program = _program(head, tensors)
    if program.digest != head["digest"]:
        raise UnreadableError(f"{path} is damaged: its tensors have another checksum")
    costs = [from_json(cost, tensors) for cost in head["costs"]]
    vars(program)["costs"] = dict(zip(program.sites, costs, strict=True))  # as the property keeps it, once counted
    return program


def _text(head: dict[str, Any], tensors: TensorTable) -> bytes:
    """The head in JSON, with where the tensors lie."""
    head = {**head, "tensors": [layout.as_list() for layout in tensors.layouts], "bytes": tensors.bytes}
    return json.dumps(head, separators=(",", ":"), allow_nan=False).encode()


def _head(program: Program, tensors: TensorTable) -> dict[str, Any]:
    steps = [
        {
            "operator": to_json(step.operator, tensors),
            "inputs": to_json(step.inputs, tensors),
            "site": to_json(step.site, tensors),
            "out": step.out,
        }
        if isinstance(step, Apply)
        else {
            "function": function_name(step.function),
            "name": step.name,
            "arguments": to_json(step.arguments, tensors),
            "options": to_json(dict(step.options), tensors),
            "out": step.out,
        }
        for step in program.steps
    ]
    return {
        "name": program.name,
        "recipe": program.recipe,
        "input_shape": list(program.input_shape),
        "digest": program.digest,
        "steps": steps,
        "constants": [[number, to_json(value, tensors)] for number, value in program.constants.items()],
        "input": program.input,
        "output": program.output,
        "accounts": [[each.op, each.path, each.role, list(each.sites)] for each in program.accounts],
        "calibration": None if program.calibration is None else program.calibration.as_dict(),
        "overrides": [list(row) for row in program.overrides.rows],
    }


def _program(head: dict[str, Any], tensors: list[torch.Tensor]) -> Program:
    recipe: Recipe = next(known for known in get_args(Recipe) if known == head["recipe"])
    calibration = head["calibration"]
    return Program(
        name=head["name"],
        recipe=recipe,
        input_shape=tuple(head["input_shape"]),
        steps=tuple(_steps(head, tensors)),
        constants={number: from_json(value, tensors) for number, value in head["constants"]},
        input=head["input"],
        output=head["output"],
        graph=None,
        accounts=tuple(
            NodeAccount(op=op, path=path, role=role, sites=tuple(sites)) for op, path, role, sites in head["accounts"]
        ),
        calibration=None if calibration is None else Calibration.from_dict(calibration, place=head["name"]),
        overrides=Overrides(rows=tuple((pattern, layer, module) for pattern, layer, module in head["overrides"])),
    )


def _steps(head: dict[str, Any], tensors: list[torch.Tensor]) -> Iterator[Apply | Move]:
    for step in head["steps"]:
        if "operator" in step:
            yield Apply(
                operator=from_json(step["operator"], tensors),
                inputs=from_json(step["inputs"], tensors),
                site=from_json(step["site"], tensors),
                out=step["out"],
            )
        else:
            yield Move(
                function=function_of(step["function"]),
                name=step["name"],
                arguments=from_json(step["arguments"], tensors),
                options=from_json(step["options"], tensors),
                out=step["out"],
            )
