"""Programs move between devices as modules do: every tensor that they read goes along, and they stay who they are."""

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from radhard.campaign.build import build_program
from radhard.deploy import harden
from radhard.errors import InputError
from radhard.kernels import backends, on_device, write
from radhard.kernels.library import heard, no_events, note_repaired
from radhard.kernels.ranges import quantize_within, within
from radhard.machine import Clean, Site
from radhard.machine.device import choose_device
from radhard.models.load import load
from radhard.models.zoo import ZOO
from radhard.operators.tables import Tables
from radhard.program import Program, capture, run
from radhard.program.program import take_steps
from radhard.protection import Protection
from tests.support.fake_gpu import GPU, fake_gpu
from tests.support.models import tiny_program

META = torch.device("meta")


@pytest.fixture(params=list(ZOO))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def program(name: str) -> Program:
    return built(name, "int8")


@cache
def built(name: str, recipe: str) -> Program:
    return build_program(load(name), recipe=recipe)


def test_every_tensor_of_a_program_moves_with_it(program: Program) -> None:
    moved = program.to(META)
    found = [*tensors_in(moved.steps), *tensors_in(moved.constants)]
    assert {leaf.device if isinstance(leaf, Tensor) else leaf for leaf in found} == {META}
    assert len(found) == len([*tensors_in(program.steps), *tensors_in(program.constants)])


def test_a_moved_program_is_the_same_one(program: Program) -> None:
    moved = program.to(META)
    assert (moved.device, program.device) == (META, torch.device("cpu"))
    assert moved.digest == program.digest
    assert moved.costs == program.costs
    assert all(a is b for a, b in zip(moved.sites, program.sites, strict=True))
    assert moved.kept_bytes == program.kept_bytes
    assert moved.to("cpu") is program
    assert program.to("cpu") is program
    grid = (7, 7)
    assert moved.patches(grid) is program.patches(grid)


@pytest.mark.parametrize("recipe", ["int8", "float"])
def test_a_run_mixes_no_devices_and_waits_for_no_value(name: str, recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_device, "kernels", lambda: None)
    monkeypatch.setattr(Tables, "of", table_of_zeros)  # at its first use a table waits for the numbers that it is of
    monkeypatch.setattr(write, "loops", lambda: None)  # which read memory, and fake tensors have none
    float32 = next(one for one in backends.BACKENDS if one.name == "float32")
    monkeypatch.setattr(backends, "_chosen", lambda *_: float32)
    monkeypatch.setattr("radhard.program.program.choose_device", lambda _: GPU)
    program = built(name, recipe)
    with fake_gpu():
        moved = program.to(GPU)
        machine = Clean()
        machine.begin({}, torch.arange(2))
        logits = take_steps(moved, torch.empty(2, *program.input_shape, device=GPU), machine)
    assert logits.device == GPU
    assert logits.shape == (2, 10)


def test_sites_of_a_moved_program_change_on_both() -> None:
    program = tiny_program("int8")
    changed = program.to(META).with_sites(lambda site: site)
    assert changed.device == META
    assert changed.digest == program.digest


def test_images_are_to_be_where_the_program_is() -> None:
    program = tiny_program("int8").to(META)
    with pytest.raises(
        InputError, match=r"images are on cpu and .* is on meta.*images.to\('meta'\) or program.to\('cpu'\)"
    ):
        run(program, torch.zeros(1, *program.input_shape))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gpu", "device 'gpu' is not known: write cpu, cuda, cuda:N or auto"),
        ("cuda:", "device 'cuda:' is not known"),
        ("cuda:one", "device 'cuda:one' is not known"),
        ("cpu:0", "device 'cpu:0' is not known"),
    ],
)
def test_a_device_that_is_none_is_told(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        choose_device(text)


class Making(nn.Module):
    """Adds numbers that it makes for so many images as it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        numbers = torch.arange(x.shape[0]).clamp(max=0).float()
        return self.head(x + numbers[:, None] + torch.ones(x.shape[0], 8))


def test_what_a_model_makes_is_made_where_it_is() -> None:
    program = capture(Making().eval(), torch.zeros(2, 8))
    named = [leaf for leaf in tensors_in(program.steps) if isinstance(leaf, torch.device)]
    assert named, "the model is to name a device in its program"
    assert {leaf for leaf in tensors_in(program.to(META).steps) if isinstance(leaf, torch.device)} == {META}
    x = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    hardened = harden(program, Protection())
    assert torch.equal(hardened(x), run(program, x).logits)
    with fake_gpu():
        assert hardened.to(GPU).body(torch.empty(2, 8, device=GPU)).device == GPU


@pytest.mark.parametrize("outside", ["zero", "clamp"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int32])
def test_a_range_waits_for_nothing(outside: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_device, "kernels", lambda: None)
    with fake_gpu():
        events = torch.zeros(7, dtype=torch.int64, device=GPU)
        x = torch.empty(4, 5, dtype=dtype, device=GPU)
        assert within(x, -1.0, 1.0, outside, events).device == GPU
        if dtype == torch.float32:
            assert quantize_within(x, 1.0, [0, -128, 127], -1.0, 1.0, outside, events).device == GPU


@pytest.mark.parametrize("flagged", [0, 1, 5])
def test_events_are_counted_alike(flagged: int) -> None:
    one, other = no_events(), no_events()
    with heard() as told:
        note_repaired(one, checks=9, flagged=flagged)
        note_repaired(other, checks=9, flagged=torch.tensor(flagged))
    assert one.tolist() == other.tolist()
    assert told[other.data_ptr()].tolist() == one.tolist()


def table_of_zeros(_: Tables, numbers: Any, device: torch.device, *, make: Any) -> Tensor:
    made: Tensor = make([None if x is None else torch.zeros(()) for x in numbers])
    return made.to(device)


def tensors_in(value: Any) -> list[Any]:
    """The tensors and the devices within a value, wherever they are."""
    if isinstance(value, Tensor | torch.device):
        return [value]
    if isinstance(value, Site):
        return []
    if is_dataclass(value) and not isinstance(value, type):
        return tensors_in([getattr(value, field.name) for field in fields(value)])
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for part in value for leaf in tensors_in(part)] if isinstance(value, tuple | list) else []
