"""The hardened module: the model's inputs and outputs, its checks, and counters of their alarms."""

import copy
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from radhard.deploy.fixed import Fixed
from radhard.deploy.graph import StepGraph
from radhard.deploy.products import IntegerProduct, ScrubbedProduct
from radhard.deploy.step import entered, machine_here
from radhard.errors import FaultError, InputError
from radhard.kernels import EVENTS
from radhard.kernels.library import heard
from radhard.machine import Machine, undisturbed


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """What was found at a site in one call; the numbers are those of `radhard.kernels.events`.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    >>> images = torch.ones(2, 8)
    >>> program = rh.quantize(rh.capture(model, images), [images])
    >>> from radhard.protection import Protection, Tmr
    >>> alarms = []  # each an Alarm
    >>> hardened = rh.harden(program, Protection.of({"2": Tmr()}), on_alarm=alarms.append)
    >>> logits = hardened(images)
    >>> alarms  # nothing was wrong
    []
    """

    site: str
    flagged: int
    repaired: int
    false_alarms: int
    corrupted: int
    uncorrected: int


@dataclass(frozen=True, kw_only=True)
class WeightUpset:
    """Bit `bit` (0 the least significant) of word `word` of the int8 weight at `site`, row-major, flips in memory."""

    site: str
    word: int
    bit: int


OnAlarm = Callable[[Alarm], None]


class Hardened(Fixed):
    """Images [B, *input_shape] float32 -> logits [B, classes] float32.

    Each protected site counts its events over all calls in a buffer of its own, [7] int64 in the order of
    `radhard.kernels.EVENTS`, which is saved and exported with the module. `on_alarm` is called after a call in which a
    site raised an alarm, once for each such site, in the thread of the call and with the numbers of that call; it stays
    behind when the module is exported or compiled. No gradients are computed, and autocast changes nothing.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    >>> images = torch.ones(2, 8)
    >>> program = rh.quantize(rh.capture(model, images), [images])
    >>> from radhard.protection import Protection, Tmr
    >>> hardened = rh.harden(program, Protection.of({"2": Tmr()}))
    >>> logits = hardened(images)
    >>> hardened.counts()["2"]["flagged"]
    0
    """

    def __init__(
        self, body: StepGraph, *, name: str, input_shape: tuple[int, ...], on_alarm: OnAlarm | None = None
    ) -> None:
        super().__init__()
        self.body = body.module
        self.sites = tuple(body.events)
        self._places = tuple(body.events.values())
        self._costs = body.costs
        self.name = name
        self.input_shape = input_shape
        self.on_alarm = on_alarm

    def forward(self, images: Tensor) -> Tensor:
        """Logits. Raises InputError for images of another shape or type, FaultError as the policy says."""
        self._check(images)
        if torch.compiler.is_compiling():
            logits: Tensor = self.body(images)
            return logits
        with undisturbed(images.device):
            if (machine := machine_here()) is not None:
                machine.begin(self._costs, torch.arange(len(images), device="cpu"))
            return self.body(images) if self.on_alarm is None else self._heard(images, self.on_alarm)

    def _check(self, images: Tensor) -> None:
        if not isinstance(images, Tensor):
            raise InputError(f"images are {type(images).__name__}; {self.name} takes a float32 tensor")
        if not torch.compiler.is_compiling() and torch._C._functorch.is_functorch_wrapped_tensor(images):
            raise InputError(
                f"{self.name} is hardened, and computes in int8 words, through which no transform of torch.func goes: "
                "call it with all images as one batch"
            )
        if images.ndim != 1 + len(self.input_shape) or tuple(images.shape[1:]) != self.input_shape:
            expected = ", ".join(["B", *map(str, self.input_shape)])
            raise InputError(
                f"images have shape {list(images.shape)}; {self.name} takes [{expected}]: resize the images"
            )
        if images.dtype != torch.float32:
            raise InputError(f"images are {images.dtype}; convert them with images.float() and normalise them")

    def _heard(self, images: Tensor, on_alarm: OnAlarm) -> Tensor:
        """Logits; alarms are told of even where one of them ends in FaultError."""
        with heard() as noted:
            try:
                logits: Tensor = self.body(images)
            finally:
                self._tell(noted, on_alarm)
        return logits

    @contextmanager
    def on(self, machine: Machine) -> Iterator[None]:
        """Within it, in this thread, `machine` computes what the module would, and the module checks and repairs it.

        With `Faulty(Clean(), flips)` the module meets the flips of a trace, at the addresses that they have in the
        program; images are numbered as in the batch. Checks themselves are not hit, nor are words that are loaded
        without an operator. Exports and compiled modules never run on a machine.
        """
        with entered(machine):
            yield

    @contextmanager
    def corrupted(self, *upsets: WeightUpset) -> Iterator[None]:
        """Within it bits of stored weights are flipped, in the memory of the module: all threads meet them.

        Afterwards these words are what they were before. InputError for a site or a word that there is none of.
        """
        steps = {step.site.name: step for step in self.body.modules() if isinstance(step, IntegerProduct)}
        with ExitStack() as stack:
            for upset in upsets:
                step = steps.get(upset.site)
                if step is None or not step.operator.stored:
                    stored = [name for name, one in steps.items() if one.operator.stored]
                    raise InputError(
                        f"site {upset.site!r} has no stored weight; sites with one are {', '.join(stored) or 'none'}"
                    )
                stack.enter_context(step.corrupted(upset.word, upset.bit))
            yield

    @property
    def counters(self) -> Tensor:
        """[sites, 7] int64: how often each event happened since they were reset."""
        counters = self._counters()
        return torch.stack(counters) if counters else torch.zeros(0, len(EVENTS), dtype=torch.int64)

    def _counters(self) -> list[Tensor]:
        return [self.body.get_buffer(place) for place in self._places]

    def _tell(self, noted: Mapping[int, Tensor], on_alarm: OnAlarm) -> None:
        for site, counter in zip(self.sites, self._counters(), strict=True):
            if (happened := noted.get(counter.data_ptr())) is not None:
                counts = dict(zip(EVENTS, happened.tolist(), strict=True))
                if not counts["flagged"]:
                    continue
                del counts["checks"], counts["alarms"]
                on_alarm(Alarm(site=site, **counts))

    def counts(self) -> dict[str, Mapping[str, int]]:
        """Name of each protected site -> how often each event happened since the counters were reset."""
        return {
            site: dict(zip(EVENTS, row, strict=True))
            for site, row in zip(self.sites, self.counters.tolist(), strict=True)
        }

    def reset(self) -> None:
        """Count from zero."""
        for counter in self._counters():
            counter.zero_()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Hardened":
        """A module of its own with the same `on_alarm`, which is not copied."""
        other = type(self).__new__(type(self))
        memo[id(self)] = other
        memo[id(self.on_alarm)] = self.on_alarm
        other.__dict__ = copy.deepcopy(self.__dict__, memo)
        return other

    def __getstate__(self) -> dict[str, Any]:
        try:
            pickle.dumps(self.on_alarm)
        except (pickle.PicklingError, AttributeError, TypeError, RuntimeError) as error:
            raise InputError(
                f"on_alarm, {self.on_alarm!r}, cannot be pickled: {error}; give a function of a module's top level, or "
                "set on_alarm to None and set it again where the module is loaded"
            ) from error
        return self.__dict__

    def scrub(self) -> dict[str, str]:
        """Look through all stored weights and sums that are protected, and set right in place what changed.

        -> the sites where something did: "mended", a word of a weight or its bias; "sums", what it is checked by.
        Raises FaultError for a weight that changed in more places than can be told apart; the others are set right
        before.
        """
        found: dict[str, str] = {}
        lost: list[str] = []
        for step in self.body.modules():
            if not isinstance(step, ScrubbedProduct):
                continue
            verdict = step.scrub()
            if verdict == "lost":
                lost.append(step.on_uncorrectable.site)
            elif verdict != "sound":
                found[step.on_uncorrectable.site] = verdict
        if lost:
            raise FaultError(
                f"site {lost[0]!r} and {len(lost) - 1} others: the stored weight changed in more places than can be "
                "told apart: load the model again, from storage that is trusted"
            )
        return found
