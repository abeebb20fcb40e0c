"""A program that was read is the one that was written, bit by bit; a file with any bit changed is none."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from radhard.campaign.build import build_program
from radhard.errors import InputError
from radhard.machine import Add
from radhard.models.load import load
from radhard.models.zoo import ZOO
from radhard.program import Apply, Move, Program, capture, quantize, run
from radhard.program.lowering.moves import MOVES
from radhard.program.saving import UnreadableError, UnsavableError, read_program, write_program
from radhard.program.saving.file import fingerprint
from radhard.program.saving.tensors import TensorLayout, TensorTable, tensor_at
from radhard.program.saving.values import function_name, function_of
from tests.support.models import tiny_program

RECIPES = ("float", "int8", "int8-symmetric")


@cache
def made(name: str, recipe: str) -> Program:
    return build_program(load(name), recipe=recipe)


def saved(program: Program, path: Path) -> Path:
    with path.open("wb") as file:
        write_program(program, file)
    return path


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", ["fashion-vit", "fashion-resnet20", "fashion-deepvit", "fashion-cait", "fashion-swin"])
def test_a_program_that_was_read_is_the_one_that_was_written(name: str, recipe: str, tmp_path: Path) -> None:
    assert name in ZOO
    program = made(name, recipe)
    read = read_program(saved(program, tmp_path / "x.program"))
    images = torch.randn(3, *program.input_shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(run(read, images).logits, run(program, images).logits)
    assert read.digest == program.digest
    for field in ("name", "recipe", "input_shape", "sites", "input", "output", "accounts", "calibration", "overrides"):
        assert getattr(read, field) == getattr(program, field), field
    assert read.costs == program.costs
    for ours, theirs in zip(read.steps, program.steps, strict=True):
        assert type(ours) is type(theirs)
        if isinstance(ours, Apply) and isinstance(theirs, Apply):
            assert type(ours.operator) is type(theirs.operator)
        if isinstance(ours, Move) and isinstance(theirs, Move):
            assert ours.function is theirs.function or type(ours.function) is type(theirs.function)


def test_tensors_lie_in_memory_as_they_did_and_where_torch_puts_them(tmp_path: Path) -> None:
    program = made("fashion-vit", "int8")
    read = read_program(saved(program, tmp_path / "x.program"))
    for number, tensor in program.constants.items():
        assert read.constants[number].stride() == tensor.stride()
        assert read.constants[number].data_ptr() % 64 == 0
        assert read.constants[number].untyped_storage().nbytes() == tensor.nbytes  # what saves one saves no other


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x.T, lambda x: x[:, 1:3], lambda x: x[::2], lambda x: x[0, 0].expand(3, 4), lambda x: x[:0],
        lambda x: x.to(torch.bool), lambda x: x.reshape(2, 2, 2, 5).to(memory_format=torch.channels_last),
        lambda x: x.to(torch.bfloat16), lambda x: x[0, 0],
    ],
)  # fmt: skip
def test_any_layout_comes_back(make: Callable[[Tensor], Tensor]) -> None:
    tensor, table = make(torch.arange(40.0).reshape(8, 5) - 3), TensorTable()
    assert table.number(tensor) == table.number(tensor) == 0
    content = np.frombuffer(bytearray(b"".join(table.content())), dtype=np.uint8)
    found = tensor_at(content, TensorLayout.from_list(table.layouts[0].as_list()))
    assert torch.equal(found, tensor)
    assert (found.stride(), found.dtype) == (tensor.stride(), tensor.dtype)


def test_every_flipped_bit_and_every_cut_is_found(tmp_path: Path) -> None:
    path = saved(tiny_program("int8"), tmp_path / "x.program")
    whole = path.read_bytes()
    draw = torch.Generator().manual_seed(1)
    for place in torch.randint(len(whole) * 8, (150,), generator=draw).tolist():
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            read = read_program(path)
        except UnreadableError:
            continue
        assert read.digest == tiny_program("int8").digest  # a bit between two tensors, which nothing reads
        assert fingerprint(read) == fingerprint(read_program(saved(tiny_program("int8"), tmp_path / "y.program")))
    for size in (0, 1, 60, 5000, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(UnreadableError):
            read_program(path)


def test_what_a_file_names_is_radhards_own(tmp_path: Path) -> None:
    path = saved(tiny_program("int8"), tmp_path / "x.program")
    text = path.read_bytes()
    for ours, other in ((b"radhard.operators.linear.Linear", b"subprocess.Popen"), (b"aten.", b"prim.")):
        assert ours in text
        head = rehashed(text.replace(ours, other))
        path.write_bytes(head)
        with pytest.raises(UnreadableError, match=r"is not one of radhard's operators|is no function"):
            read_program(path)


def rehashed(content: bytes) -> bytes:
    """The file with the checksum and the length of its head put right."""
    rest = content.partition(b"\n")[2]
    end = rest.index(b"}\0") + 1 if b"}\0" in rest else rest.rindex(b"}") + 1
    head = rest[:end]
    line = f"radhard-program 1 {hashlib.sha256(head).hexdigest()} {len(head)}\n".encode()
    size = len(line) + len(head)
    return line + head + bytes(-size % 64) + rest[end:].lstrip(b"\0")


class Own(Add):
    """An operator of the user's."""

    name: ClassVar[str] = "own"


def test_an_operator_of_the_users_is_not_written(tmp_path: Path) -> None:
    program = tiny_program("float")
    steps = list(program.steps)
    place = next(place for place, step in enumerate(steps) if isinstance(step, Apply) and type(step.operator) is Add)
    steps[place] = replace(steps[place], operator=Own())  # type: ignore[type-var]
    with pytest.raises(UnsavableError, match="Own"):
        saved(replace(program, steps=tuple(steps)), tmp_path / "x.program")


def test_a_function_of_the_users_is_not_written(tmp_path: Path) -> None:
    program = tiny_program("float")
    steps = [replace(step, function=lambda x: x) if isinstance(step, Move) else step for step in program.steps]
    with pytest.raises(UnsavableError, match="lambda"):
        saved(replace(program, steps=tuple(steps)), tmp_path / "x.program")


def test_a_program_that_was_read_says_that_it_cannot_be_quantised(tmp_path: Path) -> None:
    read = read_program(saved(tiny_program("float"), tmp_path / "x.program"))
    with pytest.raises(InputError, match="without its exported graph"):
        quantize(read, [torch.zeros(2, *read.input_shape)])


def test_a_fingerprint_tells_graphs_apart_that_compute_the_same() -> None:
    """A copy that nothing needs is no step of the program, and yet a node that quantisation looks at."""

    class Copying(nn.Module):
        def __init__(self, copies: int) -> None:
            super().__init__()
            self.one, self.copies = nn.Linear(4, 4), copies
            nn.init.ones_(self.one.weight)
            nn.init.zeros_(self.one.bias)

        def forward(self, x: Tensor) -> Tensor:
            x = self.one(x)
            for _ in range(self.copies):
                x = x.clone()
            return x.relu()

    example = torch.ones(2, 4)
    without, with_one, again = (capture(Copying(n).eval(), example, name="c") for n in (0, 1, 0))
    assert without.digest == with_one.digest
    assert fingerprint(without) != fingerprint(with_one)
    assert fingerprint(without) == fingerprint(again)


@pytest.mark.parametrize("operation", MOVES)
def test_every_move_of_data_has_a_name_that_leads_back_to_it(operation: Any) -> None:
    function = MOVES[operation].function
    assert function_of(function_name(function)) == function
