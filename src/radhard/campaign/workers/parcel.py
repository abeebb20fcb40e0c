"""Messages to workers: the parts of a model under test, each sent once, and jobs that name them by digest.

A part is pickled by the process that drives a campaign and read by the workers that it started or was told of, over a
connection of theirs. Nothing is read so from a file, and nothing that a user has downloaded.
"""

import hashlib
import io
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.fx import GraphModule

from radhard.campaign.experiment import Setting, Unit, canonical_json
from radhard.campaign.measure import Job, Measured, measure
from radhard.campaign.model_under_test import ModelUnderTest, made_by
from radhard.campaign.outcomes import Outcome
from radhard.errors import InputError
from radhard.models.data.dataset import Dataset
from radhard.program import Program

MOST_MODELS = 2
"""Models under test that a worker holds at a time: a plan has one whose images choose and one whose images judge."""


@dataclass(frozen=True, kw_only=True)
class PartList:
    """A model under test by the digests of its parts: `programs` by recipe, and the data."""

    model: str
    programs: tuple[tuple[str, str], ...]
    data: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    device: str
    pixels: Any = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hexadecimal of what it names."""
        named = [self.model, self.programs, self.data, self.mean, self.std, self.device]
        return hashlib.sha256(canonical_json(named).encode()).hexdigest()

    @property
    def parts(self) -> frozenset[str]:
        """The digests of its programs and of its data."""
        return frozenset((self.data, *(digest for _, digest in self.programs)))


def part_list_of(under_test: ModelUnderTest) -> PartList:
    """What names a model under test."""
    return PartList(
        model=under_test.model,
        programs=tuple(sorted((recipe, program.digest) for recipe, program in under_test.programs.items())),
        data=under_test.data.digest,
        mean=under_test.mean,
        std=under_test.std,
        device=str(under_test.device),
        pixels=under_test.pixels,
    )


def parts_of(under_test: ModelUnderTest) -> dict[str, bytes]:
    """The packed parts of a model under test, by their digests."""
    found = {program.digest: packed(replace(program.on_host)) for program in under_test.programs.values()}
    return {**found, under_test.data.digest: packed(replace(under_test.data, names=(), skipped=(), remarks=()))}


@dataclass(frozen=True, kw_only=True)
class Order:
    """A job as it is sent: of which `model_under_test`, at most so many images a `batch`, each unit by its key."""

    model_under_test: str
    batch: int
    keys: tuple[tuple[str, int, int, int], ...]
    clean: Outcome | None


def order_of(job: Job, *, model_under_test: str, batch: int) -> Order:
    """A job as it is sent."""
    return Order(
        model_under_test=model_under_test, batch=batch, keys=tuple(unit.key for unit in job.units), clean=job.clean
    )


def settings_of(job: Job) -> dict[str, Setting]:
    """The settings of a job's units, by digest."""
    return {unit.setting.digest: unit.setting for unit in job.units}


@dataclass(kw_only=True)
class Shelf:
    """What a worker holds: parts and settings by digest, and the models under test that they make up."""

    parts: dict[str, Program | Dataset] = field(default_factory=dict)
    settings: dict[str, Setting] = field(default_factory=dict)
    models_under_test: dict[str, ModelUnderTest] = field(default_factory=dict)
    made_by: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def put(self, model_under_test: PartList, parts: Mapping[str, bytes]) -> None:
        """Take a model under test, with the parts that are not here yet; the oldest goes where there are too many."""
        self.parts |= {digest: unpacked(content) for digest, content in parts.items()}
        programs: dict[str, Program] = {recipe: self.parts[digest] for recipe, digest in model_under_test.programs}  # type: ignore[misc]
        data = self.parts[model_under_test.data]
        assert isinstance(data, Dataset)
        plain = ModelUnderTest(
            model=model_under_test.model,
            programs=programs,
            data=data,
            mean=model_under_test.mean,
            std=model_under_test.std,
            pixels=model_under_test.pixels,
        )
        self.models_under_test[model_under_test.digest] = plain.on(model_under_test.device)
        self.made_by[model_under_test.digest] = made_by(self.models_under_test[model_under_test.digest])
        for old in list(self.models_under_test)[:-MOST_MODELS]:
            del self.models_under_test[old], self.made_by[old]
        held = {
            id(part)
            for b in self.models_under_test.values()
            for part in (b.data, *(p.on_host for p in b.programs.values()))
        }
        self.parts = {digest: part for digest, part in self.parts.items() if id(part) in held}

    def run(self, order: Order) -> tuple[tuple[Measured, ...], str]:
        """Run a job: what came out of each unit, and what made it, as JSON."""
        units = tuple(
            Unit(setting=self.settings[digest], trial=trial, start=start, stop=stop)
            for digest, trial, start, stop in order.keys
        )
        model_under_test = self.models_under_test[order.model_under_test]
        found = measure(Job(units=units, clean=order.clean), model_under_test, batch=order.batch)
        return found, self.made_by[order.model_under_test].get(units[0].setting.program, "")


@dataclass(kw_only=True)
class Sent:
    """What a worker has been sent, as its `Shelf` holds it: so that each part goes to it once."""

    models_under_test: list[PartList] = field(default_factory=list)
    settings: set[str] = field(default_factory=set)

    def lacking(self, model_under_test: PartList) -> frozenset[str] | None:
        """The digests of the parts that the worker lacks of a model under test; None where it holds all of it."""
        if any(known.digest == model_under_test.digest for known in self.models_under_test):
            return None
        return model_under_test.parts - frozenset(part for known in self.models_under_test for part in known.parts)

    def note(self, model_under_test: PartList) -> None:
        """It was sent."""
        self.models_under_test = [*self.models_under_test, model_under_test][-MOST_MODELS:]

    def new_settings(self, job: Job) -> dict[str, Setting]:
        """The settings of a job that the worker lacks; they are taken to be sent now."""
        new = {digest: one for digest, one in settings_of(job).items() if digest not in self.settings}
        self.settings |= new.keys()
        return new


def packed(value: object) -> bytes:
    """A value as bytes, without what it has cached and without graphs. InputError names what no worker can import."""
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, protocol=5).dump(value)
    except (pickle.PicklingError, AttributeError, TypeError, RuntimeError) as error:
        raise InputError(
            f"a part of the model cannot be sent to workers: {error}. An operator, a scheme or a function of your own "
            "must stand at the top of a module that workers can import, not in a function or a notebook's cell; or run "
            "in this process alone, without --workers and --cluster"
        ) from error
    return buffer.getvalue()


def unpacked(content: bytes) -> Any:
    """Inverse of `packed`: for what this campaign's own driver or worker has sent, and for nothing else."""
    return pickle.loads(content)  # noqa: S301 - it comes from our own process at the other end of a connection


class _Pickler(pickle.Pickler):
    """Pickles tensors by their values and memory order, dataclasses by their fields, operations of torch by name."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, GraphModule):
            return _nothing, ()
        if isinstance(value, OpOverload):
            namespace, _, name = value._schema.name.partition("::")
            return _operation, (namespace, name, value._overloadname)
        if type(value) in (Tensor, torch.nn.Parameter):
            return _reduced_tensor(value)
        if getattr(type(value), "__module__", None) == "__main__":
            _refuse(type(value))
        if is_dataclass(value) and not isinstance(value, type) and type(value).__reduce_ex__ is object.__reduce_ex__:
            state = {each.name: getattr(value, each.name) for each in fields(value)}
            return _made, (type(value), state)
        return NotImplemented


def _refuse(kind: type) -> NoReturn:
    raise pickle.PicklingError(f"{kind.__name__} is defined in the script that was started (__main__)")


def _nothing() -> None:
    """What stands for a graph: workers run steps."""


def _operation(namespace: str, name: str, overload: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(getattr(getattr(torch.ops, namespace), name), overload)
    return found


def _made(kind: type, state: Mapping[str, Any]) -> Any:
    """A dataclass of these fields: none was changed on the way, so nothing is checked again."""
    value: Any = object.__new__(kind)
    for name, each in state.items():
        object.__setattr__(value, name, each)
    return value


def _reduced_tensor(tensor: Tensor) -> Any:
    """By its values in the order in which they lie in memory: the order may decide how float sums are rounded."""
    plain = tensor.detach().cpu()
    strides, sizes = list(plain.stride()), list(plain.shape)
    order = sorted(range(plain.ndim), key=lambda axis: (-strides[axis], -sizes[axis]))
    dense = plain.permute(order)
    if not dense.is_contiguous() or plain.dtype in (torch.bfloat16, torch.bool) or plain.is_sparse:
        return plain.clone().__reduce_ex__(5) if plain is not tensor else NotImplemented
    return _tensor, (dense.numpy(), tuple(_inverse(order)))


def _inverse(order: Iterable[int]) -> list[int]:
    places = list(order)
    return [places.index(axis) for axis in range(len(places))]


def _tensor(values: Any, order: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(values).permute(order)
