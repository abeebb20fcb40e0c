"""`Program`: the steps of a model in order, each an operator at a site or a data movement, and `run`."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import GraphModule
from torch.utils._pytree import tree_flatten, tree_map

from radhard.errors import InputError
from radhard.machine import Clean, Cost, Counting, Machine, Operator, Recording, Site, backend_names, undisturbed
from radhard.machine.device import CPU, choose_device
from radhard.program.anatomy.overrides import NONE, Overrides
from radhard.program.anatomy.patches import ReceptiveFields, patch_of, pixels, unsigned, without_places
from radhard.program.node import NodeAccount
from radhard.program.quantization.calibration import Calibration
from radhard.program.relocated import makes_tensors, relocated

IDENTITIES = 1 << 53
"""Identities of images are below it: the counter of the random numbers has that many."""

Recipe = Literal["float", "int8", "int8-symmetric", "int8-float", "pt2e"]
_DIGESTED: dict[Recipe, str] = {"int8-symmetric": "int8", "int8": "int8-unsigned"}
"""How a recipe enters a digest where its name does not: as it was called when the first digests were made."""


def digested(recipe: str) -> str:
    """How a recipe enters digests."""
    return {str(name): text for name, text in _DIGESTED.items()}.get(recipe, recipe)


def recipe_digested(text: str) -> str:
    """The recipe that enters digests as `text`: inverse of `digested`."""
    return next((name for name, known in _DIGESTED.items() if known == text), text)


@dataclass(frozen=True)
class Ref:
    """A value of the program, by its number."""

    number: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Apply:
    """An operator applied at a site; None stands for an input that is absent."""

    operator: Operator
    inputs: tuple[Ref | None, ...]
    site: Site
    out: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Move:
    """Data moved or compared: no multiplication, no addition. `arguments` is a tree with `Ref` leaves."""

    function: Callable[..., Any]
    name: str
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]
    out: int

    def moved(self, value: Callable[[int], Any]) -> Any:
        """What it makes of its inputs, each the `value` of a number."""
        arguments, options = self._filled(value)
        return self.function(*arguments, **options)

    @cached_property
    def _filled(self) -> Callable[[Callable[[int], Any]], Any]:
        return _filler((self.arguments, dict(self.options)))


def _filler(tree: Any) -> Callable[[Callable[[int], Any]], Any]:
    """A tree with `Ref` leaves -> what fills them in: looked through once, where every run would do so."""
    if isinstance(tree, Ref):
        return lambda value: value(tree.number)
    if not any(isinstance(leaf, Ref) for leaf in tree_flatten(tree)[0]):
        return lambda _: tree
    if isinstance(tree, dict):
        fillers = {key: _filler(item) for key, item in tree.items()}
        return lambda value: {key: fill(value) for key, fill in fillers.items()}
    if type(tree) in (tuple, list):
        kind, parts = type(tree), [_filler(item) for item in tree]
        return lambda value: kind([fill(value) for fill in parts])
    return lambda value: tree_map(lambda leaf: value(leaf.number) if isinstance(leaf, Ref) else leaf, tree)


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """What a model computes, from images [B, *input_shape] float32 to logits [B, classes] float32.

    `constants` are weights and other tensors by value number. `graph` is the exported graph that the steps were
    lowered from; `quantize` starts from it; None where the program was read from a file. `accounts` says what became of
    each of its nodes, in their order. `calibration` holds the scales that an integer program was made with.
    `overrides`: what the user says of the anatomy.
    A program runs on one `device`; one that `to` has moved keeps the one on the `host` that it is a copy of, which says
    what it costs and which program it is.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    >>> images = torch.ones(2, 8)
    >>> program = rh.quantize(rh.capture(model, images), [images])
    >>> program.recipe, program.input_shape
    ('int8', (8,))
    >>> sum(cost.operations("mul") for cost in program.costs.values())  # 8 x 16 + 16 x 4
    192
    """

    name: str
    recipe: Recipe
    input_shape: tuple[int, ...]
    steps: tuple[Apply | Move, ...]
    constants: Mapping[int, Tensor]
    input: int
    output: int
    graph: GraphModule | None
    accounts: tuple[NodeAccount, ...] = ()
    calibration: Calibration | None = None
    overrides: Overrides = NONE
    device: torch.device = CPU
    host: "Program | None" = None

    def to(self, device: str | torch.device) -> "Program":
        """The same program on `device`, as `choose_device` reads it: its sites, costs and digest are the same."""
        meta = isinstance(device, torch.device) and device.type == "meta"
        chosen = torch.device("meta") if meta else choose_device(device)
        if chosen == self.device:
            return self
        host = self.on_host
        if chosen == host.device:
            return host
        copies: dict[int, Tensor] = {}
        steps = tuple(relocated(_placing(step, chosen), chosen, copies=copies) for step in host.steps)
        constants = relocated(dict(host.constants), chosen, copies=copies)
        return replace(host, steps=steps, constants=constants, device=chosen, host=host)

    @property
    def on_host(self) -> "Program":
        """The program as it was captured or quantised, before it was moved."""
        return self.host or self

    @property
    def sites(self) -> tuple[Site, ...]:
        """All sites, in the order of the program."""
        return tuple(step.site for step in self.steps if isinstance(step, Apply))

    @cached_property
    def costs(self) -> dict[Site, Cost]:
        """What each site costs for one image."""
        if self.host is not None:
            return self.host.costs
        counting = Counting()
        with undisturbed():
            counting.begin({}, torch.zeros(1, dtype=torch.int64))
            take_steps(self, torch.zeros(1, *self.input_shape, device=self.device), counting)
        return counting.costs

    def patches(self, grid: tuple[int, int]) -> dict[Site, NDArray[np.int16]]:
        """The patch of a grid (rows, columns) of the image that each unit of each site stands for; -1: none."""
        if self.host is not None:
            return self.host.patches(grid)
        if grid not in self._patches:
            self._patches[grid] = {site: patch_of(places, grid) for site, places in self.places().items()}
        return self._patches[grid]

    @cached_property
    def _patches(self) -> dict[tuple[int, int], dict[Site, NDArray[np.int16]]]:
        return {}

    def places(self) -> dict[Site, NDArray[np.float32]]:
        """The places [4, units] of the units of each site for one image, as `ReceptiveFields` finds them."""
        if self.host is not None:
            return self.host.places()
        if len(self.input_shape) != 3:
            raise InputError(f"{self.name} takes {list(self.input_shape)}: only images [C, H, W] have patches")
        placing = ReceptiveFields()
        constants = {number: without_places(value) for number, value in self.constants.items()}
        with undisturbed():
            program = replace(self, constants=constants, steps=tuple(map(unsigned, self.steps)))
            take_steps(program, pixels(self.input_shape), placing)
        return placing.places

    @property
    def backends(self) -> dict[str, str]:
        """The exact integer back ends in use on its device: of products with weights, and of attention products."""
        return {} if self.recipe == "float" else backend_names(self.device)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the steps, weights and scales: equal for programs that compute the same, on whatever device."""
        if self.host is not None:
            return self.host.digest
        state = hashlib.sha256()
        _feed(
            state,
            (
                _DIGESTED.get(self.recipe, self.recipe),
                self.input_shape,
                self.steps,
                dict(self.constants),
                self.input,
                self.output,
            ),
        )
        return state.hexdigest()

    @cached_property
    def _last_use(self) -> dict[int, int]:
        """The step that is the last to read each value."""
        last: dict[int, int] = {}
        for place, step in enumerate(self.steps):
            for ref in refs(step):
                last[ref.number] = place
        return last

    @cached_property
    def _last_read(self) -> dict[int, list[int]]:
        """By the place of a step: the values that it is the last to read, but the output."""
        found: dict[int, list[int]] = {}
        for number, place in self._last_use.items():
            if number != self.output:
                found.setdefault(place, []).append(number)
        return found

    @cached_property
    def makers(self) -> dict[int, Apply | Move]:
        """The step that makes each value."""
        return {step.out: step for step in self.steps}

    @cached_property
    def released(self) -> dict[int, list[int]]:
        """By the place of a step: the values that no later one reads, themselves or what moves alone make of them."""
        last = {**self._last_use, self.output: len(self.steps)}
        for step in reversed(self.steps):
            if isinstance(step, Move):
                for ref in refs(step):
                    last[ref.number] = max(last[ref.number], last.get(step.out, 0))
        released: dict[int, list[int]] = {}
        for number, place in last.items():
            released.setdefault(place, []).append(number)
        return released

    @cached_property
    def kept_bytes(self) -> int:
        """Bytes of the outputs of all sites, of one image."""
        if self.host is not None:
            return self.host.kept_bytes
        machine = Recording(Clean())
        run(self, torch.zeros(1, *self.input_shape, device=self.device), machine)
        return sum(out.nbytes for out in machine.outputs.values())

    def with_sites(self, change: Callable[[Site], Site]) -> "Program":
        """The same program with every site changed."""
        if self.host is not None:
            return self.host.with_sites(change).to(self.device)
        steps = (replace(s, site=change(s.site)) if isinstance(s, Apply) else s for s in self.steps)
        return replace(self, steps=tuple(steps))


@dataclass(frozen=True, kw_only=True, eq=False)
class RunResult:
    """`logits` [B, classes] float32, on the program's device; `non_finite` [B] int64 on the CPU: of each image the
    values that were not finite where they were to be quantised.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    >>> images = torch.ones(2, 8)
    >>> program = rh.quantize(rh.capture(model, images), [images])
    >>> result = rh.run(program, images)
    >>> result.logits.shape, result.non_finite.tolist()
    (torch.Size([2, 4]), [0, 0])
    """

    logits: Tensor
    non_finite: Tensor


def run(program: Program, images: Tensor, machine: Machine | None = None, *, ids: Tensor | None = None) -> RunResult:
    """Run `images` [B, *input_shape] float32 on `machine` (default Clean).

    `ids` [B] int64 says which image each is (default 0 ... B - 1): faults depend on it, and images of one identity meet
    the same faults. Raises InputError for images of another shape or type, or on another device than the program's, and
    for identities that cannot be.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    >>> images = torch.ones(2, 8)
    >>> program = rh.quantize(rh.capture(model, images), [images])
    >>> hit = rh.run(program, images, rh.Faulty(rh.Clean(), rh.Faults(ber=1e-3, seed=0)))
    >>> bool((hit.logits != rh.run(program, images).logits).any())
    True
    """
    machine = machine or Clean()
    if not isinstance(images, Tensor):
        raise InputError(f"images are {type(images).__name__}; {program.name} takes a float32 tensor")
    if images.is_meta or torch._C._functorch.is_functorch_wrapped_tensor(images):
        what = "on meta, where they have no values" if images.is_meta else "inside a transform of torch.func"
        raise InputError(f"images are {what}; {program.name} takes a plain tensor, all images as one batch")
    if images.ndim != 1 + len(program.input_shape) or tuple(images.shape[1:]) != program.input_shape:
        expected = ", ".join(["B", *map(str, program.input_shape)])
        raise InputError(
            f"images have shape {list(images.shape)}; {program.name} takes [{expected}]: resize the images, or capture "
            "the model with an example of this shape"
        )
    if images.dtype != torch.float32:
        raise InputError(f"images are {images.dtype}; convert them with images.float() and normalise them")
    if images.device != program.device:
        raise InputError(
            f"images are on {images.device} and {program.name} is on {program.device}: move one of the two, "
            f"images.to({str(program.device)!r}) or program.to({str(images.device)!r})"
        )
    ids = identities(ids, len(images))
    logits = None
    with undisturbed(images.device):
        while logits is None or not machine.settled():
            machine.begin({} if isinstance(machine, Clean) else program.costs, ids)  # Clean needs no costs
            if len(images):
                logits = take_steps(program, images, machine)
            else:  # nothing is computed of no images, which are shaped like one
                logits = take_steps(program, images.new_zeros(1, *program.input_shape), Clean())[:0]
    return RunResult(logits=logits, non_finite=machine.non_finite.cpu())


def identities(ids: Tensor | None, count: int) -> Tensor:
    """`ids` [B] int64 of `count` images, on the CPU; by default 0, 1, 2 ... InputError for what can be none."""
    if ids is None:
        return torch.arange(count, device="cpu")
    if not isinstance(ids, Tensor):
        raise InputError(f"ids are {type(ids).__name__}; give a tensor, one int64 for each of {count} images")
    if ids.shape != (count,) or ids.dtype != torch.int64:
        raise InputError(f"ids have shape {list(ids.shape)}, {ids.dtype}; one int64 for each of {count} images")
    if ids.is_meta:
        raise InputError("ids are on meta, where they have no value; give them on the CPU")
    ids = ids.cpu()
    if bool((wrong := (ids < 0) | (ids >= IDENTITIES)).any()):
        raise InputError(f"ids: {int(ids[wrong][0])} is no identity of an image; give integers from 0 to 2**53 - 1")
    return ids


def take_steps(program: Program, images: Tensor, machine: Machine) -> Tensor:
    """Every step in order on a machine that has begun; a value is let go after its last use."""
    values: dict[int, Any] = {**program.constants, program.input: images}
    for place, step in enumerate(program.steps):
        if isinstance(step, Apply):
            inputs = [None if ref is None else values[ref.number] for ref in step.inputs]
            values[step.out] = machine.apply(step.operator, inputs, step.site)
        else:
            values[step.out] = step.moved(values.__getitem__)
        for number in program._last_read.get(place, ()):
            values.pop(number, None)
    logits: Tensor = values[program.output]
    return logits


def _placing(step: Apply | Move, device: torch.device) -> Apply | Move:
    """A step that says the device where it makes tensors of none."""
    if isinstance(step, Move) and makes_tensors(step.function) and step.options.get("device") is None:
        return replace(step, options={**step.options, "device": device})
    return step


def refs(step: Apply | Move) -> list[Ref]:
    """The values that a step reads."""
    leaves = step.inputs if isinstance(step, Apply) else tree_flatten((step.arguments, dict(step.options)))[0]
    return [leaf for leaf in leaves if isinstance(leaf, Ref)]


def _feed(state: Any, value: Any) -> None:
    """Feed a tree of values into a hash, tensors by their bytes."""
    if isinstance(value, Tensor):
        state.update(f"{value.dtype}{list(value.shape)}".encode())
        state.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    elif isinstance(value, Site):
        state.update(value.name.encode())
    elif is_dataclass(value):
        state.update(type(value).__name__.encode())
        for field in fields(value):
            later = "later" in field.metadata and getattr(value, field.name) == field.default
            if field.name != "function" and not later:
                _feed(state, getattr(value, field.name))
    elif isinstance(value, dict):
        _feed(state, sorted(value.items()))
    elif isinstance(value, tuple | list):
        state.update(f"[{len(value)}".encode())
        for item in value:
            _feed(state, item)
    else:
        state.update(f"{value!r};".encode())
